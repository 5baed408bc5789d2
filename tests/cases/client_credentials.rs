//! A token by client credentials, from the first request to close.

use super::{test, *};

#[maybe_async]
#[test]
async fn the_token_comes_at_the_first_request_and_stays() -> TestResult {
    let server = provider(600);
    let client = with_credentials(&server).scope("a b").build()?;
    assert_eq!(
        server.count("/token"),
        0,
        "nothing is sent before it is needed"
    );
    assert_eq!(client.token(), None);
    for _ in 0..3 {
        let text = client.get(server.url("/api")).send().await?.text().await?;
        assert_eq!(text, "Bearer t1");
    }
    let requests = server.requests("/token");
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].method, "POST");
    assert_eq!(
        requests[0].form(),
        "grant_type=client_credentials&scope=a+b"
    );
    assert_eq!(
        requests[0].header("authorization"),
        Some("Basic aWQ6c2VjcmV0")
    );
    assert_eq!(requests[0].header("accept"), Some("application/json"));
    assert_eq!(
        requests[0].header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    client.close().await?;
    Ok(())
}
