//! Placement of the token in a request: header, query or body.

use oauth_twin::{ErrorKind, oauth2::TokenPlacement, reqwest::Method};

use super::{test, *};

fn client(server: &Server, placement: TokenPlacement) -> OAuth2Client {
    builder(server)
        .token(Token::new("t+0").with_refresh_token("r0"))
        .token_placement(placement)
        .build()
        .expect("a client")
}

#[maybe_async]
#[test]
async fn a_token_in_the_query_keeps_the_other_parameters() -> TestResult {
    let server = provider(600);
    let client = client(&server, TokenPlacement::Query);
    client
        .get(server.url("/api?q=1%202&r=a+b&e"))
        .send()
        .await?;
    let sent = &server.requests("/api")[0];
    assert_eq!(sent.query, "q=1%202&r=a+b&e&access_token=t%2B0");
    assert_eq!(sent.header("authorization"), None);
    assert_eq!(sent.header("cache-control"), Some("no-store"));

    let error = client
        .get(server.url("/api?access_token=x"))
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert_eq!(server.count("/api"), 1);
    let mut request = http::Request::new(Method::GET, server.url("/own").parse()?);
    client.authorize(&mut request).await?;
    assert_eq!(request.url().query(), Some("access_token=t%2B0"));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_in_the_body_of_a_form() -> TestResult {
    let server = provider(600);
    let client = client(&server, TokenPlacement::Body);
    let url = server.url("/api");
    client.post(&url).form(&[("a", "1 2")]).send().await?;
    client.put(&url).send().await?;
    client
        .post(&url)
        .header(
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        )
        .body("raw=%20+")
        .send()
        .await?;
    let sent = server.requests("/api");
    let forms: Vec<_> = sent.iter().map(Request::form).collect();
    assert_eq!(
        forms,
        [
            "a=1+2&access_token=t%2B0",
            "access_token=t%2B0",
            "raw=%20+&access_token=t%2B0"
        ]
    );
    for sent in &sent {
        let content_type = sent.header("content-type").unwrap();
        assert!(content_type.starts_with("application/x-www-form-urlencoded"));
        assert_eq!(sent.header("authorization"), None);
        let length = sent.body.len().to_string();
        assert_eq!(sent.header("content-length"), Some(&*length));
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn other_bodies_are_an_error_and_are_not_sent() -> TestResult {
    let server = provider(600);
    let client = client(&server, TokenPlacement::Body);
    let url = server.url("/api");
    let requests = [
        client.post(&url).json(&json!({"a": 1})),
        client.post(&url).body("text"),
        client
            .post(&url)
            .multipart(http::Form::new().text("a", "1")),
        client.get(&url),
        client.head(&url),
        client.get(&url).form(&[("a", "1")]),
        client.post(&url).header("content-type", "application/json"),
        client
            .post(&url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(streaming_body(10)),
        client.post(&url).form(&[("access_token", "mine")]),
    ];
    for request in requests {
        let error = request.send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
    }
    assert_eq!(server.count("/api"), 0);
    let mut request = http::Request::new(Method::POST, url.parse()?);
    *request.body_mut() = Some("untouched".into());
    client.authorize(&mut request).await.unwrap_err();
    assert_eq!(
        request.body().and_then(http::Body::as_bytes),
        Some(&b"untouched"[..])
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn a_refused_token_is_replaced_where_it_stands() -> TestResult {
    for placement in [TokenPlacement::Query, TokenPlacement::Body] {
        let server = Server::start(|request: &Request| match &*request.path {
            "/token" => Reply::json(200, tokens(1, 600)),
            _ => {
                let sent = format!("{}{}", request.query, request.form());
                Reply::text(
                    if sent.contains("access_token=t1") {
                        200
                    } else {
                        401
                    },
                    sent,
                )
            }
        });
        let client = client(&server, placement);
        let response = client
            .post(server.url("/api"))
            .form(&[("a", "b")])
            .send()
            .await?;
        let text = response.error_for_status()?.text().await?;
        assert_eq!(text.matches("access_token").count(), 1, "{text}");
        assert_eq!(server.count("/api"), 2);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_outside_of_the_header_is_not_redirected_out_of_its_origin() -> TestResult {
    for placement in [TokenPlacement::Query, TokenPlacement::Body] {
        for status in [302, 307] {
            let other = std::sync::Arc::new(provider(600));
            let elsewhere = other.url("/elsewhere");
            let server = Server::start(move |request: &Request| match &*request.path {
                "/out" => Reply::text(status, "").with("location", &elsewhere),
                "/within" => Reply::text(307, "").with("location", "/api"),
                _ => Reply::text(200, request.form()),
            });
            let client = client(&server, placement);
            let response = client
                .post(server.url("/out"))
                .form(&[("a", "b")])
                .send()
                .await?;
            assert_eq!(response.status(), status, "it is the caller's");
            assert_eq!(other.count("/elsewhere"), 0);
            let response = client
                .post(server.url("/within"))
                .form(&[("a", "b")])
                .send()
                .await?;
            assert_eq!(response.status(), 200);
        }
    }
    Ok(())
}
