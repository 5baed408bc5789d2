//! Requests to an API: reqwest's own, unchanged except for the token in the header.

use std::{io::Write as _, time::Duration};

use oauth_twin::{
    ErrorKind,
    reqwest::{
        Method, Version,
        header::{HeaderMap, HeaderName, HeaderValue},
    },
};

use super::{test, *};

/// A server that answers with what it got.
fn echo() -> Server {
    Server::start(|request: &Request| {
        Reply::json(
            200,
            json!({
                "method": request.method,
                "query": request.query,
                "headers": request.headers,
                "body": String::from_utf8_lossy(&request.body),
            }),
        )
    })
}

fn client(token: &str) -> OAuth2Client {
    OAuth2Client::builder("id")
        .token(Token::new(token))
        .build()
        .expect("a client")
}

#[maybe_async]
#[test]
async fn reqwest_s_own_methods() -> TestResult {
    let server = echo();
    let client = client("t");
    let url = server.url("/");
    let mut headers = HeaderMap::new();
    headers.insert("x-one", HeaderValue::from_static("1"));
    let requests = [
        client
            .get(&url)
            .query(&[("a", "1 2"), ("b", "&")])
            .query(&[("c", 3)]),
        client.post(&url).json(&json!({"a": 1})),
        client.post(&url).form(&[("a", "1 2")]),
        client.post(&url).body("plain"),
        client.get(&url).header("x-two", "2").headers(headers),
        client
            .get(&url)
            .timeout(Duration::from_secs(20))
            .version(Version::HTTP_11),
        client
            .post(&url)
            .multipart(http::Form::new().text("name", "value")),
        client
            .get(&url)
            .reqwest(|builder| builder.header("x-three", "3")),
    ];
    for request in requests {
        request.send().await?.error_for_status()?;
    }
    let sent = server.requests("/");
    assert_eq!(sent[0].query, "a=1+2&b=%26&c=3");
    assert_eq!(
        (sent[1].form(), sent[1].header("content-type")),
        (r#"{"a":1}"#.into(), Some("application/json"))
    );
    assert_eq!(sent[2].form(), "a=1+2");
    assert_eq!(sent[3].form(), "plain");
    assert_eq!(
        (sent[4].header("x-one"), sent[4].header("x-two")),
        (Some("1"), Some("2"))
    );
    assert!(
        sent[6]
            .header("content-type")
            .unwrap()
            .starts_with("multipart/form-data")
    );
    assert!(sent[6].form().contains("value"));
    assert_eq!(sent[7].header("x-three"), Some("3"));
    assert!(
        sent.iter()
            .all(|request| request.header("authorization") == Some("Bearer t"))
    );
    Ok(())
}

/// The connections know what the client knows of redirects and certificates.
#[maybe_async]
#[test]
async fn a_request_is_sent_on_the_connections_of_the_client_whoever_has_built_it() -> TestResult {
    let server = echo();
    // Default headers are added when a request is sent.
    let headers = HeaderMap::from_iter([(
        HeaderName::from_static("x-other"),
        HeaderValue::from_static("1"),
    )]);
    let other = crate::mode::own_client_with(|builder| builder.default_headers(headers));
    let client = client("t");
    let url = server.url("/");
    let request = client.get(&url).reqwest(|_| other.get(&url));
    request.send().await?.error_for_status()?;
    let sent = &server.requests("/")[0];
    assert_eq!(sent.header("authorization"), Some("Bearer t"));
    assert_eq!(sent.header("x-other"), None);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_request_that_reqwest_refuses_is_a_usage_error() -> TestResult {
    let server = provider(600);
    let client = with_credentials(&server).build()?;
    let errors = [
        client.get("not a url").send().await.unwrap_err(),
        client.get("/relative").send().await.unwrap_err(),
        client
            .get(server.url("/"))
            .header("bad name", "x")
            .send()
            .await
            .unwrap_err(),
        client
            .get(server.url("/"))
            .header("x", "bad\nvalue")
            .send()
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Usage, "{error:?}");
        assert!(std::error::Error::source(&error).is_some());
    }
    assert_eq!(server.count("/token"), 0, "no token is fetched for it");
    Ok(())
}

#[maybe_async]
#[test]
async fn an_authorization_of_the_caller_s_own_is_an_error() -> TestResult {
    let server = provider(600);
    let client = with_credentials(&server).build()?;
    let with_user = server.url("/").replace("http://", "http://user:pass@");
    let requests = [
        client
            .get(server.url("/"))
            .header("Authorization", "Basic x"),
        client
            .get(server.url("/"))
            .reqwest(|builder| builder.bearer_auth("mine")),
        client
            .get(server.url("/"))
            .reqwest(|builder| builder.basic_auth("me", Some("x"))),
        client.get(with_user),
    ];
    for request in requests {
        let error = request.send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("Authorization"), "{error}");
    }
    assert_eq!(
        server.count("/") + server.count("/token"),
        0,
        "nothing is sent"
    );
    let text = client
        .get(server.url("/"))
        .header("Authorization", "Basic mine")
        .withhold_token()
        .send()
        .await?
        .text()
        .await?;
    assert_eq!((&*text, server.count("/token")), ("Basic mine", 0));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_is_withheld_when_asked() -> TestResult {
    let server = provider(600);
    let client = with_credentials(&server).build()?;
    let text = client
        .get(server.url("/"))
        .withhold_token()
        .send()
        .await?
        .text()
        .await?;
    assert_eq!((&*text, server.count("/token")), ("", 0));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_goes_only_over_https_or_loopback() -> TestResult {
    let client = client("t");
    for url in INSECURE_URLS {
        let error = client.get(url).send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{url}");
        assert!(error.to_string().contains("https"), "{error}");
        let mut request = http::Request::new(Method::GET, url.parse()?);
        let error = client.authorize(&mut request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{url}");
        assert!(request.headers().is_empty());
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_that_no_header_can_carry_is_an_error_that_does_not_show_it() -> TestResult {
    let server = provider(600);
    for token in [
        Token::new("hunter2\nx: y"),
        Token::new("hunter2 "),
        Token::new("hunter\u{fc}2"),
        Token::new(""),
        Token::new("hunter2").with_token_type("mac"),
        Token::new("hunter2").with_token_type("DPoP"),
    ] {
        let client = builder(&server).token(token).build()?;
        let error = client.get(server.url("/")).send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(
            !format!("{error} {error:?}").contains("hunter"),
            "{error:?}"
        );
    }
    assert_eq!(server.count("/"), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn bodies_stream_in_both_directions() -> TestResult {
    const SIZE: usize = 3_000_000;
    let server = Server::start(|request: &Request| Reply::text(200, request.body.clone()));
    let client = client("t");
    let response = client
        .post(server.url("/"))
        .body(streaming_body(SIZE))
        .send()
        .await?;
    let request = &server.requests("/")[0];
    assert_eq!(
        request.header("transfer-encoding"),
        Some("chunked"),
        "it was not buffered"
    );
    assert_eq!(request.header("authorization"), Some("Bearer t"));
    assert_eq!(request.body.len(), SIZE);
    let received = received(response).await;
    assert_eq!(received, SIZE);
    Ok(())
}

#[maybe_async]
#[test]
async fn debug_tells_no_secret() -> TestResult {
    let client = OAuth2Client::builder("id")
        .client_secret("hunter2")
        .token_endpoint("https://id.example/token")
        .token(Token::new("hunter2"))
        .build()?;
    let request = client.get("https://a.example/?access_token=hunter2");
    let name = CLIENT.replace("OAuth2Client", "RequestBuilder");
    assert_eq!(
        format!("{request:?}"),
        format!("{name} {{ withhold_token: false, .. }}")
    );
    assert_eq!(
        format!("{client:?}"),
        format!(
            "{CLIENT}(Open {{ client: ClientRegistration {{ client_id: \"id\", \
             client_secret: Some([redacted]), redirect_uris: [], scope: None, resource: [], \
             external_key: None }}, server: AuthorizationServer {{ issuer: None, \
             token_endpoint: Some(\"https://id.example/token\"), members: [\"token_endpoint\"] }}, \
             token: Some(Token {{ access_token: [redacted], token_type: \"Bearer\", refresh_token: None, \
             id_token: None, scope: None, expires_at: None, issued_at: None, \
             refresh_parameters: {{}}, other members: [] \
             }}) }})"
        )
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn a_user_agent_of_ones_own_is_the_only_one() -> TestResult {
    let server = Server::start(|_: &Request| Reply::text(200, ""));
    let (client, url) = (client("t"), server.url("/api"));
    client.get(&url).header("User-Agent", "own").send().await?;
    let mut headers = HeaderMap::new();
    headers.insert("user-agent", HeaderValue::from_static("own"));
    client.get(&url).headers(headers).send().await?;
    client.get(&url).send().await?;
    client.get(&url).withhold_token().send().await?;
    for (n, expected) in ["own", "own", "oauth-twin/", "oauth-twin/"]
        .into_iter()
        .enumerate()
    {
        let sent = server.requests("/api").swap_remove(n);
        let is_agent = |(name, _): &&(String, String)| name.eq_ignore_ascii_case("user-agent");
        let agents: Vec<_> = sent.headers.iter().filter(is_agent).collect();
        assert_eq!(agents.len(), 1, "{n}");
        assert!(agents[0].1.starts_with(expected), "{n}: {}", agents[0].1);
    }
    Ok(())
}

/// The limit of an endpoint's response would cut an event stream off.
#[maybe_async]
#[test]
async fn an_event_stream_may_be_silent_for_longer_than_an_endpoint() -> TestResult {
    const LIMIT: Duration = Duration::from_millis(50);
    let server = Server::start(|_: &Request| {
        Reply::raw(|stream| {
            stream.write_all(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n\
                data: 1\n\n",
            )?;
            stream.flush()?;
            std::thread::sleep(LIMIT * 10);
            stream.write_all(b"data: 2\n\n")
        })
    });
    let client = OAuth2Client::builder("id")
        .token(Token::new("t"))
        .token_endpoint(server.url("/token"))
        .timeout(LIMIT)
        .build()?;
    let events = client.get(server.url("/events")).send().await?;
    let events = events.text().await?;
    assert_eq!(events, "data: 1\n\ndata: 2\n\n");
    // The same silence of an endpoint is too long.
    let error = client.fetch_token(ClientCredentials::new()).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Transport);
    Ok(())
}
