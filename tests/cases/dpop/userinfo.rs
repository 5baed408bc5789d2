//! UserInfo of clients with a key.

use oauth_twin::oauth2::RefreshPolicy;

use super::{super::test, *};

#[maybe_async]
#[test]
async fn a_token_that_is_bound_to_no_key_is_not_sent_to_userinfo() -> TestResult {
    let server = Server::start(|_: &Request| Reply::json(200, json!({"sub": "alice"})));
    let bearer = || Token::new("from-before");
    for token in [bearer(), bearer().with_dpop_key(&dpop_key())] {
        for policy in [
            RefreshPolicy::Never,
            RefreshPolicy::Unauthorized,
            RefreshPolicy::Expiry,
        ] {
            let client = builder(&server)
                .userinfo_endpoint(server.url("/userinfo"))
                .dpop(dpop_key())
                .refresh_policy(policy)
                .token(token.clone())
                .build()?;
            let error = client.userinfo("alice").await.expect_err("no proof");
            assert!(error.to_string().contains("DPoP"), "{error}");
        }
    }
    assert_eq!(server.requests_in_all(), 0);
    Ok(())
}
