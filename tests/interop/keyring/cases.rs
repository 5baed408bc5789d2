//! What holds while the keyring is unlocked, locked, or absent.

use std::time::{Duration, Instant};

use oauth_twin::{
    BoxError, Error, ErrorKind, FileTokenStore, KeyringTokenStore, StoredToken, Token,
};

use super::mode::{CLIENT, OAuth2Client, OAuth2ClientBuilder, at_once, maybe_async, test};
use crate::{
    folder::Folder,
    provider::{CLIENT_ID, CLIENT_SECRET, LIFETIME, Provider, REDIRECT_URI},
};

type TestResult = Result<(), BoxError>;

/// The store of a user, whose name differs between the modes.
fn store(user: &str) -> KeyringTokenStore {
    KeyringTokenStore::new("com.example.reports", format!("{CLIENT} {user}"))
}

fn client(provider: &Provider) -> OAuth2ClientBuilder {
    OAuth2Client::builder(CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .authorization_endpoint(provider.url("/authorize"))
        .token_endpoint(provider.url("/token"))
        .redirect_uri(REDIRECT_URI)
        .clock(provider.clock())
}

mod unlocked {
    use super::{test, *};

    #[maybe_async]
    #[test]
    async fn a_login_is_kept_and_renewed_once_by_many_runs() -> TestResult {
        use oauth_twin::oauth2::AuthorizationRequest;

        let provider = Provider::start();
        let first = client(&provider).token_store(store("login")).build()?;
        let error = first.ensure_active_token().await.unwrap_err();
        assert!(error.needs_login(), "{error}");
        let url = first.create_authorization_url(AuthorizationRequest::new())?;
        let callback = provider.user_logs_in(&url.url);
        let login = first.complete_authorization(url.pending, &callback).await?;
        login.keep().await?;
        let token = first.ensure_active_token().await?;
        first.close().await?;
        assert_eq!(provider.count().issued, 1);

        let runs: Result<Vec<_>, Error> = (0..8)
            .map(|_| client(&provider).token_store(store("login")).build())
            .collect();
        let runs = runs?;
        let of_run = runs[0].ensure_active_token().await?;
        assert_eq!(of_run, token);
        provider.advance(LIFETIME);
        let renewed = at_once(8, |n| {
            let run = runs[n].clone();
            async move {
                let token = run.ensure_active_token().await?;
                run.close().await?;
                Ok::<Token, Error>(token)
            }
        })
        .await;
        for renewed in renewed {
            assert_ne!(renewed?, token);
        }
        assert_eq!(provider.count().issued, 2);
        let state = std::env::var("XDG_STATE_HOME")?;
        assert!(std::path::Path::new(&state).join("oauth-twin").is_dir());

        let last = client(&provider).token_store(store("login")).build()?;
        last.ensure_active_token().await?;
        assert_eq!(provider.count().issued, 2);
        Ok(())
    }

    #[maybe_async]
    #[test]
    async fn values_of_any_length_and_users_of_any_name() -> TestResult {
        let users = [
            "a:b", "a%3Ab", "../alice", "a/b", "A", "a", "x}{y", "ä\u{1}",
        ];
        for (at, user) in users.iter().enumerate() {
            let name = "ß𝄞\n\"".repeat(2_000 * at);
            let json = serde_json::json!({"access_token": user, "name": name});
            let token: Token = serde_json::from_value(json)?;
            let stored = StoredToken::new(Some(token), 1);
            assert!(store(user).replace(&stored)?, "{user}");
            assert!(!store(user).replace(&StoredToken::new(None, 1))?, "{user}");
        }
        for user in users {
            let stored = store(user).read()?.and_then(|stored| stored.token);
            let token = stored
                .expect("a token")
                .access_token()
                .expose_secret()
                .to_owned();
            assert_eq!(token, user);
        }
        Ok(())
    }
}

mod locked {
    use super::{test, *};

    #[maybe_async]
    #[test]
    async fn it_is_an_error_in_time_that_says_locked() -> TestResult {
        let store = || store("login").timeout(Duration::from_secs(1));
        let begun = Instant::now();
        let errors = [
            store().read().unwrap_err(),
            store().try_lease().unwrap_err(),
            store().replace(&StoredToken::new(None, 1)).unwrap_err(),
        ];
        assert!(begun.elapsed() < Duration::from_secs(12));
        for error in errors {
            let text = error.to_string();
            assert!(text.starts_with("the keyring (Secret Service)"), "{text}");
            assert!(text.contains("locked"), "{text}");
        }
        // The client says so, too, and uses a token that is valid.
        let provider = Provider::start();
        let client = client(&provider).token_store(store()).build()?;
        let error = client.ensure_active_token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        assert!(format!("{error:?}").contains("locked"), "{error:?}");
        // In one mode it is told now that the token is not stored, in the other on closing.
        let _ = client.set_token(Token::new("t"));
        let token = client.ensure_active_token().await?;
        assert_eq!(token.access_token().expose_secret(), "t");
        let error = client.close().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Update);
        assert!(begun.elapsed() < Duration::from_secs(40));
        Ok(())
    }

    #[maybe_async]
    #[test]
    async fn the_file_is_used_if_told() -> TestResult {
        in_file("locked").await
    }
}

mod absent {
    use super::{test, *};

    #[maybe_async]
    #[test]
    async fn it_is_an_error_at_once() -> TestResult {
        let begun = Instant::now();
        let text = store("login").read().unwrap_err().to_string();
        assert!(
            text.starts_with("the keyring (Secret Service) failed"),
            "{text}"
        );
        assert!(begun.elapsed() < Duration::from_secs(8));
        Ok(())
    }

    #[maybe_async]
    #[test]
    async fn the_file_is_used_if_told() -> TestResult {
        in_file("absent").await
    }
}

/// Checks that two runs share a token in a file.
#[maybe_async]
async fn in_file(name: &str) -> TestResult {
    use oauth_twin::oauth2::ClientCredentials;

    let folder = Folder::new(&format!("keyring-{name}-{CLIENT}"));
    let provider = Provider::start();
    for _run in 0..2 {
        let store = store("in a file").timeout(Duration::from_secs(1));
        let store = store.or_file(FileTokenStore::new(folder.file("token.json")));
        let client = client(&provider)
            .grant(ClientCredentials::new())
            .token_store(store);
        let client = client.build()?;
        client.ensure_active_token().await?;
        client.close().await?;
    }
    assert_eq!(provider.count().issued, 1);
    assert!(folder.file("token.json").exists());
    Ok(())
}
