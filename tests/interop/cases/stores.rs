//! Tokens in a file that several runs share, at servers that notice each refresh token that is used
//! twice.

use oauth_twin::{Error, FileTokenStore, oauth2::AuthorizationRequest};

use super::{
    TestResult,
    assertions::{account, counted},
    logins::{BOTH, WEB, log_in, me},
};
use crate::{
    folder::Folder,
    mode::{AssertionClient, at_once, maybe_async, test},
};

fn store(folder: &Folder) -> FileTokenStore {
    FileTokenStore::new(folder.file("token.json"))
}

#[maybe_async]
#[test]
async fn runs_at_the_same_time_share_a_login_that_lives() -> TestResult {
    for server in BOTH {
        let folder = Folder::new("login");
        let run = || server.web().token_store(store(&folder)).build();
        let first = run()?;
        let error = first.ensure_active_token().await.unwrap_err();
        assert!(error.needs_login(), "{server:?}: {error}");
        let url = first.create_authorization_url(AuthorizationRequest::new())?;
        let callback = log_in(server, &url.url, WEB).await;
        let login = url.pending.authorization_response(&callback)?;
        first.fetch_token(login).await?;
        first.close().await?;

        let runs: Result<Vec<_>, Error> = (0..8).map(|_| run()).collect();
        let runs = runs?;
        let renewed = at_once(8, |n| {
            let run = runs[n].clone();
            async move {
                for _ in 0..3 {
                    run.refresh_token().await?;
                }
                run.close().await
            }
        })
        .await;
        for result in renewed {
            result?;
        }
        let last = run()?;
        let status = me(server, &last).await;
        assert_eq!(status, 200, "{server:?}");
        last.refresh_token().await?;
        last.revoke_token().await?;
        let error = run()?.refresh_token().await.unwrap_err();
        assert!(error.needs_login(), "{server:?}: {error}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn runs_of_a_service_account_share_one_token() -> TestResult {
    let (name, file) = account("stored", 600).await;
    let folder = Folder::new("account");
    let run = || {
        AssertionClient::from_service_account(&file)?
            .scope("reports:read")
            .token_store(store(&folder))
            .build()
    };
    let runs: Result<Vec<_>, Error> = (0..5).map(|_| run()).collect();
    let runs = runs?;
    let tokens = at_once(5, |n| {
        let run = runs[n].clone();
        async move { run.ensure_active_token().await }
    })
    .await;
    let stored = run()?.ensure_active_token().await?;
    for token in tokens {
        assert_eq!(token?.access_token(), stored.access_token());
    }
    let count = counted(&name).await;
    assert_eq!(count, (1, 0));
    Ok(())
}
