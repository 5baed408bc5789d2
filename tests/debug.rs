//! The `Debug` text of every public type of `oauth2` that holds a secret, to the letter. (Those of
//! tokens, forms, requests and answers stand beside their types, those of the clients in `cases/`.)

#![allow(clippy::unwrap_used, reason = "a test program may panic")]

use std::fmt::Debug;

use oauth_twin::{
    BoxError, Clock,
    jose::{Algorithm, Header, Jws, SigningKey},
    oauth2::{
        AuthorizationCode, AuthorizationEndpoint, AuthorizationRequest, AuthorizationServer,
        ClientCredentials, ClientRegistration, ClientSecretJwt, ExtensionGrant, Grant,
        IntrospectionEndpoint, JwtBearer, Password, PrivateKeyJwt, RevocationEndpoint,
        TokenEndpoint, TokenRequest,
    },
};

const SECRET: &str = "hunter2-hunter2-hunter2";

/// Client assertions and grants by assertion: neither key nor claims.
#[test]
fn assertions() {
    let key = || SigningKey::hmac(Algorithm::HS256, SECRET.repeat(2)).unwrap();
    let assertion = "JwtAssertion { audience: None, lifetime: 60s, header: [\"x\"], \
                     claims: [\"y\"], .. }";
    let signing = "Local(SigningKey { algorithm: HS256, key_id: None, .. })";
    shows(
        &ClientSecretJwt::new()
            .header("x", SECRET)
            .claim("y", SECRET),
        &format!(
            "ClientSecretJwt {{ algorithm: HS256, allow_short: false, assertion: {assertion} }}"
        ),
    );
    shows(
        &PrivateKeyJwt::new(key())
            .header("x", SECRET)
            .claim("y", SECRET),
        &format!("PrivateKeyJwt {{ key: {signing}, assertion: {assertion} }}"),
    );
    let grant = JwtBearer::new("me", key())
        .header("x", SECRET)
        .claim("y", SECRET);
    shows(
        &grant.param("z", SECRET),
        &format!(
            "JwtBearer {{ issuer: \"me\", subject: None, key: {signing}, \
             grant_type: \"urn:ietf:params:oauth:grant-type:jwt-bearer\", \
             scope_as_claim: false, assertion: {assertion}, \
             options: GrantOptions {{ scope: None, parameters: {{\"z\": [redacted]}} }} }}"
        ),
    );
    let input = Header::new(Algorithm::HS256)
        .signing_input(SECRET.as_bytes())
        .unwrap();
    shows(&input, "SigningInput(52 bytes)");
    let token = input.sign(&key()).unwrap();
    let jws = Jws::parse(token.expose_secret()).unwrap();
    shows(
        &jws,
        "Jws { header: Header { algorithm: HS256, is_fully_specified: false, members: {} }, .. }",
    );
}

fn shows(value: &impl Debug, text: &str) {
    assert_eq!(format!("{value:?}"), text);
    assert!(!format!("{value:#?}").contains(SECRET));
}

#[test]
fn grants() {
    shows(
        &ClientCredentials::new().param("key", SECRET).scope("a"),
        "ClientCredentials { options: GrantOptions { scope: Some(Scope(\"a\")), \
         parameters: {\"key\": [redacted]} } }",
    );
    shows(
        &Password::new("alice", SECRET).keep_for_renewal(),
        "Password { username: \"alice\", password: [redacted], kept: true, \
         options: GrantOptions { scope: None, parameters: {} } }",
    );
    shows(
        &ExtensionGrant::new("urn:x").param("subject_token", SECRET),
        "ExtensionGrant { grant_type: \"urn:x\", kept: false, options: GrantOptions { scope: None, \
         parameters: {\"subject_token\": [redacted]} } }",
    );
    shows(
        &AuthorizationCode::new(SECRET)
            .code_verifier(SECRET)
            .nonce(SECRET)
            .redirect_uri("https://a/"),
        "AuthorizationCode { code: [redacted], redirect_uri: Some(\"https://a/\"), \
         code_verifier: Some([redacted]), expires_at: None, authentication: AuthenticationRequest { \
         openid: true, nonce: Some([redacted]), max_age: None, not_before: None, auth_time: false, \
         acr: [], pkce: false, .. }, issuer: None, id_token: None, \
         dpop_thumbprint: None, options: GrantOptions { scope: None, parameters: {} } }",
    );
}

#[test]
fn endpoints() {
    let url = format!("https://id.example/?key={SECRET}");
    let server = AuthorizationServer::default()
        .with_authorization_endpoint(&url)
        .with_token_endpoint(&url)
        .with_revocation_endpoint(&url)
        .with_introspection_endpoint(&url);
    let client = ClientRegistration::new("id").with_client_secret(SECRET);
    let registration = "ClientRegistration { client_id: \"id\", \
                        client_secret: Some([redacted]), redirect_uris: [], scope: None, \
                        resource: [], external_key: None }";
    shows(&client, registration);
    shows(
        &server,
        "AuthorizationServer { issuer: None, token_endpoint: Some(\"https://id.example/\"), \
         members: [\"authorization_endpoint\", \"introspection_endpoint\", \
         \"revocation_endpoint\", \"token_endpoint\"] }",
    );
    let endpoint =
        format!("(Endpoint {{ url: \"https://id.example/\", client: {registration}, .. }})");
    shows(
        &RevocationEndpoint::new(&server, &client).unwrap(),
        &format!("RevocationEndpoint{endpoint}"),
    );
    shows(
        &IntrospectionEndpoint::new(&server, &client).unwrap(),
        &format!(
            "IntrospectionEndpoint{}, IntrospectionRules {{ signed: None }})",
            endpoint.trim_end_matches(')')
        ),
    );
    shows(
        &TokenEndpoint::new(&server, &client).unwrap(),
        &format!("TokenEndpoint{endpoint}"),
    );
    shows(
        &AuthorizationEndpoint::new(&server, &client).unwrap(),
        &format!(
            "AuthorizationEndpoint {{ url: \"https://id.example/\", client: {registration}, .. }}"
        ),
    );
}

/// A token request while it is filled in.
#[test]
fn token_request() {
    struct Looking;
    impl Grant for Looking {
        fn grant_type(&self) -> &str {
            "urn:x"
        }

        fn add_parameters(&self, request: &mut TokenRequest<'_>) -> Result<(), BoxError> {
            request.push("assertion", SECRET);
            let text = format!("{request:?}");
            assert!(text.contains("form: {\"grant_type\": [redacted], \"assertion\": [redacted]}"));
            assert!(!text.contains(SECRET));
            Ok(())
        }
    }
    let server = AuthorizationServer::default().with_token_endpoint("https://id.example/");
    let client = ClientRegistration::new("id").with_client_secret(SECRET);
    let endpoint = TokenEndpoint::new(&server, &client).unwrap();
    endpoint.request(&Looking).unwrap();
}

/// The URL itself is for the user's browser, and has to be seen; what is secret of the login is
/// in the pending half.
#[test]
fn logins() {
    let server = AuthorizationServer::default().with_authorization_endpoint("https://id.example/");
    let endpoint = AuthorizationEndpoint::new(&server, &ClientRegistration::new("id")).unwrap();
    let request = AuthorizationRequest::new()
        .state(SECRET)
        .code_verifier(SECRET.repeat(2));
    let clock = Clock::from_fn(|| std::time::UNIX_EPOCH);
    let created = endpoint.clock(clock).request(request).unwrap();
    shows(
        &created.pending,
        "PendingAuthorization { state: [redacted], code_verifier: Some([redacted]), \
         redirect_uri: None, issuer: None, expires_at: 3600, .. }",
    );
    shows(
        &created,
        "AuthorizationUrl { url: \"https://id.example/\", pending: PendingAuthorization { \
         state: [redacted], code_verifier: Some([redacted]), redirect_uri: None, issuer: None, \
         expires_at: 3600, .. } }",
    );
}
