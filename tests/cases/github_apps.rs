//! A GitHub App, as the guide to providers (docs/providers.md) has it: a JWT is the bearer of the
//! token request, which has no body, and the answer has names of its own.

use std::time::Duration;

use oauth_twin::{
    BoxError,
    jose::{Algorithm, Claims, ClaimsValidation, Jws, SigningKey},
    oauth2::{EndpointRequest, Form, Hook},
    reqwest::header::{AUTHORIZATION, HeaderValue},
};

use super::{test, *};

const KEY: &str = include_str!("../vectors/rsa-2048.pkcs1.pem");

fn installation(api: &str, id: &str, installation: u64, key: SigningKey) -> OAuth2ClientBuilder {
    let by_jwt = move |request: &mut EndpointRequest| -> Result<(), BoxError> {
        let now = request.clock().now();
        let jwt = Claims::new()
            .with_issuer(request.client_id())
            .with_issued_at(now - Duration::from_secs(60))
            .with_expires_at(now + Duration::from_secs(540))
            .sign(&key)?;
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", jwt.expose_secret()))?;
        bearer.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, bearer);
        *request.form_mut() = Form::new();
        Ok(())
    };
    OAuth2Client::builder(id)
        .token_endpoint(format!(
            "{api}/app/installations/{installation}/access_tokens"
        ))
        .token_endpoint_auth_method(by_jwt)
        .grant(ClientCredentials::new())
        .compliance_hook(Hook::access_token_response(|response| {
            if let Some(mut members) = response.json()
                && let Some(token) = members.remove("token")
            {
                members.insert("access_token".to_owned(), token);
                members.insert("expires_in".to_owned(), 3600.into());
                response.set_json(&members);
            }
            Ok(())
        }))
}

#[maybe_async]
#[test]
async fn the_token_of_an_installation_is_renewed_after_an_hour() -> TestResult {
    let time = ManualClock::new();
    let key = SigningKey::from_pem(Algorithm::RS256, KEY)?;
    let (public, clock) = (key.verifying_key(), time.clock());
    let issued = AtomicUsize::new(0);
    let server = Server::start(move |request: &Request| {
        if request.path != "/app/installations/7/access_tokens" {
            return Reply::authorization_of(request);
        }
        let checked = || -> TestResult {
            let bearer = request.header("authorization").ok_or("no header")?;
            let jws = Jws::parse(bearer.strip_prefix("Bearer ").ok_or("no bearer")?)?;
            let claims = Claims::from_slice(jws.verify(&public)?)?;
            let expected = ClaimsValidation::new().issuer("Iv1.1").clock(clock.clone());
            claims.validate(&expected.leeway(Duration::ZERO))?;
            let begin = claims.issued_at().ok_or("no iat")?;
            let life = claims.expires_at().ok_or("no exp")?.duration_since(begin)?;
            assert_eq!(life, Duration::from_secs(600));
            Ok(())
        };
        if let Err(error) = checked() {
            return Reply::json(401, json!({ "message": error.to_string() }));
        }
        let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
        let token = format!("ghs_{n}");
        let body = json!({ "token": token, "expires_at": "2016-07-11T22:14:10Z" });
        Reply::json(201, body)
    });
    let client = installation(&server.url(""), "Iv1.1", 7, key)
        .clock(time.clock())
        .build()?;
    for (passed, bearer) in [
        (0, "Bearer ghs_1"),
        (3539, "Bearer ghs_1"),
        (61, "Bearer ghs_2"),
    ] {
        time.advance(Duration::from_secs(passed));
        let answer = client.get(server.url("/repositories")).send().await?;
        let sent = answer.text().await?;
        assert_eq!(sent, bearer);
    }
    let requests = server.requests("/app/installations/7/access_tokens");
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert_eq!((&*request.method, request.body.len()), ("POST", 0));
        assert_eq!(request.header("content-length"), Some("0"));
        assert_eq!(request.header("content-type"), None);
    }
    client.close().await?;
    Ok(())
}
