//! OAuth 1.0: a signature is good for one request, and so is not sent along with a redirect.

use oauth_twin::{oauth1::SignatureMethod, reqwest::header::CONTENT_TYPE};

use super::{
    oauth1_requests::{PLACEMENTS, builder, of_token},
    test, *,
};

/// Redirects `/<status>` to `to`, and takes everything else.
fn redirecting(to: &str) -> Server {
    let to = to.to_owned();
    Server::start(move |request: &Request| match request.path[1..].parse() {
        Ok(status) => Reply::text(status, "").with("location", &to),
        Err(_) => Reply::text(200, "there"),
    })
}

#[maybe_async]
#[test]
async fn no_redirect_is_followed_unless_asked() -> TestResult {
    let elsewhere = redirecting("/there");
    for to in ["/there".to_owned(), elsewhere.url("/there")] {
        let server = redirecting(&to);
        for method in [SignatureMethod::HmacSha1, SignatureMethod::Plaintext] {
            let client = builder().signature_method(method).build()?;
            for status in [301, 302, 303, 307, 308] {
                let url = server.url(&format!("/{status}"));
                let response = client.get(url).send().await?;
                assert_eq!(response.status(), status);
                assert_eq!(response.headers()["location"], &*to);
            }
        }
        assert_eq!(server.count("/there"), 0);
    }
    assert_eq!(
        elsewhere.requests_in_all(),
        0,
        "no secret is shown elsewhere"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn within_the_origin_each_hop_is_signed_anew() -> TestResult {
    let server = redirecting("/there?b=%20&a=1");
    for placement in PLACEMENTS {
        let client = builder()
            .signature_type(placement)
            .follow_same_origin_redirects(true)
            .build()?;
        for (status, method) in [
            (301, "GET"),
            (302, "GET"),
            (303, "GET"),
            (307, "POST"),
            (308, "POST"),
        ] {
            let before = server.count("/there");
            let path = format!("/{status}");
            let request = client.post(server.url(&path)).form(&[("field", "value")]);
            let text = request.send().await?.text().await?;
            assert_eq!(text, "there");
            let first = server.requests(&path).pop().unwrap();
            let second = &server.requests("/there")[before];
            assert_eq!(second.method, method);
            assert_eq!(second.form().starts_with("field=value"), method == "POST");
            let [first, second] = [&first, second].map(of_token);
            assert!(first.verified && second.verified);
            assert_ne!(first.own("oauth_nonce"), second.own("oauth_nonce"));
        }
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_head_stays_one() -> TestResult {
    let server = redirecting("/there");
    let client = builder().follow_same_origin_redirects(true).build()?;
    let response = client.head(server.url("/303")).send().await?;
    assert_eq!(response.status(), 200);
    assert_eq!(server.requests("/there")[0].method, "HEAD");
    Ok(())
}

#[maybe_async]
#[test]
async fn no_redirect_out_of_the_origin_is_followed_even_if_enabled() -> TestResult {
    let elsewhere = redirecting("/there");
    let port = elsewhere.address().port();
    for to in [
        elsewhere.url("/there"),
        format!("http://localhost:{port}/there"),
        "https://127.0.0.1/there".to_owned(),
        format!("//127.0.0.1:{port}/there"),
        "ftp://127.0.0.1/".to_owned(),
        "http://[".to_owned(),
    ] {
        let server = redirecting(&to);
        let own = server.url("").replace("http://", "http://user:pass@");
        for to in [to.clone(), own] {
            let server = redirecting(&to);
            let client = builder()
                .signature_method(SignatureMethod::Plaintext)
                .follow_same_origin_redirects(true)
                .build()?;
            let response = client.get(server.url("/307")).send().await?;
            assert_eq!(response.status(), 307, "{to}");
        }
    }
    assert_eq!(elsewhere.requests_in_all(), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_circle_ends_and_a_stream_is_not_sent_again() -> TestResult {
    let server = Server::start(|_: &Request| Reply::text(302, "").with("location", "/circle"));
    let client = builder().follow_same_origin_redirects(true).build()?;
    let response = client.get(server.url("/circle")).send().await?;
    assert_eq!(
        (response.status().as_u16(), server.count("/circle")),
        (302, 11)
    );

    let server = redirecting("/there");
    let request = client.post(server.url("/307")).body(streaming_body(10));
    let response = request.send().await?;
    assert_eq!(response.status(), 307);
    let request = client
        .post(server.url("/308"))
        .header(CONTENT_TYPE, "application/json")
        .body("{}");
    let response = request.send().await?;
    assert_eq!(response.status(), 200);
    assert_eq!(server.requests("/there")[0].form(), "{}");
    Ok(())
}

#[maybe_async]
#[test]
async fn the_timeout_of_a_request_is_that_of_all_its_hops() -> TestResult {
    // Each hop is within it.
    let server = Server::start(|_: &Request| {
        std::thread::sleep(Duration::from_millis(250));
        Reply::text(302, "").with("location", "/circle")
    });
    let client = builder().follow_same_origin_redirects(true).build()?;
    let request = client.get(server.url("/circle"));
    let error = request.timeout(seconds(1)).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
    assert!(error.is_transient());
    let place = server.address();
    assert_eq!(
        error.to_string(),
        format!("the request to the server at {place} timed out")
    );
    // Nothing is sent any more.
    let sent = server.requests_in_all();
    assert!(sent <= 5, "a second has four such hops, and not {sent}");
    sleep(Duration::from_millis(600)).await;
    assert_eq!(server.requests_in_all(), sent);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_timeout_that_suffices_is_not_in_the_way_of_redirects() -> TestResult {
    let server = redirecting("/there");
    let client = builder().follow_same_origin_redirects(true).build()?;
    let request = client.get(server.url("/302")).timeout(seconds(30));
    let text = request.send().await?.text().await?;
    assert_eq!(text, "there");
    Ok(())
}
