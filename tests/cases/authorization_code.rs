//! Logins of users, from the authorization URL by the callback to the token.

use std::{collections::HashMap, time::Duration};

use oauth_twin::{
    ErrorCode, ErrorKind,
    oauth2::{
        AuthorizationCode, AuthorizationRequest, AuthorizationUrl, PendingAuthorization, Pkce,
        ResponseType,
    },
};

use super::{test, *};

const CALLBACK: &str = "https://app.example/callback";

/// A client of `server` that users log in with.
fn web(server: &Server) -> OAuth2ClientBuilder {
    builder(server)
        .issuer(server.url(""))
        .authorization_endpoint(server.url("/authorize"))
        .redirect_uri(CALLBACK)
        .scope("profile")
}

/// A server whose tokens tell the codes that they were issued for, each of which is one user's.
fn by_code() -> Server {
    Server::start(|request: &Request| {
        let code = request.parameter("code").expect("a code");
        let token = format!("of-{code}");
        Reply::json(200, json!({"access_token": token, "expires_in": 60}))
    })
}

/// The parameters that a URL would take to the authorization endpoint.
fn asked(url: &oauth_twin::reqwest::Url) -> HashMap<String, String> {
    url.query_pairs().into_owned().collect()
}

/// The callback that the server responds with to the request in `url`.
pub fn callback(url: &oauth_twin::reqwest::Url, code: &str) -> String {
    format!("{CALLBACK}?code={code}&state={}", asked(url)["state"])
}

pub fn created(client: &OAuth2Client) -> AuthorizationUrl {
    client
        .create_authorization_url(AuthorizationRequest::new())
        .expect("a URL")
}

#[maybe_async]
#[test]
async fn a_login_from_url_to_token_leaves_the_shared_client_untouched() -> TestResult {
    let server = provider(600);
    let client = web(&server).resource("https://api.example").build()?;
    let AuthorizationUrl { url, pending, .. } = created(&client);
    let asked = asked(&url);
    assert_eq!(asked["response_type"], "code");
    assert_eq!(asked["client_id"], "id");
    assert_eq!(asked["redirect_uri"], CALLBACK);
    assert_eq!(asked["scope"], "profile");
    assert_eq!(asked["code_challenge_method"], "S256");
    assert_eq!(asked["resource"], "https://api.example");

    // The session may be in another process.
    let pending: PendingAuthorization = serde_json::from_str(&serde_json::to_string(&pending)?)?;
    let login = client
        .complete_authorization(pending, &callback(&url, "the-code"))
        .await?;
    assert_eq!(login.token.access_token().expose_secret(), "t1");
    let sent = &server.requests("/token")[0];
    assert_eq!(sent.parameter("grant_type").unwrap(), "authorization_code");
    assert_eq!(sent.parameter("code").unwrap(), "the-code");
    assert_eq!(sent.parameter("redirect_uri").unwrap(), CALLBACK);
    assert_eq!(sent.parameter("resource").unwrap(), "https://api.example");
    assert_eq!(sent.parameter("scope"), None);
    let verifier = sent.parameter("code_verifier").unwrap();
    let hash = ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes());
    let challenge = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, hash);
    assert_eq!(asked["code_challenge"], challenge);

    let text = login
        .client
        .get(server.url("/api"))
        .send()
        .await?
        .text()
        .await?;
    assert_eq!(text, "Bearer t1");
    assert_eq!(client.token(), None);
    let error = client.get(server.url("/api")).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Token);
    // A refresh repeats the parameters of the login.
    login.client.refresh_token().await?;
    let refreshed = &server.requests("/token")[1];
    assert_eq!(
        refreshed.parameter("resource").unwrap(),
        "https://api.example"
    );
    assert_eq!(refreshed.parameter("scope"), None);
    Ok(())
}

#[maybe_async]
#[test]
async fn two_logins_that_overlap_cannot_meet() -> TestResult {
    let server = by_code();
    let client = web(&server).build()?;
    let [alice, bob] = [created(&client), created(&client)];
    let [from_alice, from_bob] = [callback(&alice.url, "alice"), callback(&bob.url, "bob")];

    let mixed_up = created(&client);
    let error = client
        .complete_authorization(mixed_up.pending, &from_bob)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Answer);
    assert_eq!(server.count("/token"), 0, "nothing is sent");

    let bob = client
        .complete_authorization(bob.pending, &from_bob)
        .await?;
    let alice = client
        .complete_authorization(alice.pending, &from_alice)
        .await?;
    assert_eq!(bob.token.access_token().expose_secret(), "of-bob");
    assert_eq!(alice.token.access_token().expose_secret(), "of-alice");
    assert_eq!(bob.client.token(), Some(bob.token));
    assert_eq!(client.token(), None);
    Ok(())
}

#[maybe_async]
#[test]
async fn overlapping_logins_on_one_client_are_independent() -> TestResult {
    let server = by_code();
    let client = web(&server).build()?;
    let tokens = at_once(50, |n| {
        let client = client.clone();
        async move {
            let AuthorizationUrl { url, pending, .. } = created(&client);
            let callback = callback(&url, &format!("code-{n}"));
            let login = client
                .complete_authorization(pending, &callback)
                .await
                .expect("a login");
            login.token.access_token().expose_secret().to_owned()
        }
    })
    .await;
    for (n, token) in tokens.iter().enumerate() {
        assert_eq!(*token, format!("of-code-{n}"));
    }
    assert_eq!(server.count("/token"), 50);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_callback_that_is_not_right_sends_nothing() -> TestResult {
    let server = provider(600);
    let client = web(&server).build()?;
    let huge = "x".repeat(70_000);
    for (made, word) in [
        ("?code=c", "no `state`"),
        ("?code=c&state=forged", "does not match this login"),
        (
            "?code=c&state=STATE&state=STATE",
            "repeats the parameter `state`",
        ),
        ("?code=c&code=d&state=STATE", "repeats the parameter `code`"),
        ("?state=STATE", "no `code`"),
        ("?code=&state=STATE", "no `code`"),
        (
            "?code=c&state=STATE&iss=https%3A%2F%2Fevil.example",
            "the issuer of the callback",
        ),
        ("?error=access_denied&state=STATE", "access_denied"),
        ("?error=access_denied&code=c&state=STATE", "access_denied"),
        ("?error=access_denied", "no `state`"),
        ("", "no `state`"),
        ("not a callback", "no `state`"),
        ("https://app.example/callback", "no `state`"),
        (
            "https://app.example/callback#code=c&state=STATE",
            "no `state`",
        ),
        (
            "?code=%FF%FE&state=%FF",
            "`state` of the callback is not percent-encoded UTF-8",
        ),
        (&format!("?code={huge}&state=STATE"), "64 KiB"),
    ] {
        let AuthorizationUrl { url, pending, .. } = created(&client);
        let made = made.replace("STATE", &asked(&url)["state"]);
        let error = client
            .complete_authorization(pending, &made)
            .await
            .unwrap_err();
        assert!(error.to_string().contains(word), "{word}: {error}");
        assert!(!error.is_transient() && !error.outcome_unknown());
    }
    assert_eq!(server.count("/token"), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn an_error_callback_is_the_server_s_error() -> TestResult {
    let server = provider(600);
    let client = web(&server).build()?;
    let AuthorizationUrl { url, pending, .. } = created(&client);
    let made = format!(
        "error=access_denied&error_description=No%2C+thanks&state={}",
        asked(&url)["state"]
    );
    let error = pending.authorization_response(&made).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    assert_eq!(error.code(), Some(&ErrorCode::AccessDenied));
    assert_eq!(error.response().unwrap().description(), Some("No, thanks"));
    assert_eq!(error.status(), None);
    Ok(())
}

#[maybe_async]
#[test]
async fn the_right_issuer_passes_and_a_login_expires() -> TestResult {
    let server = provider(600);
    let clock = ManualClock::new();
    let client = web(&server).clock(clock.clock()).build()?;
    for (wait, passes) in [(0, true), (599, true), (600, false), (10_000, false)] {
        let request = AuthorizationRequest::new().expires_in(Duration::from_secs(600));
        let AuthorizationUrl { url, pending, .. } = client.create_authorization_url(request)?;
        clock.advance(Duration::from_secs(wait));
        let made = format!("{}&iss={}", callback(&url, "c"), server.url(""));
        let login = client.complete_authorization(pending, &made).await;
        assert_eq!(login.is_ok(), passes, "after {wait} s: {login:?}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn one_clock_per_client_judges_every_step() -> TestResult {
    let server = provider(600);
    // It is years before the system clock.
    let clock = ManualClock::new();
    let client = web(&server).clock(clock.clock()).build()?;
    let mut sent = 0;
    for (wait, passes) in [(0, true), (599, true), (600, false), (10_000, false)] {
        for session in [false, true] {
            let request = AuthorizationRequest::new().expires_in(Duration::from_secs(600));
            let AuthorizationUrl { url, pending } = client.create_authorization_url(request)?;
            let pending = match session {
                true => serde_json::from_str(&serde_json::to_string(&pending)?)?,
                false => pending,
            };
            clock.advance(Duration::from_secs(wait));
            let grant = pending.authorization_response(&callback(&url, "c"))?;
            let token = client.fetch_token(grant).await;
            sent += usize::from(passes);
            assert_eq!(server.count("/token"), sent);
            match token {
                Ok(token) => {
                    assert!(passes, "after {wait} s");
                    assert_eq!(token.issued_at(), Some(clock.now()));
                }
                Err(error) => {
                    assert!(!passes, "after {wait} s: {error}");
                    assert!(error.to_string().contains("expired"), "{error}");
                    assert_eq!(error.kind(), ErrorKind::Answer);
                    assert!(!error.is_transient() && !error.outcome_unknown());
                }
            }
        }
    }
    // The implicit grant has no grant to be used with a client, and is told the clock.
    let request = AuthorizationRequest::new().response_type(ResponseType::Token);
    for (wait, passes) in [(3599, true), (3600, false)] {
        let AuthorizationUrl { url, pending } = client.create_authorization_url(request.clone())?;
        clock.advance(Duration::from_secs(wait));
        let state = &asked(&url)["state"];
        let fragment = format!("{CALLBACK}#access_token=t&expires_in=60&state={state}");
        let token = pending.token_from_fragment_at(&fragment, &clock.clock());
        assert_eq!(token.is_ok(), passes, "after {wait} s");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn an_issuer_that_always_names_itself_has_to() -> TestResult {
    let server = provider(600);
    let client = web(&server)
        .authorization_response_iss_parameter_supported(true)
        .build()?;
    let AuthorizationUrl { url, pending, .. } = created(&client);
    let error = client
        .complete_authorization(pending, &callback(&url, "c"))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("iss"), "{error}");
    assert_eq!(server.count("/token"), 0);
    let AuthorizationUrl { url, pending, .. } = created(&client);
    let made = format!("{}&iss={}", callback(&url, "c"), server.url(""));
    client.complete_authorization(pending, &made).await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn a_script_keeps_the_token_in_its_client() -> TestResult {
    let server = provider(600);
    let client = web(&server).build()?;
    let AuthorizationUrl { url, pending, .. } = created(&client);
    let token = client
        .fetch_token(pending.authorization_response(&callback(&url, "c"))?)
        .await?;
    assert_eq!(client.token(), Some(token));
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "Bearer t1");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_code_is_never_sent_twice() -> TestResult {
    for status in [429, 500, 503] {
        let server = Server::start(move |_: &Request| {
            Reply::error(status, "temporarily_unavailable").with("retry-after", "0")
        });
        let client = web(&server).build()?;
        client
            .fetch_token(AuthorizationCode::new("c"))
            .await
            .unwrap_err();
        assert_eq!(server.count("/token"), 1, "{status}");
        let AuthorizationUrl { url, pending, .. } = created(&client);
        client
            .complete_authorization(pending, &callback(&url, "d"))
            .await
            .unwrap_err();
        assert_eq!(server.count("/token"), 2, "{status}");
        // Anything else is asked for again.
        client.exchange(ClientCredentials::new()).await.unwrap_err();
        assert_eq!(server.count("/token"), if status == 500 { 3 } else { 5 });
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_bad_verifier_is_not_sent() -> TestResult {
    let server = provider(600);
    let client = web(&server).build()?;
    for verifier in ["", "short", &"+".repeat(43), &"a".repeat(129)] {
        let grant = AuthorizationCode::new("c").code_verifier(verifier);
        let error = client.fetch_token(grant).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("43 to 128"), "{error}");
    }
    assert_eq!(server.count("/token"), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn pkce_is_omitted_only_by_a_named_value() -> TestResult {
    let server = provider(600);
    let client = web(&server).build()?;
    let request = AuthorizationRequest::new().pkce(Pkce::Off);
    let AuthorizationUrl { url, pending, .. } = client.create_authorization_url(request)?;
    assert!(!asked(&url).contains_key("code_challenge"));
    client
        .complete_authorization(pending, &callback(&url, "c"))
        .await?;
    assert_eq!(
        server.requests("/token")[0].parameter("code_verifier"),
        None
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn what_is_missing_is_named() -> TestResult {
    let server = provider(600);
    let client = builder(&server).build()?;
    let error = client
        .create_authorization_url(AuthorizationRequest::new())
        .unwrap_err();
    assert!(
        error.to_string().contains("authorization_endpoint"),
        "{error}"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn an_implicit_token_is_set_by_the_caller() -> TestResult {
    let server = provider(600);
    let client = web(&server).build()?;
    let request = AuthorizationRequest::new().response_type(ResponseType::Token);
    let AuthorizationUrl { url, pending, .. } = client.create_authorization_url(request)?;
    assert_eq!(asked(&url)["response_type"], "token");
    let token = pending.token_from_fragment(&format!(
        "{CALLBACK}#access_token=implicit&token_type=bearer&expires_in=600&state={}",
        asked(&url)["state"]
    ))?;
    client.set_token(token)?;
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "Bearer implicit");
    assert_eq!(server.count("/token"), 0);
    Ok(())
}
