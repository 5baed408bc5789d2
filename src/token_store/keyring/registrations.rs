//! Registrations of the client in a keyring: entries for each issuer, beside those of the token.

use super::{access::Access, entries, keyring_failure::KeyringFailure};
use crate::oauth2::client::RegisteredClient;

/// Reads the registration at this issuer.
pub(super) fn read(
    access: Access<'_>,
    issuer: &str,
) -> Result<Option<RegisteredClient>, KeyringFailure> {
    let stored = entries::read_content::<RegisteredClient>(&at(access, issuer))?;
    let client = stored.and_then(|(client, _)| client);
    // Whoever writes to the keyring could move a registration to another server.
    Ok(client.filter(|client| client.issuer() == issuer))
}

/// Replaces the registration at this issuer, or removes it. Only one process at a time may do so.
pub(super) fn replace(
    access: Access<'_>,
    issuer: &str,
    registration: Option<&RegisteredClient>,
) -> Result<(), KeyringFailure> {
    let access = at(access, issuer);
    if registration.is_none() {
        return entries::remove(&access);
    }
    let version = entries::version::<RegisteredClient>(&access)?;
    entries::replace_content(&access, registration, version.saturating_add(1), version)?;
    Ok(())
}

/// The entries for this issuer, which may be longer than a name of an entry.
fn at<'a>(access: Access<'a>, issuer: &str) -> Access<'a> {
    access.below(format!("/client/{}", entries::hash(issuer)))
}

#[cfg(test)]
mod tests {
    use super::{
        super::testing::{Fault, Memory, registered as client},
        *,
    };
    use crate::{
        oauth2::token::Token,
        token_store::{FileTokenStore, StoredToken},
    };

    const ISSUER: &str = "https://id.example";
    const OTHER: &str = "https://other.example";

    fn keep(keyring: &Memory, client: &RegisteredClient) {
        let kept = keyring
            .store("alice")
            .replace_registration(client.issuer(), Some(client));
        kept.expect("kept");
    }

    fn known(keyring: &Memory, issuer: &str) -> Option<RegisteredClient> {
        let found = keyring.store("alice").read_registration(issuer);
        found.expect("readable")
    }

    /// The name of the entry for this issuer.
    fn name(issuer: &str) -> String {
        format!("reports alice/client/{}", entries::hash(issuer))
    }

    #[test]
    fn registrations_are_kept_by_issuer_beside_the_token() {
        let keyring = Memory::new();
        // Of any length, and so split where the keyring has a limit.
        keyring.limit_to(256);
        let token = StoredToken::new(Some(Token::new("t".repeat(500))), 1);
        assert!(keyring.store("alice").replace(&token).expect("stored"));
        let entries = keyring.entries();
        assert_eq!(known(&keyring, ISSUER), None);
        for (issuer, id) in [(ISSUER, "1"), (OTHER, "2"), (ISSUER, "3")] {
            keep(&keyring, &client(issuer, &id.repeat(300)));
        }
        assert_eq!(
            known(&keyring, ISSUER),
            Some(client(ISSUER, &"3".repeat(300)))
        );
        assert_eq!(
            known(&keyring, OTHER),
            Some(client(OTHER, &"2".repeat(300)))
        );
        let of_bob = keyring.store("bob").read_registration(ISSUER);
        assert_eq!(of_bob.expect("none"), None);
        for issuer in [ISSUER, OTHER, OTHER] {
            let removed = keyring.store("alice").replace_registration(issuer, None);
            removed.expect("removed");
            assert_eq!(known(&keyring, issuer), None);
        }
        assert_eq!(keyring.entries(), entries, "nothing is left of them");
        assert_eq!(keyring.store("alice").read().expect("a token"), Some(token));
    }

    #[test]
    fn a_registration_of_another_issuer_is_not_used() {
        let keyring = Memory::new();
        keep(&keyring, &client(OTHER, "1"));
        let moved = keyring.value(&name(OTHER)).expect("an entry");
        keyring.put(&name(ISSUER), &moved);
        assert_eq!(known(&keyring, ISSUER), None);
        assert_eq!(known(&keyring, OTHER), Some(client(OTHER, "1")));
    }

    #[test]
    fn what_cannot_be_read_or_kept_is_an_error_without_the_secret() {
        let keyring = Memory::new();
        let store = keyring.store("alice");
        keyring.put(&name(ISSUER), "hunter2");
        let error = store.read_registration(ISSUER).expect_err("unreadable");
        assert!(!error.to_string().contains("hunter2"), "{error}");
        keyring.fail(Fault::Forgets);
        let kept = store.replace_registration(OTHER, Some(&client(OTHER, "1")));
        let error = kept.expect_err("not kept");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn where_the_keyring_is_not_usable_they_are_beside_the_file() {
        let keyring = Memory::new();
        keyring.fail(Fault::Locked);
        let file = FileTokenStore::new(keyring.folder().join("token.json"));
        let store = keyring.store("alice").or_file(file.clone());
        let kept = client(ISSUER, "1");
        let replaced = store.replace_registration(ISSUER, Some(&kept));
        replaced.expect("kept");
        for found in [
            store.read_registration(ISSUER),
            file.read_registration(ISSUER),
        ] {
            assert_eq!(found.expect("readable"), Some(kept.clone()));
        }
    }
}
