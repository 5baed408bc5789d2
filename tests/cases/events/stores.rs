//! Events about token stores.

use oauth_twin::{Lease, StoredToken};

use super::{test, *};

/// A store that never takes its lease back.
#[derive(Clone)]
struct Clinging(Shelf);

#[maybe_async(AFIT)]
impl TokenStore for Clinging {
    async fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        TokenStore::load(&self.0).await
    }

    async fn save(&self, next: &StoredToken) -> Result<bool, BoxError> {
        TokenStore::save(&self.0, next).await
    }

    async fn lease(&self, time: Duration) -> Result<Option<Lease>, BoxError> {
        TokenStore::lease(&self.0, time).await
    }

    async fn release(&self, _: Lease) -> Result<(), BoxError> {
        Err("the network is down".into())
    }
}

#[maybe_async]
#[test]
async fn a_lease_that_is_not_released_is_told() -> TestResult {
    const TEST: &str = "not released";
    let _marked = log::marked(TEST);
    let server = provider(600);
    let shelf = Shelf::with(Token::new("planted").with_expires_at(UNIX_EPOCH));
    let client = with_credentials(&server)
        .token_store(Clinging(shelf))
        .build()?;
    client.ensure_active_token().await?;
    warned(TEST, "lease_not_released", "error", "release its lease").await;
    Ok(())
}

/// A keyring that has no time to answer is used no more than one that is missing.
#[cfg(feature = "keyring")]
#[maybe_async]
#[test]
async fn a_file_that_is_used_instead_of_the_keyring_is_told_once() -> TestResult {
    use oauth_twin::{FileTokenStore, KeyringTokenStore};
    use support::folder::Folder;

    const TEST: &str = "keyring";
    let _marked = log::marked(TEST);
    let server = provider(600);
    let folder = Folder::new("no-keyring");
    let file = folder.file("token.json");
    let store = KeyringTokenStore::new("oauth-twin-tests", "nobody")
        .timeout(Duration::from_nanos(1))
        .or_file(FileTokenStore::new(&file));
    let first = with_credentials(&server)
        .token_store(store.clone())
        .build()?;
    first.ensure_active_token().await?;
    let other = with_credentials(&server).token_store(store).build()?;
    other.refresh_token().await?;
    warned(TEST, "keyring_unusable", "reason", "keyring").await;
    assert!(std::fs::read_to_string(file)?.contains("access_token"));
    Ok(())
}
