//! Store of a token in the keyring.

use std::time::Duration;

use crate::{
    blocking::token_store::TokenStore,
    error::BoxError,
    oauth2::client::RegisteredClient,
    token_store::{KeyringTokenStore, Lease, StoredToken},
    trace,
};

impl TokenStore for KeyringTokenStore {
    fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        report(self, self.read())
    }

    fn save(&self, next: &StoredToken) -> Result<bool, BoxError> {
        report(self, self.replace(next))
    }

    fn lease(&self, _time: Duration) -> Result<Option<Lease>, BoxError> {
        report(self, self.try_lease())
    }

    fn load_registration(&self, issuer: &str) -> Result<Option<RegisteredClient>, BoxError> {
        report(self, self.read_registration(issuer))
    }

    fn save_registration(
        &self,
        issuer: &str,
        registration: Option<&RegisteredClient>,
    ) -> Result<(), BoxError> {
        report(self, self.replace_registration(issuer, registration))
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
        blocking::client::OAuth2Client,
        error::ErrorKind,
        oauth2::token::Token,
        token_store::keyring::testing::{Memory, registered},
    };

    #[test]
    fn a_token_that_the_keyring_cuts_off_is_an_update_error_and_stays_in_memory() {
        let keyring = Memory::new();
        let client = OAuth2Client::builder("client-id")
            .token_endpoint("https://id.example.com/token")
            .token_store(keyring.store("alice"))
            .build()
            .expect("a client");
        client.set_token(Token::new("short")).expect("stored");
        keyring.keep_at_most(128);
        let token = Token::new("x".repeat(300));
        let error = client.set_token(token.clone()).expect_err("not stored");
        assert_eq!(error.kind(), ErrorKind::Update);
        assert!(format!("{error:?}").contains("holds 128 of"), "{error:?}");
        assert!(!format!("{error:?}").contains("xxx"), "{error:?}");
        assert_eq!(client.token(), Some(token.clone()));
        // What was stored stays readable, and the next attempt succeeds.
        let stored = keyring.store("alice").read().expect("a token");
        assert_eq!(
            stored.and_then(|stored| stored.token),
            Some(Token::new("short"))
        );
        keyring.keep_at_most(usize::MAX);
        client.close().expect("stored");
        let stored = keyring.store("alice").read().expect("a token");
        assert_eq!(stored.and_then(|stored| stored.token), Some(token));
    }

    #[test]
    fn a_registration_is_kept() {
        let keyring = Memory::new();
        let client = registered("https://id.example", "c");
        let store = keyring.store("alice");
        let saved = store.save_registration(client.issuer(), Some(&client));
        saved.expect("kept");
        let loaded = store.load_registration(client.issuer());
        assert_eq!(loaded.expect("readable"), Some(client));
    }
}
