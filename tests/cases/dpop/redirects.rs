//! Redirects: followed within the origin by a request with a proof of its own, else returned.

use super::{super::test, *};

#[maybe_async]
#[test]
async fn a_redirect_within_the_origin_gets_a_new_proof() -> TestResult {
    for (status, method) in [
        (301, "GET"),
        (302, "GET"),
        (303, "GET"),
        (307, "POST"),
        (308, "POST"),
    ] {
        let (server, key) = (DpopServer::start(), dpop_key());
        let client = public(&server, &key)
            .token(bound_token(&server, &key))
            .build()?;
        let url = server.server.url(&format!("/to?{status}"));
        let response = client.post(url).body("b").send().await?;
        assert_eq!(response.status(), 200);
        server.assert_sound();
        let arrived = server.server.requests("/api/there");
        assert_eq!(
            (arrived.len(), &*arrived[0].method),
            (1, method),
            "{status}"
        );
        assert_eq!(arrived[0].query, "x=1");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_redirect_out_of_the_origin_is_returned() -> TestResult {
    let (server, key) = (DpopServer::without_nonces(), dpop_key());
    let client = public(&server, &key)
        .token(bound_token(&server, &key))
        .build()?;
    let response = client.get(server.server.url("/away")).send().await?;
    assert_eq!(response.status(), 307);
    assert_eq!(server.server.requests_in_all(), 1);
    Ok(())
}

/// Not even one within the origin is followed, as the request has no proof.
#[maybe_async]
#[test]
async fn a_redirect_of_a_request_without_its_token_is_returned() -> TestResult {
    let (server, key) = (DpopServer::without_nonces(), dpop_key());
    let client = public(&server, &key)
        .token(bound_token(&server, &key))
        .build()?;
    let elsewhere = Server::start(|_: &Request| Reply::text(302, "").with("location", "/api"));
    let request = client.get(elsewhere.url("/to")).withhold_token();
    let response = request.send().await?;
    assert_eq!(response.status(), 302);
    assert_eq!(elsewhere.requests_in_all(), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_stream_is_not_redirected_and_a_loop_ends() -> TestResult {
    let (server, key) = (DpopServer::without_nonces(), dpop_key());
    let client = public(&server, &key)
        .token(bound_token(&server, &key))
        .build()?;
    let url = server.server.url("/to?307");
    let response = client.post(url).body(streaming_body(10)).send().await?;
    assert_eq!(response.status(), 307);
    let circle = Server::start(|_: &Request| Reply::text(302, "").with("location", "/again"));
    let response = client.get(circle.url("/api")).send().await?;
    assert_eq!(response.status(), 302);
    assert_eq!(circle.requests_in_all(), 11);
    Ok(())
}
