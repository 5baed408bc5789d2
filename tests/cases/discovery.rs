//! Discovery of the server: now or later, refreshed, guarded.

use std::sync::Mutex;

use oauth_twin::{
    jose::Algorithm,
    oauth2::{
        AuthorizationRequest, AuthorizationServer, ClientSecretPost, Discovery, Pkce, PrivateKeyJwt,
    },
};
use support::keys::{Published, new_key, signed};

use super::{test, *};

const OPENID: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";

/// The status of metadata that hang.
const HELD: u16 = 599;

/// A provider whose metadata are at OpenID Connect's place, as `change` leaves them.
#[derive(Clone, Default)]
struct Provider(Arc<Mutex<Answers>>);

type Answers = (u16, Vec<(&'static str, serde_json::Value)>);

impl Provider {
    fn start(self) -> Server {
        self.start_with(Gate::new(), false)
    }

    fn start_with(self, gate: Gate, is_held: bool) -> Server {
        self.0.lock().expect("a lock").0 = 200;
        Server::start(move |request: &Request| {
            let base = format!("http://{}", request.header("host").expect("a host"));
            match &*request.path {
                OPENID => {
                    let (status, changes) = self.0.lock().expect("a lock").clone();
                    if is_held || status == HELD {
                        gate.wait();
                    }
                    let mut metadata = json!({
                        "issuer": base,
                        "authorization_endpoint": format!("{base}/authorize"),
                        "token_endpoint": format!("{base}/token"),
                        "jwks_uri": format!("{base}/keys"),
                        "introspection_endpoint": format!("{base}/introspect"),
                        "x_own": 7,
                    });
                    for (name, value) in changes {
                        metadata[name] = value;
                    }
                    Reply::json(status, metadata).with("cache-control", "max-age=600")
                }
                "/token" | "/other" => Reply::json(200, tokens(1, 600)),
                "/introspect" => Reply::json(200, json!({"active": true})),
                _ => Reply::text(404, ""),
            }
        })
    }

    fn set(&self, name: &'static str, value: serde_json::Value) {
        self.0.lock().expect("a lock").1.push((name, value));
    }

    fn answer(&self, status: u16) {
        self.0.lock().expect("a lock").0 = status;
    }
}

fn with_change(name: &'static str, value: serde_json::Value) -> (Provider, Server) {
    let provider = Provider::default();
    provider.set(name, value);
    (provider.clone(), provider.start())
}

fn client_of(issuer: impl Into<Discovery>) -> OAuth2ClientBuilder {
    confidential().discover_later(issuer)
}

fn confidential() -> OAuth2ClientBuilder {
    OAuth2Client::builder("id").client_secret("secret")
}

#[maybe_async]
#[test]
async fn oidcc_client_test_discovery_openid_config() -> TestResult {
    let server = Provider::default().start();
    let builder = confidential().discover(server.url("")).await?;
    let client = builder.grant(ClientCredentials::new()).build()?;
    assert_eq!(server.requests_in_all(), 1);
    let known = client.server().expect("a server");
    assert_eq!(known.issuer(), Some(&*server.url("")));
    assert_eq!(known.get("x_own"), Some(&json!(7)));
    assert!(known.fetched_at().is_some() && known.fresh_until() > known.fetched_at());
    client.ensure_active_token().await?;
    client.introspect_token().await?;
    let created = client.create_authorization_url(AuthorizationRequest::new())?;
    assert!(created.url.as_str().starts_with(&server.url("/authorize?")));
    let again = client.fetch_server().await?;
    assert_eq!(again, known);
    assert_eq!(server.count(OPENID), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_server_that_is_discovered_later_costs_nothing_at_the_start() -> TestResult {
    let server = Provider::default().start();
    let client = client_of(server.url(""))
        .grant(ClientCredentials::new())
        .build()?;
    assert!(client.server().is_none());
    let error = client
        .create_authorization_url(AuthorizationRequest::new())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("begin_authorization"), "{error}");
    assert_eq!(server.requests_in_all(), 0);

    let child = client.for_token(Token::new("of another user"));
    let begun = child
        .begin_authorization(AuthorizationRequest::new())
        .await?;
    assert!(begun.url.as_str().starts_with(&server.url("/authorize?")));
    assert!(client.server().is_some());
    client.create_authorization_url(AuthorizationRequest::new())?;
    client.ensure_active_token().await?;
    assert_eq!(server.count(OPENID), 1);
    client.close().await?;
    assert!(client.server().is_none());
    let error = client.fetch_server().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_service_starts_while_its_provider_is_down() -> TestResult {
    let (provider, clock) = (Provider::default(), ManualClock::new());
    let server = provider.clone().start();
    provider.answer(503);
    let client = client_of(server.url("")).clock(clock.clock()).build()?;
    for _ in 0..3 {
        let error = client
            .fetch_token(ClientCredentials::new())
            .await
            .unwrap_err();
        assert!(error.is_transient() && !error.needs_login() && !error.outcome_unknown());
        assert!(error.to_string().contains("metadata"), "{error}");
    }
    assert_eq!(server.count(OPENID), 1, "attempts are paced");
    provider.answer(200);
    clock.advance(seconds(2));
    client.fetch_token(ClientCredentials::new()).await?;
    assert_eq!(server.count(OPENID), 2);
    let builder = confidential().discover(server.url("/nothing")).await;
    assert_eq!(builder.unwrap_err().kind(), ErrorKind::Answer);
    assert_eq!(server.count("/nothing/.well-known/openid-configuration"), 1);
    assert_eq!(
        server.count("/.well-known/oauth-authorization-server/nothing"),
        1
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn one_discovery_serves_any_number_of_callers() -> TestResult {
    let gate = Gate::new();
    let server = Provider::default().start_with(gate.clone(), true);
    let client = client_of(server.url("")).build()?;
    let begun = Arc::new(AtomicUsize::new(0));
    let (crowd, counter) = (client.clone(), begun.clone());
    let outcomes = spawn(move || async move {
        at_once(CROWD, |_| {
            let (client, begun) = (crowd.clone(), counter.clone());
            async move {
                begun.fetch_add(1, Ordering::SeqCst);
                client
                    .begin_authorization(AuthorizationRequest::new())
                    .await
            }
        })
        .await
    });
    until(|| begun.load(Ordering::SeqCst) == CROWD && server.count(OPENID) > 0).await;
    sleep(Duration::from_millis(100)).await;
    gate.open();
    for outcome in outcomes.join().await {
        outcome?;
    }
    assert_eq!(server.count(OPENID), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn metadata_are_fetched_again_when_their_lifetime_has_ended() -> TestResult {
    for is_now in [true, false] {
        let (provider, clock) = (Provider::default(), ManualClock::new());
        let server = provider.clone().start();
        let builder = confidential().clock(clock.clock());
        let builder = match is_now {
            true => builder.discover(server.url("")).await?,
            false => builder.discover_later(server.url("")),
        };
        let client = builder.build()?;
        client.fetch_server().await?;
        clock.advance(seconds(599));
        client.fetch_server().await?;
        assert_eq!(server.count(OPENID), 1);
        clock.advance(seconds(1));
        provider.set("token_endpoint", json!(server.url("/other")));
        client.fetch_token(ClientCredentials::new()).await?;
        assert_eq!((server.count(OPENID), server.count("/other")), (2, 1));
        // The old ones stay, whatever comes instead.
        provider.answer(503);
        clock.advance(seconds(600));
        for _ in 0..3 {
            client.fetch_token(ClientCredentials::new()).await?;
        }
        assert_eq!(server.count(OPENID), 3);
        provider.answer(200);
        provider.set("issuer", json!("https://other.example"));
        clock.advance(seconds(60));
        client.fetch_token(ClientCredentials::new()).await?;
        assert_eq!(server.count(OPENID), 4);
        let known = client.server().expect("a server");
        assert_eq!(known.issuer(), Some(&*server.url("")));
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn metadata_that_hang_take_no_time_from_what_they_are_for() -> TestResult {
    let (provider, clock, gate) = (Provider::default(), ManualClock::new(), Gate::new());
    let server = provider.clone().start_with(gate.clone(), false);
    let client = confidential()
        .clock(clock.clock())
        .timeout(Duration::from_secs(6))
        .discover_later(server.url(""))
        .build()?;
    client.fetch_token(ClientCredentials::new()).await?;
    provider.answer(HELD);
    clock.advance(seconds(600));
    let token = client.fetch_token(ClientCredentials::new()).await;
    gate.open();
    token?;
    assert_eq!((server.count(OPENID), server.count("/token")), (2, 2));
    Ok(())
}

#[maybe_async]
#[test]
async fn oidcc_client_test_discovery_issuer_mismatch() -> TestResult {
    for other in ["https://other.example", "http://127.0.0.1/", ""] {
        let (_, server) = with_change("issuer", json!(other));
        let errors = [
            confidential().discover(server.url("")).await.unwrap_err(),
            client_of(server.url(""))
                .build()?
                .fetch_server()
                .await
                .unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Answer);
            let text = error.to_string();
            assert!(text.contains(&format!("{other:?}")), "{text}");
            assert!(text.contains(&format!("{:?}", server.url(""))), "{text}");
            assert!(text.contains("expect_issuer"), "{text}");
        }
        assert_eq!(server.count("/token"), 0);
    }
    // Here it is named, and found again in the same place.
    let (_, server) = with_change("issuer", json!("https://other.example"));
    let named = Discovery::at(server.url("")).expect_issuer("https://other.example");
    let client = client_of(named).build()?;
    let found = client.fetch_server().await?;
    assert_eq!(found.issuer(), Some("https://other.example"));
    let at = Discovery::at(server.url(OPENID)).expect_issuer("https://other.example");
    client_of(at).build()?.fetch_server().await?;
    assert_eq!(server.count(OPENID), 2);
    assert_eq!(server.count(OAUTH), 0);
    Ok(())
}

/// Client assertions for a server with such an issuer are for its token endpoint, which may be another
/// server's.
#[maybe_async]
#[test]
async fn an_issuer_with_tenants_that_are_not_named_is_refused() -> TestResult {
    let honest = json!("https://honest.example/token");
    let (provider, server) = with_change("token_endpoint", honest);
    let template = server.url("/{tenantid}");
    provider.set("issuer", json!(template));
    let at = || Discovery::at(server.url(OPENID)).expect_issuer(&*template);
    let error = client_of(at()).build()?.fetch_server().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Answer);
    assert!(error.to_string().contains("Discovery::tenants"), "{error}");
    client_of(at().any_tenant()).build()?.fetch_server().await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn the_metadata_of_rfc_8414_are_fetched_if_openid_connect_s_are_missing() -> TestResult {
    let server = Server::start(|request: &Request| {
        let base = format!("http://{}", request.header("host").expect("a host"));
        match &*request.path {
            "/.well-known/oauth-authorization-server/tenant" => {
                Reply::json(200, json!({"issuer": format!("{base}/tenant")}))
            }
            "/elsewhere/.well-known/openid-configuration" => {
                Reply::text(302, "").with("location", "/elsewhere/here")
            }
            "/elsewhere/here" => Reply::json(200, json!({"issuer": format!("{base}/elsewhere")})),
            "/broken/.well-known/openid-configuration" => Reply::text(500, ""),
            _ => Reply::text(404, ""),
        }
    });
    for issuer in ["/tenant", "/elsewhere"] {
        let client = client_of(server.url(issuer)).build()?;
        client.fetch_server().await?;
    }
    assert_eq!(server.count("/tenant/.well-known/openid-configuration"), 1);
    let client = client_of(server.url("/broken")).build()?;
    let error = client.fetch_server().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    assert_eq!(
        server.count("/.well-known/oauth-authorization-server/broken"),
        0
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn what_the_server_does_not_offer_is_named() -> TestResult {
    let (_, server) = with_change(
        "token_endpoint_auth_methods_supported",
        json!(["private_key_jwt"]),
    );
    let discovered = confidential().discover(server.url("")).await?;
    let text = bad_settings(discovered.build());
    assert!(
        text.contains("client_secret_basic, which the server does not offer"),
        "{text}"
    );
    let later = client_of(server.url("")).build()?;
    let error = later
        .fetch_token(ClientCredentials::new())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("private_key_jwt"), "{error}");
    // A public client is not listed at several servers.
    let public = OAuth2Client::builder("id")
        .discover_later(server.url(""))
        .build()?;
    public.fetch_token(ClientCredentials::new()).await?;
    assert_eq!(server.count("/token"), 1);

    let (_, server) = with_change(
        "token_endpoint_auth_signing_alg_values_supported",
        json!(["PS256"]),
    );
    let by_key = OAuth2Client::builder("id")
        .token_endpoint_auth_method(PrivateKeyJwt::new(new_key("1")))
        .discover(server.url(""))
        .await?;
    let text = bad_settings(by_key.build());
    assert!(text.contains("signs with ES256"), "{text}");
    Ok(())
}

#[maybe_async]
#[test]
async fn the_default_authentication_follows_the_metadata() -> TestResult {
    for (methods, is_post) in [
        (json!(["client_secret_post"]), true),
        (json!(["client_secret_basic", "client_secret_post"]), false),
        (json!(["of the future"]), false),
    ] {
        let (_, server) = with_change("token_endpoint_auth_methods_supported", methods);
        let client = client_of(server.url("")).build()?;
        client.fetch_token(ClientCredentials::new()).await?;
        let request = &server.requests("/token")[0];
        assert_eq!(request.parameter("client_secret").is_some(), is_post);
        assert_eq!(request.header("authorization").is_some(), !is_post);
    }
    let post = confidential()
        .token_endpoint_auth_method(ClientSecretPost)
        .server(
            AuthorizationServer::default()
                .with_token_endpoint_auth_methods_supported(["client_secret_basic"]),
        );
    let text = bad_settings(post.build());
    assert!(text.contains("client_secret_post"), "{text}");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_server_without_s256_begins_no_login() -> TestResult {
    for methods in [json!(["plain"]), json!([]), json!(["of the future"])] {
        let (_, server) = with_change("code_challenge_methods_supported", methods);
        let client = client_of(server.url("")).build()?;
        let begun = client
            .begin_authorization(AuthorizationRequest::new())
            .await;
        let error = begun.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("S256"), "{error}");
        let off = AuthorizationRequest::new().pkce(Pkce::Off);
        client.begin_authorization(off).await?;
        let assumed = client_of(Discovery::at(server.url("")).assume_s256()).build()?;
        let begun = assumed
            .begin_authorization(AuthorizationRequest::new())
            .await?;
        assert!(begun.url.as_str().contains("code_challenge_method=S256"));
    }
    // A server that does not say so gets it all the same.
    let server = Provider::default().start();
    let client = client_of(server.url("")).build()?;
    let begun = client
        .begin_authorization(AuthorizationRequest::new())
        .await?;
    assert!(begun.url.as_str().contains("code_challenge_method=S256"));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_response_mode_that_the_server_does_not_offer_is_named() -> TestResult {
    let (_, server) = with_change(
        "response_modes_supported",
        json!(["query", "of the future"]),
    );
    let client = client_of(server.url("")).build()?;
    let by_post = || AuthorizationRequest::new().param("response_mode", "form_post");
    let error = client.begin_authorization(by_post()).await.unwrap_err();
    assert!(error.to_string().contains("form_post"), "{error}");
    for modes in [
        json!(["form_post"]),
        json!(["of the future"]),
        json!("query"),
    ] {
        let (_, server) = with_change("response_modes_supported", modes);
        client_of(server.url(""))
            .build()?
            .begin_authorization(by_post())
            .await?;
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn settings_after_discover_that_it_has_used_are_named() -> TestResult {
    let server = Provider::default().start();
    let late = confidential()
        .discover(server.url(""))
        .await?
        .configure_http(|builder| builder)
        .timeout(seconds(5))
        .clock(ManualClock::new().clock())
        .redirect_uri("https://app.example/callback");
    let text = bad_settings(late.build());
    for setting in ["configure_http was", "timeout was", "clock was"] {
        assert!(text.contains(setting), "{setting}: {text}");
    }
    assert!(!text.contains("redirect_uri"), "{text}");
    // Before it, and for a discovery that is still to come, they are fine.
    let early = confidential()
        .configure_http(|builder| builder.user_agent("own"))
        .timeout(seconds(5))
        .discover(server.url(""))
        .await?;
    early.build()?;
    let agents = server.requests(OPENID);
    assert_eq!(agents[1].header("user-agent"), Some("own"));
    client_of(server.url("")).timeout(seconds(5)).build()?;
    Ok(())
}

#[maybe_async]
#[test]
async fn what_cannot_be_discovered_is_named_when_the_client_is_built() {
    for (issuer, problem) in [
        ("id.example", "is not an absolute URL"),
        ("http://id.example", "must be https"),
        ("https://id.example?a=b", "must not have a query"),
        ("https://id.example#a", "must not have a fragment"),
    ] {
        let text = bad_settings(client_of(issuer).build());
        assert!(text.contains(problem), "{issuer}: {text}");
        let error = confidential().discover(issuer).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains(problem), "{issuer}: {error}");
    }
    let other = client_of("https://id.example").issuer("https://other.example");
    let text = bad_settings(other.build());
    assert!(text.contains("issuer differs"), "{text}");
}

#[maybe_async]
#[test]
async fn single_endpoints_replace_what_the_metadata_say() -> TestResult {
    let server = Provider::default().start();
    let before = confidential()
        .token_endpoint(server.url("/other"))
        .discover(server.url(""))
        .await?;
    let after = confidential()
        .discover(server.url(""))
        .await?
        .token_endpoint(server.url("/other"));
    let later = client_of(server.url("")).token_endpoint(server.url("/other"));
    for client in [before.build()?, after.build()?, later.build()?] {
        client.fetch_token(ClientCredentials::new()).await?;
    }
    assert_eq!((server.count("/other"), server.count("/token")), (3, 0));
    // Metadata by hand replace the discovery.
    let by_hand = AuthorizationServer::default().with_token_endpoint(server.url("/token"));
    let client = client_of("https://id.example").server(by_hand).build()?;
    client.fetch_token(ClientCredentials::new()).await?;
    Ok(())
}

/// It counts as named by the calling code in either order. The proxy stands for the private network.
#[maybe_async]
#[test]
async fn a_private_server_may_be_named_before_plain_http_is_permitted() -> TestResult {
    let network = Server::start(|_: &Request| Reply::text(404, ""));
    let proxy = oauth_twin::reqwest::Proxy::all(network.url(""))?;
    let client = confidential()
        .configure_http(move |http| http.proxy(proxy.clone()))
        .discover_later("http://10.0.0.1")
        .dangerous_allow_http()
        .build()?;
    let error = client.fetch_server().await.expect_err("no metadata");
    assert!(network.requests_in_all() > 0, "{error}");
    Ok(())
}

/// A server with a public name, which the test has resolved to loopback itself.
#[maybe_async]
async fn public(change: (&'static str, serde_json::Value), allow: bool) -> Result<(), Error> {
    let (_, server) = with_change(change.0, change.1);
    let address = server.address();
    let issuer = format!("http://id.example:{}", address.port());
    let discovery = match allow {
        true => Discovery::at(issuer).dangerous_allow_private_addresses(),
        false => Discovery::at(issuer),
    };
    let client = confidential()
        .configure_http(move |builder| builder.no_proxy().resolve("id.example", address))
        .dangerous_allow_http()
        .discover(discovery)
        .await?
        .build()?;
    client.fetch_token(ClientCredentials::new()).await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn a_public_server_leads_to_no_private_address() {
    for url in [
        "http://127.0.0.1:9/token",
        "http://localhost:9/token",
        "http://10.0.0.1/token",
        "http://[::1]:9/token",
        "http://2130706433/token",
        "http://169.254.169.254/token",
    ] {
        let error = public(("token_endpoint", json!(url)), false)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Answer, "{url}: {error}");
        assert!(error.to_string().contains("token_endpoint"), "{error}");
    }
    let loopback = provider(600);
    let url = json!(loopback.url("/token"));
    public(("token_endpoint", url.clone()), false)
        .await
        .unwrap_err();
    assert_eq!(loopback.requests_in_all(), 0);
    public(("token_endpoint", url), true)
        .await
        .expect("permitted");
    let metadata = json!("http://169.254.169.254/token");
    public(("token_endpoint", metadata), true)
        .await
        .unwrap_err();
}

#[maybe_async]
#[test]
async fn the_addresses_of_a_name_are_checked_when_it_is_resolved() -> TestResult {
    // This name is one of loopback's by the system's own file, and not known as such before.
    let Some(name) = local_name() else {
        return Ok(());
    };
    let url = format!("http://{name}:9/token");
    let error = public(("token_endpoint", json!(url)), false)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Answer, "{error}");
    assert!(error.to_string().contains("private address"), "{error}");
    assert!(!error.is_transient());
    let error = public(("token_endpoint", json!(url)), true)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_server_that_a_stranger_names_is_public() -> TestResult {
    let server = provider(600);
    for issuer in [server.url(""), "http://id.example".to_owned()] {
        let discovery = Discovery::at(issuer).public_only();
        let builder = || confidential().dangerous_allow_http();
        let error = builder().discover(discovery.clone()).await;
        let error = error.expect_err("plain HTTP");
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        let problem = builder().discover_later(discovery).build();
        let problem = problem.expect_err("plain HTTP").to_string();
        assert!(problem.contains("public_only"), "{problem}");
    }
    assert_eq!(server.requests_in_all(), 0);
    let both = Discovery::at("https://id.example").public_only();
    let both = both.dangerous_allow_private_addresses();
    let problem = confidential().discover_later(both).build();
    let problem = problem.expect_err("a contradiction").to_string();
    assert!(problem.contains("public_only"), "{problem}");
    Ok(())
}

/// A name is resolved only where it can be connected to.
#[cfg(any(
    feature = "rustls",
    feature = "rustls-aws-lc-rs",
    feature = "native-tls"
))]
#[maybe_async]
#[test]
async fn a_name_of_a_stranger_s_server_leads_to_no_private_address() -> TestResult {
    if let Some(name) = local_name() {
        let discovery = Discovery::at(format!("https://{name}:9")).public_only();
        let error = confidential().discover(discovery).await;
        let error = error.expect_err("a private address");
        assert_eq!(error.kind(), ErrorKind::Answer, "{error}");
        assert!(error.to_string().contains("stranger"), "{error}");
    }
    Ok(())
}

/// A name of this machine, other than `localhost`, that its own resolver has.
fn local_name() -> Option<String> {
    use std::net::ToSocketAddrs as _;
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let lines = hosts
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default());
    let names = lines.flat_map(|line| line.split_whitespace().skip(1).map(str::to_owned));
    names
        .filter(|name| !name.starts_with("localhost"))
        .find(|name| {
            let found = (name.as_str(), 0).to_socket_addrs();
            found.is_ok_and(|mut all| all.next().is_some())
        })
}

#[maybe_async]
#[test]
async fn a_server_on_loopback_may_have_its_endpoints_there() -> TestResult {
    let other = provider(600);
    let (_, server) = with_change("token_endpoint", json!(other.url("/token")));
    for issuer in [
        server.url(""),
        format!("http://localhost:{}", server.address().port()),
    ] {
        let discovery = Discovery::at(issuer).expect_issuer(server.url(""));
        let issuer = discovery.clone();
        let client = client_of(issuer).build()?;
        // The metadata name the host under which they were asked for.
        if client.fetch_server().await.is_ok() {
            client.fetch_token(ClientCredentials::new()).await?;
        }
    }
    assert!(other.count("/token") > 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn the_keys_are_those_that_the_metadata_name() -> TestResult {
    let key = new_key("1");
    let keys = Published::new(&[&key]);
    let served = keys.clone();
    let own = Server::start(move |_: &Request| served.reply());
    let (_, server) = with_change("jwks_uri", json!(own.url("/anywhere")));
    let client = client_of(server.url("")).build()?;
    let token = signed(&key);
    client
        .verify_signature(token.expose_secret(), &[Algorithm::ES256])
        .await?;
    assert_eq!((own.count("/anywhere"), server.count(OPENID)), (1, 1));
    let child = client.for_token(Token::new("t"));
    child
        .verify_signature(token.expose_secret(), &[Algorithm::ES256])
        .await?;
    assert_eq!(own.count("/anywhere"), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn debug_tells_what_is_discovered() -> TestResult {
    let server = Provider::default().start();
    let builder = client_of(server.url(""));
    assert!(format!("{builder:?}").contains(&server.url("")));
    let client = builder.build()?;
    assert!(format!("{client:?}").contains("Discovery"));
    client.fetch_server().await?;
    assert!(format!("{client:?}").contains("x_own"));
    Ok(())
}
