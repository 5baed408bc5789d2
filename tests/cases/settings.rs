//! Settings: invalid ones are named, all at once, before anything is sent.

use std::time::Duration;

use oauth_twin::{
    BoxError, ErrorKind,
    oauth2::{
        ClientSecretBasic, ClientSecretBasicRaw, ClientSecretPost, EndpointRequest, Grant,
        PublicClient, RefreshToken, TokenRequest,
    },
    reqwest::Method,
};

use super::{test, *};

#[maybe_async]
#[test]
async fn each_bad_setting_is_named() {
    let good = || OAuth2Client::builder("id").token_endpoint("https://id.example/token");
    for (name, builder) in [
        ("client_id is empty", OAuth2Client::builder("")),
        ("client_secret is empty", good().client_secret("")),
        (
            "token_endpoint_auth_method cannot be used",
            good().token_endpoint_auth_method(ClientSecretBasic),
        ),
        (
            "token_endpoint_auth_method cannot be used",
            good().token_endpoint_auth_method(ClientSecretBasicRaw),
        ),
        (
            "token_endpoint_auth_method cannot be used",
            good().token_endpoint_auth_method(ClientSecretPost),
        ),
        (
            "token_endpoint_auth_method cannot be used: the client_id contains a colon",
            OAuth2Client::builder("i:d")
                .client_secret("s")
                .token_endpoint_auth_method(ClientSecretBasicRaw),
        ),
        (
            "revocation_endpoint_auth_method cannot be used",
            good().revocation_endpoint_auth_method(ClientSecretPost),
        ),
        (
            "introspection_endpoint_auth_method cannot be used",
            good().introspection_endpoint_auth_method(ClientSecretBasic),
        ),
        (
            "token_endpoint_method must be POST or GET",
            good().token_endpoint_method(Method::PUT),
        ),
        (
            "token_endpoint is not an absolute URL",
            good().token_endpoint("/token"),
        ),
        (
            "token_endpoint is not an absolute URL",
            good().token_endpoint(""),
        ),
        (
            "token_endpoint must be https",
            good().token_endpoint("http://id.example/token"),
        ),
        (
            "token_endpoint must be an https URL",
            good().token_endpoint("mailto:me@id.example"),
        ),
        (
            "token_endpoint must not have a fragment",
            good().token_endpoint("https://a/#b"),
        ),
        (
            "token_endpoint must not contain a user name",
            good().token_endpoint("https://a:b@c/"),
        ),
        (
            "token_endpoint is missing",
            OAuth2Client::builder("id").grant(ClientCredentials::new()),
        ),
        ("issuer must be https", good().issuer("http://id.example")),
        (
            "issuer must not have a query",
            good().issuer("https://id.example?a=b"),
        ),
        (
            "issuer must not have a fragment",
            good().issuer("https://id.example#a"),
        ),
        ("scope cannot be sent", good().scope("a \"b\"")),
        ("scope cannot be sent", good().scope(["a", "\u{e4}"])),
        ("resource is not an absolute URI", good().resource("api")),
        (
            "resource must not have a fragment",
            good().resource("https://api.example/#a"),
        ),
        (
            "timeout must be longer than zero",
            good().timeout(Duration::ZERO),
        ),
        (
            "close_timeout must be longer than zero",
            good().close_timeout(Duration::ZERO),
        ),
        (
            "grant cannot be sent again",
            good().grant(RefreshToken::new("r")),
        ),
    ] {
        let problems = bad_settings(builder.build());
        assert!(problems.starts_with(name), "{name}: {problems}");
    }
}

#[maybe_async]
#[test]
async fn all_bad_settings_are_named_at_once() {
    let builder = OAuth2Client::builder("")
        .client_secret("")
        .token_endpoint("http://id.example/")
        .scope("\n");
    let problems = bad_settings(builder.build());
    assert_eq!(problems.split("; ").count(), 5, "{problems}");
}

#[maybe_async]
#[test]
async fn bad_settings_do_not_show_secrets() {
    let builder = OAuth2Client::builder("")
        .client_secret("hunter2")
        .token_endpoint("https://id:hunter2@id.example/?hunter2");
    assert!(!bad_settings(builder.build()).contains("hunter2"));
    let builder = OAuth2Client::builder("id")
        .client_secret("hunter2")
        .token(Token::new("hunter2"))
        .token_endpoint("https://id.example/token")
        .scope("a");
    assert_eq!(
        format!("{builder:?}"),
        format!(
            "{CLIENT}Builder {{ client: ClientRegistration {{ client_id: \"id\", \
             client_secret: Some([redacted]), redirect_uris: [], scope: Some(Scope(\"a\")), \
             resource: [], external_key: None }}, server: AuthorizationServer {{ issuer: None, \
             token_endpoint: Some(\"https://id.example/token\"), members: [\"token_endpoint\"] }}, token: \
             Some(Token {{ access_token: [redacted], token_type: \"Bearer\", refresh_token: None, \
             id_token: None, scope: None, expires_at: None, issued_at: None, \
             refresh_parameters: {{}}, other members: [] \
             }}), .. }}"
        )
    );
}

#[maybe_async]
#[test]
async fn dangerous_allow_http_permits_plain_http() {
    let builder = OAuth2Client::builder("id")
        .token_endpoint("http://id.example/token")
        .issuer("http://id.example")
        .dangerous_allow_http();
    assert!(builder.build().is_ok());
}

#[maybe_async]
#[test]
async fn client_authentication_of_every_kind() -> TestResult {
    let own = |request: &mut EndpointRequest| -> Result<(), BoxError> {
        // Authlib's documented example: everything in the URI.
        let id = request.client_id().to_owned();
        let secret = request.client_secret().ok_or("no secret")?.clone();
        request.form_mut().set("client_id", id);
        request.form_mut().set("client_secret", secret);
        let query = request.form().encode();
        request.url_mut().set_query(Some(query.expose_secret()));
        *request.form_mut() = oauth_twin::oauth2::Form::new();
        Ok(())
    };
    let server = provider(600);
    let client = || OAuth2Client::builder("i d").token_endpoint(server.url("/token"));
    let secret = || client().client_secret("s:+");
    let clients = [
        secret().build()?,
        secret()
            .token_endpoint_auth_method(ClientSecretBasic)
            .build()?,
        secret()
            .token_endpoint_auth_method(ClientSecretBasicRaw)
            .build()?,
        secret()
            .token_endpoint_auth_method(ClientSecretPost)
            .build()?,
        secret().token_endpoint_auth_method(PublicClient).build()?,
        client().build()?,
        secret().token_endpoint_auth_method(own).build()?,
    ];
    for client in clients {
        client.fetch_token(ClientCredentials::new()).await?;
    }
    let sent = server.requests("/token");
    let sent = sent.iter().map(|sent| {
        let authorization = sent.header("authorization").unwrap_or("-");
        format!("{} {} {}", authorization, sent.form(), sent.query)
    });
    let basic = "Basic aSUyMGQ6cyUzQSUyQg== grant_type=client_credentials ";
    assert_eq!(
        sent.collect::<Vec<_>>(),
        [
            basic,
            basic,
            "Basic aSBkOnM6Kw== grant_type=client_credentials ",
            "- grant_type=client_credentials&client_id=i+d&client_secret=s%3A%2B ",
            "- grant_type=client_credentials&client_id=i+d ",
            "- grant_type=client_credentials&client_id=i+d ",
            "-  grant_type=client_credentials&client_id=i+d&client_secret=s%3A%2B",
        ]
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn client_authentication_cannot_lead_to_an_insecure_place() -> TestResult {
    let client = OAuth2Client::builder("id")
        .token_endpoint("https://id.example/token")
        .token_endpoint_auth_method(|request: &mut EndpointRequest| {
            *request.url_mut() = "http://id.example/token".parse()?;
            Ok(())
        })
        .build()?;
    let error = client
        .fetch_token(ClientCredentials::new())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("https"), "{error}");
    Ok(())
}

struct Ticket;

impl Grant for Ticket {
    fn grant_type(&self) -> &str {
        "urn:example:ticket"
    }

    fn add_parameters(&self, request: &mut TokenRequest<'_>) -> Result<(), BoxError> {
        request.push("ticket", format!("for {}", request.client_id()));
        request.push_scope_and_resource(None);
        Ok(())
    }

    fn replayable(&self) -> bool {
        true
    }
}

struct Broken;

impl Grant for Broken {
    fn grant_type(&self) -> &str {
        "urn:example:broken"
    }

    fn add_parameters(&self, _: &mut TokenRequest<'_>) -> Result<(), BoxError> {
        Err("no ticket left".into())
    }
}

#[maybe_async]
#[test]
async fn a_custom_grant() -> TestResult {
    let server = provider(600);
    let client = builder(&server).scope("a").grant(Ticket).build()?;
    client.ensure_active_token().await?;
    assert_eq!(
        server.requests("/token")[0].form(),
        "grant_type=urn%3Aexample%3Aticket&ticket=for+id&scope=a"
    );
    let error = client.exchange(Broken).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert_eq!(cause(&error), "no ticket left");
    assert_eq!(server.count("/token"), 1, "nothing is sent");
    Ok(())
}

#[maybe_async]
#[test]
async fn the_scope_of_a_grant_is_validated_before_it_is_sent() -> TestResult {
    let server = provider(600);
    let client = builder(&server).build()?;
    for scope in ["a \"b\"", "\n", "\u{e4}"] {
        let grant = ClientCredentials::new().scope(scope);
        let error = client.exchange(grant).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("scope"), "{error}");
    }
    assert_eq!(server.count("/token"), 0);
    Ok(())
}
