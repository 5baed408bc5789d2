use std::{collections::HashSet, time::UNIX_EPOCH};

use serde_json::json;

use super::*;
use crate::{
    clock::Clock,
    jose::{Claims, Jws},
    oauth2::{ClientAuth as _, ClientCredentials, ClientSecretJwt, JwtBearer, TokenEndpoint},
};

const SECRET: [u8; 64] = [b'a'; 64];

fn client(client_id: &str) -> ClientRegistration {
    let secret = str::from_utf8(&SECRET).expect("ASCII");
    ClientRegistration::new(client_id).with_client_secret(secret)
}

fn endpoint(server: AuthorizationServer, client: &ClientRegistration) -> TokenEndpoint {
    let server = server.with_token_endpoint("https://id.example/token");
    TokenEndpoint::new(&server, client)
        .expect("a URL")
        .clock(Clock::from_fn(|| UNIX_EPOCH + Duration::from_secs(1000)))
}

fn of(client_id: &str) -> TokenEndpoint {
    endpoint(AuthorizationServer::default(), &client(client_id))
}

fn read(token: &str) -> (Header, Claims) {
    let jws = Jws::parse(token).expect("a token");
    let key = SigningKey::hmac(jws.header().algorithm(), SECRET).expect("a key");
    let payload = jws.verify(&key.verifying_key()).expect("a signature");
    let claims = Claims::from_slice(payload).expect("claims, each of them once");
    (jws.header().clone(), claims)
}

fn sent(auth: &ClientSecretJwt, endpoint: &TokenEndpoint) -> (Header, Claims) {
    let request = endpoint.request(&ClientCredentials::new());
    let mut request = request.expect("a request");
    auth.authenticate(&mut request).expect("an assertion");
    let token = request.form().value("client_assertion");
    read(token.expect("an assertion").expose_secret())
}

/// Without the identifier, which is another one each time.
fn is(claims: &Claims, mut expected: Value) {
    expected["jti"] = claims.id().expect("jti").into();
    assert_eq!(claims.to_json(), expected.to_string());
}

#[test]
fn what_was_sent_is_not_kept_for_other_settings() {
    let auth = ClientSecretJwt::new();
    let id = of("id");
    let hs256 = Header::new(Algorithm::HS256).with_typ("JWT");
    assert_eq!(sent(&auth, &id).0, hs256);
    assert_eq!(sent(&auth, &id).0, hs256);
    let (before, auth) = (auth.clone(), auth.header("x", 7));
    assert_eq!(sent(&auth, &id).0, hs256.clone().with("x", 7));
    assert_eq!(sent(&before, &id).0, hs256);
    let (before, auth) = (auth.clone(), auth.claim("y", 8));
    assert_eq!(sent(&auth, &id).1.get("y"), Some(&8.into()));
    assert_eq!(sent(&before, &id).1.get("y"), None);
    let auth = auth.algorithm(Algorithm::HS512);
    let hs512 = Header::new(Algorithm::HS512).with_typ("JWT").with("x", 7);
    assert_eq!(sent(&auth, &id).0, hs512);
    assert_eq!(sent(&auth, &id).0, hs512);
    let auth = auth
        .audience("a")
        .lifetime(Duration::from_secs(5))
        .not_before(true);
    let mut expected = json!({
        "aud": "a", "exp": 1005, "iat": 1000, "iss": "id", "nbf": 1000, "sub": "id", "y": 8,
    });
    is(&sent(&auth, &id).1, expected.clone());
    expected["y"] = 9.into();
    is(&sent(&auth.claim("y", 9), &id).1, expected);
}

#[test]
fn what_was_sent_is_not_kept_for_other_clients() {
    let auth = ClientSecretJwt::new();
    let token = "https://id.example/token";
    let at_issuer = |issuer| endpoint(AuthorizationServer::new(issuer), &client("a"));
    for _ in 0..2 {
        for (endpoint, id, audience) in [
            (of("a"), "a", token),
            (of("b"), "b", token),
            (at_issuer("x"), "a", "x"),
            (at_issuer("y"), "a", "y"),
            // The metadata that Entra ID has for all its tenants; none of them is `{tenantid}`.
            (
                at_issuer("https://login.example/{tenantid}/v2.0"),
                "a",
                token,
            ),
        ] {
            let expected = json!({
                "aud": audience, "exp": 1060, "iat": 1000, "iss": id, "sub": id,
            });
            is(&sent(&auth, &endpoint).1, expected);
        }
    }
}

/// A server may name the token endpoint of another one, which would accept an assertion for it.
#[test]
fn the_audience_is_no_other_server_s_token_endpoint() {
    let audience = |issuer: Option<&str>, endpoint: &str| {
        let server = issuer.map_or_else(AuthorizationServer::default, AuthorizationServer::new);
        let server = server.with_token_endpoint("https://id.example/token");
        let assertion = JwtAssertion {
            audience: Some(Audience::TokenEndpoint),
            ..JwtAssertion::default()
        };
        let endpoint = Url::parse(endpoint).expect("a URL");
        assertion.audience(&server, &endpoint).to_owned()
    };
    let (token, strange) = ("https://id.example/token", "https://evil.example/par");
    for issuer in [
        "https://evil.example",
        "https://evil.example/{tenantid}",
        "x",
    ] {
        assert_eq!(audience(Some(issuer), strange), strange);
        assert_eq!(audience(Some(issuer), "https://id.example/par"), token);
    }
    // An alias for client certificates has another host; what the caller sets is no stranger's.
    for issuer in [
        Some("https://id.example/{tenantid}"),
        Some("https://id.example"),
        None,
    ] {
        assert_eq!(audience(issuer, "https://mtls.id.example/par"), token);
    }
}

#[test]
fn what_was_sent_is_not_kept_for_another_subject_or_scope() {
    let key = SigningKey::hmac(Algorithm::HS256, SECRET).expect("a key");
    let grant = JwtBearer::new("robot", key).audience("a");
    let claims = |grant: &JwtBearer, scope: &str| {
        let client = client("id").with_scope(scope);
        let request = endpoint(AuthorizationServer::default(), &client).request(grant);
        let request = request.expect("a request");
        let token = request.form().value("assertion").expect("an assertion");
        read(token.expose_secret()).1
    };
    assert_eq!(claims(&grant, "x").subject(), None);
    let grant = grant.subject("alice");
    assert_eq!(claims(&grant, "x").subject(), Some("alice"));
    assert_eq!(
        claims(&grant.clone().subject("bob"), "x").subject(),
        Some("bob")
    );
    assert_eq!(claims(&grant, "x").get("scope"), None);
    let grant = grant.scope_as_claim(true);
    for scope in ["x", "y", "x"] {
        assert_eq!(claims(&grant, scope).get("scope"), Some(&scope.into()));
    }
}

#[test]
fn the_latest_time_fits() {
    let assertion = JwtAssertion {
        not_before: true,
        ..JwtAssertion::default()
    };
    let id = [b'a'; random::IDENTIFIER_LENGTH];
    let mut buffer = [0; MAX_NEW_CLAIMS_BYTES];
    let claims = assertion.new_claims(&id, Duration::MAX, &mut buffer);
    assert!(
        claims
            .expect("buffer")
            .ends_with(b",\"nbf\":18446744073709551615}")
    );
}

#[test]
fn claims_of_any_length_are_one_object() {
    let mut identifiers = HashSet::new();
    for audience in ["", "a", "ab", "abc", "a\"b\\", "\u{1}", "ä", "☃", "}"] {
        for other in [json!(7), json!("ä}"), json!({"a": [{}]}), json!(null)] {
            let auth = ClientSecretJwt::new()
                .audience(audience)
                .claim("z", other.clone());
            for _ in 0..2 {
                let (_, claims) = sent(&auth, &of("id"));
                identifiers.insert(claims.id().expect("jti").to_owned());
                let expected = json!({
                    "aud": audience, "exp": 1060, "iat": 1000, "iss": "id", "sub": "id",
                    "z": other,
                });
                is(&claims, expected);
            }
        }
    }
    assert_eq!(identifiers.len(), 9 * 4 * 2);
}
