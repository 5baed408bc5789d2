//! OAuth 1.0: what is signed is what is sent, and nothing of it is lost.

use std::collections::HashSet;

use oauth_twin::{
    Error, ErrorKind,
    oauth1::{SignatureMethod, SignatureType, TokenCredentials},
    reqwest::{
        Method,
        header::{AUTHORIZATION, CONTENT_TYPE, HOST},
    },
};

use super::{
    support::signature::{Found, verify},
    test, *,
};

pub const PLACEMENTS: [SignatureType; 3] = [
    SignatureType::Header,
    SignatureType::Query,
    SignatureType::Body,
];

/// The findings of a server that knows only the request; none if it is not signed. The secret of
/// the client is `secret`, that of a token is the result of `secret_of`.
pub fn found(request: &Request, secret_of: impl Fn(Option<&str>) -> String) -> Option<Found> {
    let host = request.header("host").expect("a host");
    let query = match &*request.query {
        "" => String::new(),
        query => format!("?{query}"),
    };
    let url = format!("http://{host}{}{query}", request.path);
    let content_type = request.header("content-type").unwrap_or_default();
    let form = match content_type.starts_with("application/x-www-form-urlencoded") {
        true => request.form(),
        false => String::new(),
    };
    let found = |secret: &str| {
        let authorization = request.header("authorization");
        verify(
            &request.method,
            &url,
            authorization,
            &form,
            ["secret", secret],
        )
    };
    let token = found("")?.own("oauth_token").map(str::to_owned);
    found(&secret_of(token.as_deref()))
}

/// The same, for the token of these tests.
pub fn of_token(request: &Request) -> Found {
    found(request, |_| "token secret".to_owned()).expect("a signature")
}

fn ok() -> Server {
    Server::start(|_: &Request| Reply::text(200, "ok"))
}

pub fn builder() -> OAuth1ClientBuilder {
    OAuth1Client::builder("key")
        .client_secret("secret")
        .token(TokenCredentials::new("a token", "token secret"))
}

#[maybe_async]
#[test]
async fn every_verb_in_every_placement() -> TestResult {
    let server = ok();
    for placement in PLACEMENTS {
        let client = builder().signature_type(placement).build()?;
        for request in every_verb!(client, &server.url("/verbs?a=1")) {
            request.send().await?.error_for_status()?;
        }
    }
    let requests = server.requests("/verbs");
    assert_eq!(requests.len(), 24);
    let mut nonces = HashSet::new();
    for request in &requests {
        let found = of_token(request);
        assert!(found.verified, "{request:?}");
        assert_eq!(found.own("oauth_token"), Some("a token"));
        assert_eq!(found.parameters, [("a".to_owned(), "1".to_owned())]);
        let nonce = found.own("oauth_nonce").expect("a nonce").to_owned();
        assert!(nonce.len() >= 20, "128 bits: {nonce}");
        assert!(nonces.insert(nonce), "a nonce is used once");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn the_query_is_signed_as_it_is_sent() -> TestResult {
    let server = ok();
    for placement in PLACEMENTS {
        let client = builder().signature_type(placement).build()?;
        for query in [
            "a=1+2&b=%20&c=%2B",
            "empty=&bare&=nameless",
            "a=2&a=1&a=2",
            "u=%C3%A4&v=%e2%98%83",
            "raw=\u{e4}\u{2603}",
            "x='a'&y=[1]&z=$!*()",
            "twice=%2525&once=%25",
            "url=https://a.example/?b=c",
            "",
        ] {
            let url = server.url(&format!("/query/a;b=c/%7E%20~?{query}"));
            let response = client.post(url).send().await?;
            assert_eq!(response.status(), 200);
        }
        // What reqwest itself adds to the query.
        let request = client.get(server.url("/query?a=1"));
        request.query(&[("b", "1 2"), ("b", "&=+")]).send().await?;
    }
    for request in server.requests("/query/a;b=c/%7E%20~") {
        assert!(of_token(&request).verified, "{}", request.query);
    }
    let added = server.requests("/query");
    assert_eq!(added.len(), 3);
    for request in added {
        let found = of_token(&request);
        assert!(found.verified, "{}", request.query);
        assert!(request.query.starts_with("a=1&b=1+2&b=%26%3D%2B"));
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_form_is_signed_and_sent_as_it_is() -> TestResult {
    let server = ok();
    let form = [
        ("a", "1 2"),
        ("b", "x&y=\u{e4}"),
        ("a", ""),
        ("percent", "%20"),
    ];
    for placement in PLACEMENTS {
        let client = builder().signature_type(placement).build()?;
        let url = server.url("/form?a=0");
        client.post(&url).form(&form).send().await?;
        client
            .put(&url)
            .header(
                CONTENT_TYPE,
                "application/x-www-form-urlencoded; charset=UTF-8",
            )
            .body("a=1+2&b=x%26y%3D%C3%A4&a=&percent=%2520")
            .send()
            .await?;
    }
    let requests = server.requests("/form");
    assert_eq!(requests.len(), 6);
    for (n, request) in requests.iter().enumerate() {
        let found = of_token(request);
        assert!(found.verified, "{request:?}");
        let mut sent = vec![("a".to_owned(), "0".to_owned())];
        sent.extend(form.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(found.parameters, sent);
        assert!(
            request
                .form()
                .starts_with("a=1+2&b=x%26y%3D%C3%A4&a=&percent=%2520")
        );
        let content_type = request.header("content-type").unwrap();
        assert_eq!(content_type.ends_with("charset=UTF-8"), n % 2 == 1);
        let length = request.header("content-length").unwrap();
        assert_eq!(length, request.body.len().to_string());
    }
    Ok(())
}

/// Authlib loses or destroys such bodies.
#[maybe_async]
#[test]
async fn a_body_that_is_no_form_is_never_lost_or_changed() -> TestResult {
    let server = ok();
    let binary: Vec<u8> = (0..=255).collect();
    for placement in [SignatureType::Header, SignatureType::Query] {
        for hashed in [false, true] {
            let client = builder()
                .signature_type(placement)
                .force_include_body(hashed)
                .build()?;
            let url = server.url("/body");
            client
                .post(&url)
                .json(&json!({"a": "b=c&d"}))
                .send()
                .await?;
            client.post(&url).body(binary.clone()).send().await?;
            client
                .patch(&url)
                .header(CONTENT_TYPE, "text/plain")
                .body("a=b")
                .send()
                .await?;
            if !hashed {
                let form = http::Form::new().text("name", "value");
                client.post(&url).multipart(form).send().await?;
                client
                    .put(&url)
                    .body(streaming_body(100_000))
                    .send()
                    .await?;
            }
        }
    }
    let requests = server.requests("/body");
    assert_eq!(requests.len(), 2 * (5 + 3));
    for request in &requests {
        assert!(of_token(request).verified, "{request:?}");
    }
    for (n, hashed) in [(0, false), (5, true), (8, false), (13, true)] {
        assert_eq!(requests[n].form(), r#"{"a":"b=c&d"}"#);
        assert_eq!(requests[n].header("content-type"), Some("application/json"));
        assert_eq!(requests[n + 1].body, binary);
        assert_eq!(requests[n + 2].form(), "a=b");
        for request in &requests[n..n + 3] {
            let hash = of_token(request);
            let hash = hash.own("oauth_body_hash");
            let digest =
                ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &request.body);
            let expected = {
                use base64::Engine as _;
                base64::engine::general_purpose::STANDARD.encode(digest)
            };
            assert_eq!(hash, hashed.then_some(&*expected));
        }
        if !hashed {
            assert!(requests[n + 3].form().contains("value"));
            assert_eq!(requests[n + 4].body, vec![b'x'; 100_000]);
        }
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_body_that_cannot_be_signed_is_an_error_and_is_not_sent() -> TestResult {
    let server = ok();
    let url = server.url("/");
    let in_body = builder().signature_type(SignatureType::Body).build()?;
    let hashing = builder().force_include_body(true).build()?;
    let form = "application/x-www-form-urlencoded";
    for request in [
        in_body.post(&url).json(&json!({"a": 1})),
        in_body.post(&url).body("a=b"),
        in_body.post(&url).body(streaming_body(10)),
        in_body
            .post(&url)
            .multipart(http::Form::new().text("a", "b")),
        hashing.post(&url).body(streaming_body(10)),
        hashing
            .post(&url)
            .multipart(http::Form::new().text("a", "b")),
        builder()
            .build()?
            .post(&url)
            .header(CONTENT_TYPE, form)
            .body(streaming_body(10)),
    ] {
        let error = request.send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        let says = error.to_string();
        assert!(
            says.contains("stream") || says.contains("form body"),
            "{says}"
        );
    }
    assert_eq!(server.requests_in_all(), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn credentials_already_in_the_request_are_an_error() -> TestResult {
    let server = ok();
    let url = server.url("/");
    let client = builder().build()?;
    let in_query = builder().signature_type(SignatureType::Query).build()?;
    let with_user = url.replace("http://", "http://user:pass@");
    for request in [
        client.get(&url).header(AUTHORIZATION, "Bearer mine"),
        client.get(with_user),
        client.get(format!("{url}?oauth_token=mine")),
        client.post(&url).form(&[("oauth_nonce", "1")]),
        in_query.get(format!("{url}?oauth_token=mine")),
        in_query
            .get(&url)
            .header(AUTHORIZATION, "OAuth oauth_token=\"mine\""),
    ] {
        let error = request.send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    }
    assert_eq!(server.requests_in_all(), 0);
    // Another scheme beside a signature that stands elsewhere is the caller's own business.
    let request = in_query.get(&url).header(AUTHORIZATION, "Bearer mine");
    let response = request.send().await?;
    assert_eq!(response.status(), 200);
    assert!(of_token(&server.requests("/")[0]).verified);
    Ok(())
}

#[maybe_async]
#[test]
async fn without_a_token_the_client_signs_for_itself() -> TestResult {
    let server = ok();
    let client = OAuth1Client::builder("key")
        .client_secret("secret")
        .build()?;
    client.get(server.url("/two-legged")).send().await?;
    let request = &server.requests("/two-legged")[0];
    let found = found(request, |_| String::new()).expect("a signature");
    assert!(found.verified);
    assert_eq!(found.own("oauth_token"), None);

    client.set_token(TokenCredentials::new("a token", "token secret"))?;
    client.get(server.url("/three-legged")).send().await?;
    assert!(of_token(&server.requests("/three-legged")[0]).verified);

    let request = client.get(server.url("/unsigned")).withhold_token();
    request.send().await?;
    let request = &server.requests("/unsigned")[0];
    assert_eq!(request.header("authorization"), None);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_host_header_of_the_caller_s_own_is_signed() -> TestResult {
    let server = ok();
    let client = builder().build()?;
    let request = client
        .get(server.url("/host"))
        .header(HOST, "API.example:80");
    request.send().await?;
    let request = &server.requests("/host")[0];
    assert_eq!(request.header("host"), Some("API.example:80"));
    assert!(of_token(request).verified);
    Ok(())
}

#[maybe_async]
#[test]
async fn addresses_of_version_6_are_signed_with_their_port() -> TestResult {
    let listener = std::net::TcpListener::bind("[::1]:0")?;
    let server = Server::start_on(
        listener,
        |_: &Request| Reply::text(200, "ok"),
        |stream| Some(Box::new(stream)),
    );
    let client = builder().build()?;
    let url = format!("http://[::1]:{}/six", server.address().port());
    client.get(url).send().await?;
    assert!(of_token(&server.requests("/six")[0]).verified);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_request_of_another_client_is_signed() -> TestResult {
    let server = ok();
    for placement in PLACEMENTS {
        let client = builder().signature_type(placement).build()?;
        let url = server.url("/own?a=b");
        let mut request = http::Request::new(Method::POST, url.parse()?);
        client.authorize(&mut request)?;
        own_client().execute(request).await?;
    }
    let requests = server.requests("/own");
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| of_token(request).verified));
    let mut request = http::Request::new(Method::GET, "http://api.example/".parse()?);
    let error = builder().build()?.authorize(&mut request).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(request.headers().is_empty());
    Ok(())
}

#[maybe_async]
#[test]
async fn signatures_go_only_over_https_or_loopback() -> TestResult {
    for method in [SignatureMethod::HmacSha1, SignatureMethod::Plaintext] {
        let client = builder().signature_method(method).build()?;
        for url in INSECURE_URLS {
            let error = client.get(url).send().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{url}");
            assert!(error.to_string().contains("https"), "{error}");
        }
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn plaintext_realm_and_custom_methods() -> TestResult {
    let server = ok();
    let client = builder()
        .signature_method(SignatureMethod::Plaintext)
        .realm("a \"b\\c\"")
        .build()?;
    client.get(server.url("/plaintext")).send().await?;
    let request = &server.requests("/plaintext")[0];
    let header = request.header("authorization").unwrap();
    assert!(
        header.starts_with(r#"OAuth realm="a \"b\\c\"", "#),
        "{header}"
    );
    assert!(header.contains(r#"oauth_signature="secret%26token%2520secret""#));
    assert!(header.contains("oauth_nonce="));

    let own = SignatureMethod::from_fn("X-OWN", |base_string, _| {
        Ok(format!("{} bytes", base_string.len()))
    });
    let client = builder().signature_method(own).build()?;
    client.get(server.url("/own-method")).send().await?;
    let header = server.requests("/own-method")[0]
        .header("authorization")
        .unwrap()
        .to_owned();
    assert!(header.contains("%20bytes"), "{header}");

    let failing = SignatureMethod::from_fn("X-OWN", |_, _| Err("no key".into()));
    let client = builder().signature_method(failing).build()?;
    let error = client.get(server.url("/failing")).send().await.unwrap_err();
    assert!(cause(&error).contains("no key"));
    assert_eq!(server.count("/failing"), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn timestamps_come_from_the_clock() -> TestResult {
    let server = ok();
    let clock = ManualClock::new();
    let client = builder().clock(clock.clock()).build()?;
    for _ in 0..2 {
        client.get(server.url("/clock")).send().await?;
        clock.advance(std::time::Duration::from_secs(100));
    }
    let sent: Vec<u64> = server
        .requests("/clock")
        .iter()
        .map(|request| {
            of_token(request)
                .own("oauth_timestamp")
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    assert_eq!(sent[1], sent[0] + 100);
    Ok(())
}

#[maybe_async]
#[test]
async fn many_at_once_use_no_nonce_twice() -> TestResult {
    let server = ok();
    let client = builder().build()?;
    let url = server.url("/nonces");
    at_once(50, |_| {
        let (client, url) = (client.clone(), url.clone());
        async move {
            client.get(url).send().await.expect("an answer");
        }
    })
    .await;
    let nonces: HashSet<_> = server
        .requests("/nonces")
        .iter()
        .map(|request| of_token(request).own("oauth_nonce").map(str::to_owned))
        .collect();
    assert_eq!(nonces.len(), 50);
    Ok(())
}

#[maybe_async]
#[test]
async fn errors_of_reqwest_s_builder_come_out() -> TestResult {
    let client = builder().build()?;
    let error: Error = client.get("/relative").send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_get_has_no_length() -> TestResult {
    let server = ok();
    for placement in [SignatureType::Header, SignatureType::Query] {
        let client = builder().signature_type(placement).build()?;
        client.get(server.url("/length")).send().await?;
    }
    for request in server.requests("/length") {
        assert_eq!(request.header("content-length"), None);
        assert_eq!(request.header("content-type"), None);
    }
    Ok(())
}
