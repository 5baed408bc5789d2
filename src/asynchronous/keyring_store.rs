//! Store of a token in the keyring.

use std::time::Duration;

use crate::{
    asynchronous::token_store::{AsyncTokenStore, on_thread},
    error::BoxError,
    oauth2::client::RegisteredClient,
    token_store::{KeyringTokenStore, Lease, StoredToken},
    trace,
};

/// On a thread for blocking work, for at most the time limit of the store.
impl AsyncTokenStore for KeyringTokenStore {
    async fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        let store = self.clone();
        report(self, on_thread(move || store.read()).await)
    }

    async fn save(&self, next: &StoredToken) -> Result<bool, BoxError> {
        let (store, next) = (self.clone(), next.clone());
        report(self, on_thread(move || store.replace(&next)).await)
    }

    async fn lease(&self, _time: Duration) -> Result<Option<Lease>, BoxError> {
        let store = self.clone();
        report(self, on_thread(move || store.try_lease()).await)
    }

    async fn load_registration(&self, issuer: &str) -> Result<Option<RegisteredClient>, BoxError> {
        let (store, issuer) = (self.clone(), issuer.to_owned());
        let read = on_thread(move || store.read_registration(&issuer)).await;
        report(self, read)
    }

    async fn save_registration(
        &self,
        issuer: &str,
        registration: Option<&RegisteredClient>,
    ) -> Result<(), BoxError> {
        let (store, issuer) = (self.clone(), issuer.to_owned());
        let registration = registration.cloned();
        let replace = move || store.replace_registration(&issuer, registration.as_ref());
        report(self, on_thread(replace).await)
    }
}

fn report<T>(store: &KeyringTokenStore, result: T) -> T {
    if let Some(reason) = store.take_fallback_reason() {
        trace::keyring_unusable(reason);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        asynchronous::client::AsyncOAuth2Client,
        error::ErrorKind,
        oauth2::token::Token,
        token_store::keyring::testing::{Memory, registered},
    };

    #[tokio::test]
    async fn a_token_that_the_keyring_cuts_off_is_an_update_error_and_stays_in_memory() {
        let keyring = Memory::new();
        let client = AsyncOAuth2Client::builder("client-id")
            .token_endpoint("https://id.example.com/token")
            .token_store(keyring.store("alice"))
            .build()
            .expect("a client");
        client.set_token(Token::new("short")).expect("set");
        let stored = || {
            let stored = keyring.store("alice").read().expect("a token");
            stored.and_then(|stored| stored.token)
        };
        for _ in 0..500 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            if stored().is_some() {
                break;
            }
        }
        keyring.keep_at_most(128);
        let token = Token::new("x".repeat(300));
        client.set_token(token.clone()).expect("set");
        assert_eq!(client.token(), Some(token.clone()));
        let error = client.close().await.expect_err("not stored");
        assert_eq!(error.kind(), ErrorKind::Update);
        assert!(format!("{error:?}").contains("holds 128 of"), "{error:?}");
        assert!(!format!("{error:?}").contains("xxx"), "{error:?}");
        // What was stored stays readable, and the next attempt succeeds.
        assert_eq!(stored(), Some(Token::new("short")));
        keyring.keep_at_most(usize::MAX);
        client.close().await.expect("stored");
        assert_eq!(stored(), Some(token));
    }

    #[tokio::test]
    async fn a_registration_is_kept() {
        let keyring = Memory::new();
        let client = registered("https://id.example", "c");
        let store = keyring.store("alice");
        let saved = store
            .save_registration(client.issuer(), Some(&client))
            .await;
        saved.expect("kept");
        let loaded = store.load_registration(client.issuer()).await;
        assert_eq!(loaded.expect("readable"), Some(client));
    }
}
