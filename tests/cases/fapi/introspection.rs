//! Introspection responses that are signed.

use oauth_twin::{jose::Algorithm, oauth2::IntrospectionRules};
use support::keys::{Published, new_key};

use super::{super::test, *};

/// A server that signs its answers for the client "id".
fn signing(keys: &Published, key: oauth_twin::jose::SigningKey) -> Server {
    let keys = keys.clone();
    Server::start(move |request: &Request| {
        let issuer = format!("http://{}", request.header("host").expect("a host"));
        match &*request.path {
            "/keys" => keys.reply(),
            _ if request.header("accept") != Some("application/token-introspection+jwt") => {
                Reply::json(200, json!({"active": true, "username": "plain"}))
            }
            _ => {
                let claims = json!({
                    "iss": issuer, "aud": "id", "iat": 1_600_000_000,
                    "token_introspection": {"active": true, "username": "jdoe"},
                });
                let header = key.header().with_typ("token-introspection+jwt");
                let input = header.signing_input(claims.to_string().as_bytes());
                let jwt = input.expect("a header").sign(&key).expect("a JWT");
                Reply::text(200, jwt.expose_secret())
                    .with("content-type", "application/token-introspection+jwt")
            }
        }
    })
}

fn client_at(server: &Server, rules: IntrospectionRules) -> OAuth2ClientBuilder {
    builder(server)
        .issuer(server.url(""))
        .introspection_endpoint(server.url("/introspect"))
        .jwks_uri(server.url("/keys"))
        .introspection(rules)
}

#[maybe_async]
#[test]
async fn a_signed_response_is_verified_by_the_keys_of_the_server() -> TestResult {
    let key = new_key("1");
    let keys = Published::new(&[&key]);
    let server = signing(&keys, key);
    let rules = IntrospectionRules::new().signed([Algorithm::ES256]);
    let client = client_at(&server, rules).token(Token::new("t")).build()?;
    let introspection = client.introspect_token().await?;
    assert_eq!(introspection.username(), Some("jdoe"));
    let introspection = client.introspect("other", None).await?;
    assert_eq!(introspection.username(), Some("jdoe"));
    assert_eq!(keys.count(), 1);

    let plain = client_at(&server, IntrospectionRules::new()).build()?;
    let introspection = plain.introspect("other", None).await?;
    assert_eq!(introspection.username(), Some("plain"));

    // Keys of another server.
    keys.rotate(&[&new_key("1")]);
    let rules = IntrospectionRules::new().signed([Algorithm::ES256]);
    let client = client_at(&server, rules).build()?;
    let error = client
        .introspect("other", None)
        .await
        .expect_err("another key");
    assert_eq!(error.kind(), ErrorKind::Answer);
    let rules = IntrospectionRules::new().signed([Algorithm::PS256]);
    let client = client_at(&server, rules).build()?;
    let error = client
        .introspect("other", None)
        .await
        .expect_err("not registered");
    assert!(error.to_string().contains("ES256"), "{error}");
    Ok(())
}
