//! Logins with a code, and what they say about the end-user.

use std::time::Duration;

use oauth_twin::{
    ErrorKind,
    jose::Algorithm,
    oidc::{IdTokenRules, UserInfoRules},
};

use super::{super::TestResult, *};
use crate::mode::test;

/// The algorithms that a server signs with.
fn algorithms(server: Server) -> &'static [Algorithm] {
    match server {
        Server::OidcProvider | Server::Fapi => &[
            Algorithm::RS256,
            Algorithm::PS256,
            Algorithm::ES256,
            Algorithm::EdDSA,
        ],
        Server::Authlib => &[Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA],
    }
}

#[maybe_async]
#[test]
async fn an_id_token_of_each_algorithm_and_plain_userinfo() -> TestResult {
    for server in BOTH {
        for &alg in algorithms(server) {
            let registration = json!({ "id_token_signed_response_alg": alg.as_str() });
            let id = registered(server, &format!("plain-{alg}"), registration).await;
            let client = discovered(&server.issuer(), &id).await?.build()?;
            let login = logged_in(server, &client, openid()).await?;
            let id_token = login.id_token.as_ref().expect("an ID token");
            assert_eq!(algorithm(id_token), alg, "{server:?}");
            assert_eq!(id_token.issuer(), server.issuer());
            assert_eq!(id_token.claims().subject(), "alice");
            assert!(id_token.audience().eq([id.as_str()]));
            let profile = login.userinfo().await?;
            assert_eq!(profile.email(), Some("alice@app.example"));
            assert_eq!(profile.email_verified(), Some(true));
        }
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn userinfo_that_is_signed_by_each_algorithm() -> TestResult {
    for server in BOTH {
        for &alg in algorithms(server) {
            let registration = json!({
                "id_token_signed_response_alg": alg.as_str(),
                "userinfo_signed_response_alg": alg.as_str(),
            });
            let id = registered(server, &format!("signed-{alg}"), registration).await;
            let builder = discovered(&server.issuer(), &id).await?;
            let client = builder
                .id_token(IdTokenRules::new().algorithms([alg]))
                .userinfo(UserInfoRules::new().signed([alg]))
                .build()?;
            let login = logged_in(server, &client, openid()).await?;
            let profile = login.userinfo().await?;
            assert_eq!(profile.subject(), "alice");
            assert_eq!(profile.email(), Some("alice@app.example"), "{server:?}");
        }
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn what_the_client_did_not_register_for_is_refused() -> TestResult {
    for server in BOTH {
        let id = registered(server, "unregistered", json!({})).await;
        let builder = discovered(&server.issuer(), &id).await?;
        let rules = IdTokenRules::new().algorithms([Algorithm::ES256]);
        let client = builder.id_token(rules).build()?;
        // Both sign by RS256, as nothing else was registered.
        let refused = logged_in(server, &client, openid()).await;
        let error = refused.expect_err("another algorithm");
        assert_eq!(error.kind(), ErrorKind::Answer, "{server:?}: {error}");
        assert!(error.to_string().contains("RS256"), "{error}");
        assert!(client.token().is_none());

        let builder = discovered(&server.issuer(), &id).await?;
        let rules = UserInfoRules::new().signed([Algorithm::RS256]);
        let client = builder.userinfo(rules).build()?;
        let login = logged_in(server, &client, openid()).await?;
        let error = login
            .userinfo()
            .await
            .expect_err("claims without signature");
        assert_eq!(error.kind(), ErrorKind::Answer, "{server:?}: {error}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn what_was_asked_for_is_in_the_id_token() -> TestResult {
    for server in BOTH {
        let id = registered(server, "asked", json!({})).await;
        let client = discovered(&server.issuer(), &id).await?.build()?;
        for age in [0, 3600] {
            let request = openid().max_age(Duration::from_secs(age));
            let login = logged_in(server, &client, request).await?;
            let id_token = login.id_token.expect("an ID token");
            assert!(id_token.auth_time().is_some(), "{server:?}");
        }
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_provider_that_is_discovered_later() -> TestResult {
    for server in BOTH {
        let id = registered(server, "later", json!({})).await;
        let client = OAuth2Client::builder(&id)
            .client_secret(SECRET)
            .discover_later(server.issuer())
            .redirect_uri(WEB)
            .build()?;
        assert!(client.server().is_none());
        let begun = client.begin_authorization(openid()).await?;
        let callback = log_in(server, &begun.url, WEB).await;
        let login = client
            .complete_authorization(begun.pending, &callback)
            .await?;
        assert!(login.id_token.is_some());
        let found = client.server().expect("metadata");
        assert_eq!(found.issuer(), Some(&*server.issuer()));
    }
    Ok(())
}

/// The `nonce` of one login is not that of another of the same browser.
#[maybe_async]
#[test]
async fn an_id_token_for_another_login_is_refused() -> TestResult {
    for server in BOTH {
        let id = registered(server, "nonce", json!({})).await;
        let client = discovered(&server.issuer(), &id).await?.build()?;
        let verifier = "v".repeat(43);
        let begin = |nonce: &str| {
            let request = openid()
                .state("s".repeat(22))
                .code_verifier(verifier.clone());
            client.create_authorization_url(request.nonce(nonce.repeat(22)))
        };
        let (first, second) = (begin("1")?, begin("2")?);
        let callback = log_in(server, &first.url, WEB).await;
        let refused = client
            .complete_authorization(second.pending, &callback)
            .await;
        let error = refused.expect_err("another nonce");
        assert_eq!(error.kind(), ErrorKind::Answer, "{server:?}: {error}");
        assert!(error.to_string().contains("nonce"), "{error}");
    }
    Ok(())
}
