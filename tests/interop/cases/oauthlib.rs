//! OAuth 1.0 against oauthlib: the three steps, and requests in every method and placement.

use oauth_twin::{
    Clock, ErrorCode, ErrorKind,
    oauth1::{
        RsaKey, SignatureMethod, SignatureType, Signer, TemporaryCredentials, TokenCredentials,
    },
    reqwest::{Method, Url, header::HeaderMap},
};
use serde_json::{Value, json};

use super::{TestResult, address, browser::unfollowing_client};
use crate::mode::{OAuth1Client, OAuth1ClientBuilder, http, maybe_async, test};

const PLACEMENTS: [(SignatureType, &str); 3] = [
    (SignatureType::Header, "header"),
    (SignatureType::Query, "query"),
    (SignatureType::Body, "body"),
];

/// A secret with what has to be encoded.
const SECRET: &str = "s&cr=t %41+\u{e4}";
/// oauthlib decodes what stands in query or body twice, and so a PLAINTEXT signature there, too.
const PLAIN_SECRET: &str = "secret";

fn url(path: &str) -> String {
    format!("{}{path}", address("OAUTHLIB_SERVER"))
}

/// A pair of keys: private and public.
fn rsa_keys() -> (RsaKey, String) {
    let vectors: Value =
        serde_json::from_str(include_str!("../../vectors/oauth1.json")).expect("vectors");
    let pem = |name: &str| vectors[name].as_str().expect("a key").to_owned();
    let key = RsaKey::from_pem(pem("rsa_private_key")).expect("a key");
    (key, pem("rsa_public_key"))
}

fn methods() -> Vec<SignatureMethod> {
    let (key, _) = rsa_keys();
    vec![
        SignatureMethod::HmacSha1,
        SignatureMethod::HmacSha256,
        SignatureMethod::HmacSha512,
        #[cfg(feature = "rsa-sha1")]
        SignatureMethod::RsaSha1(key.clone()),
        SignatureMethod::RsaSha256(key.clone()),
        SignatureMethod::RsaSha512(key),
        SignatureMethod::Plaintext,
    ]
}

/// Registers a client at the server, and beside it `<client_key>-plain`.
#[maybe_async]
async fn register(client_key: &str) -> Result<(), Box<dyn std::error::Error>> {
    let (_, rsa_public_key) = rsa_keys();
    for (client_key, secret) in [
        (client_key.to_owned(), SECRET),
        (format!("{client_key}-plain"), PLAIN_SECRET),
    ] {
        let client = json!({
            "client_key": client_key, "client_secret": secret, "rsa_public_key": rsa_public_key,
        });
        let registered = unfollowing_client()
            .post(url("/_test/client"))
            .json(&client)
            .send()
            .await?;
        assert_eq!(registered.status(), 201);
    }
    Ok(())
}

/// The client for requests that are signed so.
fn builder_for(client_key: &str, method: &SignatureMethod) -> OAuth1ClientBuilder {
    let builder = match method {
        SignatureMethod::Plaintext => {
            builder(&format!("{client_key}-plain")).client_secret(PLAIN_SECRET)
        }
        _ => builder(client_key),
    };
    builder.signature_method(method.clone())
}

/// Number of requests of that client with that outcome.
#[maybe_async]
async fn count(client_key: &str, end: &str) -> Result<u64, Box<dyn std::error::Error>> {
    let counts = unfollowing_client()
        .get(url("/_test/counts"))
        .query(&[("client", client_key)])
        .send()
        .await?;
    let counts: Value = counts.json().await?;
    Ok(counts[end].as_u64().unwrap_or_default())
}

fn builder(client_key: &str) -> OAuth1ClientBuilder {
    OAuth1Client::builder(client_key)
        .client_secret(SECRET)
        .request_token_endpoint(url("/request_token"))
        .authorization_endpoint(url("/authorize"))
        .access_token_endpoint(url("/access_token"))
        .redirect_uri("https://photos.example/ready?a=%20b&c=d")
}

/// Callback URL of a user's browser, or the page that it shows.
#[maybe_async]
async fn visit(url: Url) -> Result<String, Box<dyn std::error::Error>> {
    let response = unfollowing_client().get(url).send().await?;
    match response.headers().get("location") {
        Some(location) => Ok(location.to_str()?.to_owned()),
        None => Ok(response.text().await?),
    }
}

/// Token credentials by a whole login.
#[maybe_async]
async fn log_in(client: &OAuth1Client) -> Result<TokenCredentials, Box<dyn std::error::Error>> {
    let temporary = client.request_temporary_credentials().await?;
    let callback = visit(client.authorization_url(&temporary)?).await?;
    let verified = temporary.authorization_response(&callback)?;
    Ok(client.exchange(verified).await?)
}

#[maybe_async]
#[test]
async fn a_script_logs_in_by_callback_and_by_pin() -> TestResult {
    register("script").await?;
    for method in methods() {
        for (placement, _) in PLACEMENTS {
            // What oauthlib decodes twice, as above, is a callback as well.
            let redirect_uri = match placement {
                SignatureType::Header => "https://photos.example/ready?a=%20b&c=d",
                _ => "https://photos.example/ready?a=b&c=d",
            };
            let client = builder_for("script", &method)
                .signature_type(placement)
                .redirect_uri(redirect_uri)
                .build()?;
            client.fetch_request_token().await?;
            let callback = visit(client.create_authorization_url()?).await?;
            assert!(callback.starts_with("https://photos.example/ready?a="));
            client.parse_authorization_response(&callback)?;
            let token = client.fetch_access_token().await?;
            assert_eq!(token.get("screen_name").unwrap(), "Älice & Bob");
            let answer = client.get(url("/api/me")).send().await?;
            let answer: Value = answer.error_for_status()?.json().await?;
            assert_eq!(answer["token"], token.token().expose_secret());
        }
    }

    let client = builder("script").redirect_uri("oob").build()?;
    client.fetch_request_token().await?;
    let page = visit(client.create_authorization_url()?).await?;
    let callback = Url::parse(&format!("https://photos.example/?{page}"))?;
    let mut pairs = callback.query_pairs();
    let (_, pin) = pairs.find(|(name, _)| name == "oauth_verifier").unwrap();
    client.set_verifier(&*pin)?;
    client.fetch_access_token().await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn two_logins_on_one_client() -> TestResult {
    register("web").await?;
    let client = builder("web").build()?;
    let alice = client.request_temporary_credentials().await?;
    let bob = client.request_temporary_credentials().await?;
    let back = [
        visit(client.authorization_url(&bob)?).await?,
        visit(client.authorization_url(&alice)?).await?,
    ];
    let bob = client
        .exchange(bob.authorization_response(&back[0])?)
        .await?;
    let crossed = client.request_temporary_credentials().await?;
    crossed.authorization_response(&back[1]).unwrap_err();
    let alice = client
        .exchange(alice.authorization_response(&back[1])?)
        .await?;
    for user in [alice, bob] {
        let answer = client
            .for_token(user.clone())
            .get(url("/api/me"))
            .send()
            .await?;
        let answer: Value = answer.error_for_status()?.json().await?;
        assert_eq!(answer["token"], user.token().expose_secret());
    }
    Ok(())
}

/// Content of the body of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Content {
    Nothing,
    Form,
    Json,
    HashedJson,
}

const FORM: [(&str, &str); 4] = [("a", "2"), ("b", "x&y=z +%20"), ("a", "\u{e4}"), ("e", "")];

#[maybe_async]
#[test]
async fn every_method_placement_and_body_is_verified_and_arrives_whole() -> TestResult {
    register("matrix").await?;
    for method in methods() {
        let token = log_in(&builder_for("matrix", &method).build()?).await?;
        for (placement, place) in PLACEMENTS {
            for content in [
                Content::Nothing,
                Content::Form,
                Content::Json,
                Content::HashedJson,
            ] {
                let client = builder_for("matrix", &method)
                    .token(token.clone())
                    .signature_type(placement)
                    .force_include_body(content == Content::HashedJson)
                    .build()?;
                let case = format!("{method:?} {place} {content:?}");
                let request = client.post(url("/api/photos;v=1?a=1&b=%20+%2B&c=&a=0"));
                let object = json!({"a": "b=c&d \u{e4}"});
                let (request, sent) = match content {
                    Content::Nothing => (request, String::new()),
                    Content::Form => (
                        request.form(&FORM),
                        "a=2&b=x%26y%3Dz+%2B%2520&a=%C3%A4&e=".to_owned(),
                    ),
                    Content::Json | Content::HashedJson => {
                        (request.json(&object), object.to_string())
                    }
                };
                let response = request.send().await;
                if placement == SignatureType::Body && sent.starts_with('{') {
                    // `cases::oauth1_requests` counts that nothing is sent.
                    let error = response.expect_err(&case);
                    assert_eq!(error.kind(), ErrorKind::Usage, "{case}");
                    continue;
                }
                let response = response?;
                assert_eq!(response.status(), 200, "{case}");
                let answer: Value = response.json().await?;
                assert_eq!(answer["placement"], place, "{case}");
                assert_eq!(answer["signature_method"], method.name());
                assert_eq!(answer["token"], token.token().expose_secret());
                let pairs = json!([["a", "1"], ["b", "  +"], ["c", ""], ["a", "0"]]);
                assert_eq!(answer["query"], pairs, "{case}");
                let hashed = content == Content::HashedJson;
                assert_eq!(answer["has_body_hash"], hashed, "{case}");
                if content == Content::Form {
                    assert_eq!(answer["form"], json!(FORM), "{case}");
                }
                if placement != SignatureType::Body {
                    assert_eq!(answer["body_length"], sent.len(), "{case}");
                    let digest = ring::digest::digest(&ring::digest::SHA256, sent.as_bytes());
                    let digest: String = digest
                        .as_ref()
                        .iter()
                        .map(|byte| format!("{byte:02x}"))
                        .collect();
                    assert_eq!(answer["body_sha256"], digest, "{case}");
                }
            }
        }
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn every_verb_two_legged_and_realm() -> TestResult {
    register("verbs").await?;
    for (placement, _) in PLACEMENTS {
        let client = builder("verbs").signature_type(placement).build()?;
        for verb in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"] {
            let verb = Method::from_bytes(verb.as_bytes())?;
            let request = client.request(verb.clone(), url("/two-legged?q=1"));
            let response = request.send().await?;
            assert_eq!(response.status(), 200, "{verb} {placement:?}");
        }
    }
    let client = builder("verbs").realm("photos").build()?;
    let token = log_in(&client).await?;
    let answer = client.for_token(token).get(url("/api/me")).send().await?;
    assert_eq!(answer.status(), 200);
    Ok(())
}

#[maybe_async]
#[test]
async fn what_the_server_refuses_comes_out() -> TestResult {
    register("refused").await?;
    let problem = |problem: &str| ErrorCode::Other(problem.to_owned());

    let forger = builder("refused").client_secret("guess").build()?;
    let error = forger.request_temporary_credentials().await.unwrap_err();
    assert_eq!(error.code(), Some(&problem("signature_invalid")));
    assert_eq!(error.status().map(|status| status.as_u16()), Some(401));
    let stranger = builder("nobody").build()?;
    let error = stranger.request_temporary_credentials().await.unwrap_err();
    assert_eq!(error.code(), Some(&problem("consumer_key_unknown")));
    let hour = std::time::Duration::from_secs(3600);
    let late = builder("refused")
        .clock(Clock::from_fn(move || std::time::SystemTime::now() - hour))
        .build()?;
    let error = late.request_temporary_credentials().await.unwrap_err();
    assert_eq!(error.code(), Some(&problem("timestamp_refused")));

    // A verifier is good for one exchange.
    let client = builder("refused").build()?;
    let temporary = client.request_temporary_credentials().await?;
    let callback = visit(client.authorization_url(&temporary)?).await?;
    let copy: TemporaryCredentials = serde_json::from_str(&serde_json::to_string(&temporary)?)?;
    client
        .exchange(temporary.authorization_response(&callback)?)
        .await?;
    let again = copy.authorization_response(&callback)?;
    let error = client.exchange(again).await.unwrap_err();
    assert_eq!(error.code(), Some(&problem("token_rejected")));

    let temporary = client.request_temporary_credentials().await?;
    visit(client.authorization_url(&temporary)?).await?;
    let guess = temporary.verifier("1234567890123456")?;
    let error = client.exchange(guess).await.unwrap_err();
    assert_eq!(error.code(), Some(&problem("verifier_invalid")));
    assert_eq!(error.kind(), ErrorKind::Server);

    let temporary = client.request_temporary_credentials().await?;
    let mut denied = client.authorization_url(&temporary)?;
    denied.query_pairs_mut().append_pair("deny", "1");
    let callback = visit(denied).await?;
    let error = temporary.authorization_response(&callback).unwrap_err();
    assert_eq!(error.code(), Some(&problem("permission_denied")));

    // An API call that is refused is the caller's to read.
    let strange = client.for_token(TokenCredentials::new("a-token-of-nobody-here", "s"));
    let response = strange.get(url("/api/me")).send().await?;
    assert_eq!(response.status(), 401);
    let text = response.text().await?;
    assert_eq!(text, "oauth_problem=token_rejected");
    Ok(())
}

/// The server remembers nonces, so that this shows that ours are new each time.
#[maybe_async]
#[test]
async fn a_replayed_nonce_is_refused() -> TestResult {
    register("replay").await?;
    let token = log_in(&builder("replay").build()?).await?;
    let api = url("/api/me");
    let signer = Signer::new("replay")
        .client_secret(SECRET)
        .credentials(&token);
    let signed = signer.sign(&Method::GET, &api, &HeaderMap::new(), "")?;
    let header = signed.authorization.expect("a header");
    for (status, body) in [(200, None), (401, Some("oauth_problem=nonce_used"))] {
        let mut request = http::Request::new(Method::GET, api.parse()?);
        request
            .headers_mut()
            .insert("authorization", header.clone());
        let response = unfollowing_client().execute(request).await?;
        assert_eq!(response.status(), status);
        let text = response.text().await?;
        assert!(body.is_none_or(|body| text == body), "{text}");
    }
    let before = count("replay", "nonce_used").await?;
    let client = builder("replay").token(token).build()?;
    for _ in 0..20 {
        let response = client.get(&api).send().await?;
        assert_eq!(response.status(), 200);
    }
    let after = count("replay", "nonce_used").await?;
    // The other mode may have replayed one, too.
    assert!(
        (1..=2).contains(&before) && after - before < 2,
        "{before}, {after}"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn redirects_are_signed_anew_within_the_origin() -> TestResult {
    register("redirects").await?;
    let token = log_in(&builder("redirects").build()?).await?;
    let elsewhere = url("/api/me").replace("127.0.0.1", "localhost");
    for (placement, _) in PLACEMENTS {
        let builder = || {
            builder("redirects")
                .token(token.clone())
                .signature_type(placement)
        };
        let still = builder().build()?;
        let following = builder().follow_same_origin_redirects(true).build()?;
        for status in [301, 302, 303, 307, 308] {
            let redirect = |to: &str| -> Result<Url, Box<dyn std::error::Error>> {
                let base = url(&format!("/redirect/{status}"));
                Ok(Url::parse_with_params(&base, [("to", to)])?)
            };
            let request = still.post(redirect("/api/me")?).form(&FORM);
            let response = request.send().await?;
            assert_eq!(response.status(), status);
            let request = following.post(redirect("/api/me?q=%20")?).form(&FORM);
            let response = request.send().await?;
            assert_eq!(response.status(), 200, "{status} {placement:?}");
            let answer: Value = response.json().await?;
            assert_eq!(answer["method"], if status < 304 { "GET" } else { "POST" });
            let request = following.post(redirect(&elsewhere)?).form(&FORM);
            let response = request.send().await?;
            assert_eq!(response.status(), status);
        }
    }
    let replayed = count("redirects", "nonce_used").await?;
    assert_eq!(replayed, 0);
    Ok(())
}
