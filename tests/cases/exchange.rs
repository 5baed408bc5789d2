//! Tokens that are exchanged: a grant, a client whose token is made of that of another, identity
//! assertions.
//!
//! [RFC 8693](https://www.rfc-editor.org/rfc/rfc8693)

mod id_tokens;

use oauth_twin::{
    ErrorKind,
    oauth2::{IdJag, TokenExchange, TokenTypeIdentifier},
};
use serde_json::Value;

use super::{test, *};

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// A server that exchanges a token `x` for `x+<n>`, which lives for `expires_in` seconds.
pub fn exchanging(expires_in: u64) -> Server {
    let issued = AtomicUsize::new(0);
    Server::start(move |request: &Request| match &*request.path {
        "/token" => {
            let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
            let subject = request.parameter("subject_token").unwrap_or_default();
            Reply::json(
                200,
                json!({
                    "access_token": format!("{subject}+{n}"), "token_type": "Bearer",
                    "issued_token_type": ACCESS_TOKEN, "expires_in": expires_in,
                    "refresh_token": "not to be used",
                }),
            )
        }
        _ => Reply::authorization_of(request),
    })
}

/// A client of `server` whose token is made of that of `source`.
pub fn exchanged(server: &Server, source: &OAuth2Client) -> OAuth2ClientBuilder {
    let exchange = TokenExchange::of_client().audience("orders");
    builder(server).exchanged_from(source, exchange)
}

/// Checks the header that the API of `server` gets from `client`.
#[maybe_async]
pub async fn expect(
    client: &OAuth2Client,
    server: &Server,
    header: &str,
) -> oauth_twin::Result<()> {
    let response = client.get(server.url("/api")).send().await?;
    let sent = response.text().await?;
    assert_eq!(sent, header);
    Ok(())
}

#[maybe_async]
#[test]
async fn an_exchange_is_a_grant_of_any_client() -> TestResult {
    let server = exchanging(600);
    let client = builder(&server).build()?;
    let subject = Token::new("s");
    let grant = TokenExchange::of_token(&subject)
        .audience("a")
        .audience("b")
        .resource("https://api.example/")
        .actor("me", TokenTypeIdentifier::Jwt)
        .requested_token_type(TokenTypeIdentifier::AccessToken);
    let token = client.exchange(grant).await?;
    assert_eq!(access_token(&token), "s+1");
    assert_eq!(client.token(), None, "nothing is kept");
    let request = &server.requests("/token")[0];
    assert_eq!(request.parameters("audience"), ["a", "b"]);
    assert_eq!(
        request.parameter("actor_token_type").as_deref(),
        Some("urn:ietf:params:oauth:token-type:jwt")
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_of_another_type_or_none_is_refused() -> TestResult {
    for body in [
        json!({"access_token": "t"}),
        json!({"access_token": "t", "issued_token_type": ID_TOKEN}),
        json!({"access_token": "", "issued_token_type": ACCESS_TOKEN, "token_type": ""}),
    ] {
        let server = Server::start(move |_: &Request| Reply::json(200, body.clone()));
        let client = builder(&server).build()?;
        let grant = TokenExchange::new("hunter2", TokenTypeIdentifier::IdToken)
            .requested_token_type(TokenTypeIdentifier::AccessToken);
        let error = client.fetch_token(grant).await.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Answer);
        assert!(!format!("{error:?}").contains("hunter2"));
        assert_eq!(client.token(), None);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_that_is_not_applicable_never_reaches_an_api() -> TestResult {
    let server = Server::start(|request: &Request| match &*request.path {
        "/token" => Reply::json(
            200,
            json!({"access_token": "t", "issued_token_type": ID_JAG, "token_type": "n_a"}),
        ),
        _ => Reply::text(200, ""),
    });
    let client = builder(&server).build()?;
    let grant = TokenExchange::new("s", TokenTypeIdentifier::IdToken);
    let kept = client.fetch_token(grant).await;
    let sent = client.get(server.url("/api")).send().await;
    assert!(kept.is_err() || sent.is_err());
    assert_eq!(server.count("/api"), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_client_s_token_is_made_of_that_of_another_whenever_it_expires() -> TestResult {
    let clock = ManualClock::new();
    let users = provider(1000);
    let source = with_credentials(&users).clock(clock.clock()).build()?;
    let server = exchanging(400);
    let client = exchanged(&server, &source).clock(clock.clock()).build()?;
    for _ in 0..3 {
        expect(&client, &server, "Bearer t1+1").await?;
    }
    assert_eq!((users.count("/token"), server.count("/token")), (1, 1));
    let request = &server.requests("/token")[0];
    assert_eq!(
        request.parameter("subject_token_type").as_deref(),
        Some(ACCESS_TOKEN)
    );
    assert_eq!(request.parameter("audience").as_deref(), Some("orders"));
    // It expires: exchanged again, of the same token, and never by the refresh token.
    clock.advance(seconds(400));
    expect(&client, &server, "Bearer t1+2").await?;
    assert_eq!((users.count("/token"), server.count("/token")), (1, 2));
    // That of the source expires, too.
    clock.advance(seconds(800));
    expect(&client, &server, "Bearer t2+3").await?;
    assert_eq!((users.count("/token"), server.count("/token")), (2, 3));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_does_not_outlive_the_one_that_it_was_made_of() -> TestResult {
    let clock = ManualClock::new();
    let users = provider(300);
    let source = with_credentials(&users).clock(clock.clock()).build()?;
    let server = exchanging(3600);
    let client = exchanged(&server, &source).clock(clock.clock()).build()?;
    let token = client.ensure_active_token().await?;
    assert_eq!(token.expires_at(), Some(clock.now() + seconds(300)));
    clock.advance(seconds(300));
    expect(&client, &server, "Bearer t2+2").await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn a_crowd_makes_one_exchange() -> TestResult {
    let users = provider(600);
    let source = with_credentials(&users).build()?;
    let server = Arc::new(exchanging(600));
    let client = exchanged(&server, &source).build()?;
    let outcomes = tokens_at_once(vec![client.clone(); 50]).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!((users.count("/token"), server.count("/token")), (1, 1));
    Ok(())
}

#[maybe_async]
#[test]
async fn another_login_of_the_source_ends_the_token() -> TestResult {
    let users = provider(600);
    let source = builder(&users).token(Token::new("alice")).build()?;
    let server = exchanging(600);
    let client = exchanged(&server, &source).build()?;
    // A chain of two.
    let next = exchanging(600);
    let last = exchanged(&next, &client).build()?;
    expect(&last, &next, "Bearer alice+1+1").await?;
    source.set_token(Token::new("bob"))?;
    assert_eq!((client.token(), last.token()), (None, None));
    expect(&client, &server, "Bearer bob+2").await?;
    expect(&last, &next, "Bearer bob+2+2").await?;
    // A child of the source is another handle.
    let child = source.for_token(Token::new("carol"));
    child.set_token(Token::new("dave"))?;
    expect(&client, &server, "Bearer bob+2").await?;
    assert_eq!(server.count("/token"), 2);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_login_that_the_source_needs_is_what_the_client_needs() -> TestResult {
    let users = Server::start(|_: &Request| Reply::error(400, "invalid_grant"));
    let source = builder(&users).token(expired_token()).build()?;
    let server = exchanging(600);
    let client = exchanged(&server, &source).build()?;
    let error = client.ensure_active_token().await.expect_err("no login");
    assert!(error.needs_login(), "{error:?}");
    assert_eq!(server.count("/token"), 0);
    let without = builder(&users).build()?;
    let client = exchanged(&server, &without).build()?;
    let error = client.ensure_active_token().await.expect_err("no token");
    assert!(error.needs_login(), "{error:?}");
    Ok(())
}

#[maybe_async]
#[test]
async fn an_id_token_is_exchanged_if_there_is_one() -> TestResult {
    let users = Server::start(|_: &Request| {
        Reply::json(200, json!({"access_token": "t", "expires_in": 600}))
    });
    let token: Token = serde_json::from_value(json!({"access_token": "t", "id_token": "a.b.c"}))?;
    let source = builder(&users).token(token).build()?;
    let server = exchanging(600);
    let client = builder(&server).exchanged_from(&source, TokenExchange::of_id_token());
    let client = client.build()?;
    client.ensure_active_token().await?;
    let request = &server.requests("/token")[0];
    assert_eq!(request.parameter("subject_token").as_deref(), Some("a.b.c"));
    assert_eq!(
        request.parameter("subject_token_type").as_deref(),
        Some(ID_TOKEN)
    );
    source.set_token(Token::new("t"))?;
    let error = client.ensure_active_token().await.expect_err("no ID token");
    assert!(error.to_string().contains("openid"), "{error}");
    Ok(())
}

#[maybe_async]
#[test]
async fn settings_that_do_not_go_with_it_are_named() -> TestResult {
    let server = exchanging(600);
    let source = builder(&server).build()?;
    let static_subject = TokenExchange::new("s", TokenTypeIdentifier::Jwt);
    let built = builder(&server)
        .exchanged_from(&source, static_subject)
        .build();
    assert!(bad_settings(built).starts_with("exchanged_from"));
    let built = exchanged(&server, &source)
        .token_store(FileTokenStore::new("/nonexistent/token.json"))
        .build();
    assert!(bad_settings(built).starts_with("token_store"));
    let built = exchanged(&server, &source).token(Token::new("t")).build();
    assert!(bad_settings(built).starts_with("token"));
    let both = exchanged(&server, &source).grant(ClientCredentials::new());
    assert!(bad_settings(both.build()).starts_with("grant"));
    let both = builder(&server)
        .grant(ClientCredentials::new())
        .exchanged_from(&source, TokenExchange::of_client());
    assert!(bad_settings(both.build()).starts_with("grant"));
    let both = exchanged(&server, &source).id_jag_from(&source, IdJag::of_client());
    assert!(bad_settings(both.build()).starts_with("id_jag_from"));
    let alone = builder(&server).build()?;
    let error = alone.fetch_token(TokenExchange::of_client()).await;
    let error = error.expect_err("no source").to_string();
    assert!(error.contains("exchanged_from"), "{error}");
    assert_eq!(server.count("/token"), 0);
    Ok(())
}

/// The identity provider, which answers an exchange with `answer`, and the server of the resource.
fn two_servers(answer: Value) -> (Server, Server) {
    let provider = Server::start(move |_: &Request| Reply::json(200, answer.clone()));
    let issued = AtomicUsize::new(0);
    let resource = Server::start(move |request: &Request| match &*request.path {
        "/token" => {
            let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
            Reply::json(200, tokens(n, 600))
        }
        _ => Reply::authorization_of(request),
    });
    (provider, resource)
}

fn at_provider(provider: &Server) -> oauth_twin::Result<OAuth2Client> {
    OAuth2Client::builder("at-the-provider")
        .token_endpoint(provider.url("/token"))
        .build()
}

fn at_resource(resource: &Server) -> OAuth2ClientBuilder {
    OAuth2Client::builder("at-the-resource")
        .client_secret("secret")
        .issuer("https://chat.example")
        .token_endpoint(resource.url("/token"))
}

#[maybe_async]
#[test]
async fn an_identity_assertion_takes_two_requests_with_the_credentials_of_each_server() -> TestResult
{
    let (provider, resource) = two_servers(json!({
        "access_token": "opaque", "issued_token_type": ID_JAG, "token_type": "N_A",
        "refresh_token": "ignored",
    }));
    let clock = ManualClock::new();
    let grant = IdJag::new("a.b.c").resource("https://chat.example/api");
    let client = at_resource(&resource)
        .id_jag_from(&at_provider(&provider)?, grant)
        .clock(clock.clock())
        .build()?;
    expect(&client, &resource, "Bearer t1").await?;
    let first = &provider.requests("/token")[0];
    let value = |name: &str| first.parameter(name).unwrap_or_default();
    assert_eq!(value("subject_token"), "a.b.c");
    assert_eq!(value("subject_token_type"), ID_TOKEN);
    assert_eq!(value("requested_token_type"), ID_JAG);
    assert_eq!(value("audience"), "https://chat.example");
    assert_eq!(value("resource"), "https://chat.example/api");
    assert_eq!(value("client_id"), "at-the-provider");
    assert_eq!(first.header("authorization"), None);
    let second = &resource.requests("/token")[0];
    let value = |name: &str| second.parameter(name).unwrap_or_default();
    assert_eq!(value("grant_type"), JWT_BEARER);
    assert_eq!(value("assertion"), "opaque");
    assert_eq!(value("resource"), "https://chat.example/api");
    assert!(
        second
            .header("authorization")
            .is_some_and(|it| it.starts_with("Basic "))
    );
    // A new assertion for each token: neither refresh token is used.
    clock.advance(seconds(600));
    expect(&client, &resource, "Bearer t2").await?;
    assert_eq!(provider.count("/token"), 2);
    let requests = resource.requests("/token");
    assert_eq!(
        requests[1].parameter("grant_type").as_deref(),
        Some(JWT_BEARER)
    );
    Ok(())
}

/// The scope of the client of the provider, such as `openid`, means nothing at the other server.
#[maybe_async]
#[test]
async fn an_identity_assertion_is_for_what_the_resource_is_asked_for() -> TestResult {
    let (provider, resource) = two_servers(json!({
        "access_token": "opaque", "issued_token_type": ID_JAG, "token_type": "N_A",
    }));
    let idp = OAuth2Client::builder("at-the-provider")
        .token_endpoint(provider.url("/token"))
        .scope("openid offline_access")
        .resource("https://idp.example/api")
        .build()?;
    for (builder, grant, scope, of_resource) in [
        (at_resource(&resource), IdJag::new("a.b.c"), None, None),
        (
            at_resource(&resource)
                .scope("read")
                .resource("https://chat.example/api"),
            IdJag::new("a.b.c"),
            Some("read"),
            Some("https://chat.example/api"),
        ),
        (
            at_resource(&resource)
                .scope("read")
                .resource("https://chat.example/api"),
            IdJag::new("a.b.c")
                .scope("write")
                .resource("https://chat.example/b"),
            Some("write"),
            Some("https://chat.example/b"),
        ),
    ] {
        let client = builder.id_jag_from(&idp, grant).build()?;
        client.ensure_active_token().await?;
        for server in [&provider, &resource] {
            let requests = server.requests("/token");
            let request = requests.last().expect("a request");
            assert_eq!(request.parameter("scope").as_deref(), scope);
            assert_eq!(request.parameter("resource").as_deref(), of_resource);
        }
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn an_answer_that_is_no_identity_assertion_stops_before_the_second_server() -> TestResult {
    for answer in [
        json!({"access_token": "x", "token_type": "N_A"}),
        json!({"access_token": "x", "issued_token_type": ACCESS_TOKEN, "token_type": "N_A"}),
        json!({"access_token": "x", "issued_token_type": ID_JAG, "token_type": "Bearer"}),
        json!({"access_token": "", "issued_token_type": ID_JAG, "token_type": "N_A"}),
        json!({"error": "invalid_request"}),
    ] {
        let (provider, resource) = two_servers(answer.clone());
        let client = at_resource(&resource)
            .id_jag_from(&at_provider(&provider)?, IdJag::new("a.b.c"))
            .build()?;
        let error = client.ensure_active_token().await;
        assert!(error.is_err(), "{answer}");
        assert_eq!(resource.count("/token"), 0, "{answer}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn an_identity_assertion_needs_an_issuer_and_an_id_token() -> TestResult {
    let (provider, resource) = two_servers(json!({}));
    let idp = at_provider(&provider)?;
    let without_issuer = builder(&resource)
        .id_jag_from(&idp, IdJag::new("a.b.c"))
        .build()?;
    let error = without_issuer.ensure_active_token().await;
    let error = error.expect_err("no issuer").to_string();
    assert!(error.contains("set issuer"), "{error}");
    idp.set_token(Token::new("t"))?;
    let client = at_resource(&resource)
        .id_jag_from(&idp, IdJag::of_client())
        .build()?;
    let error = client.ensure_active_token().await;
    let error = error.expect_err("no ID token").to_string();
    assert!(error.contains("openid"), "{error}");
    assert_eq!(provider.requests_in_all() + resource.requests_in_all(), 0);
    Ok(())
}
