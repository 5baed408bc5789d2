//! Registrations of the client, by issuer, in a file beside the token.

use std::{
    collections::BTreeMap,
    io::{ErrorKind, Read as _},
    path::Path,
};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    FORMAT, FileTokenStore, MAX_BYTES, UNREADABLE, beside,
    next_file::{Durability, NextFile},
    regular_file::Located,
};
use crate::{error::BoxError, oauth2::client::RegisteredClient};

/// Content of the file.
#[derive(Default, Deserialize, Serialize)]
struct Registrations {
    format: u64,
    clients: BTreeMap<String, RegisteredClient>,
}

impl FileTokenStore {
    /// Returns the registration of the client at `issuer`; none if there is none.
    ///
    /// ```
    /// use oauth_twin::{BoxError, FileTokenStore, oauth2::RegisteredClient};
    ///
    /// # let folder = std::env::temp_dir().join(format!("oauth-twin-clients-{}", std::process::id()));
    /// # let text = r#"{"issuer":"https://id.example.com","client_id":"s6BhdRkqt3"}"#;
    /// # let registered: RegisteredClient = serde_json::from_str(text)?;
    /// let store = FileTokenStore::new(folder.join("token.json"));
    /// store.replace_registration("https://id.example.com", Some(&registered))?;
    /// assert_eq!(store.read_registration("https://id.example.com")?, Some(registered));
    /// assert_eq!(store.read_registration("https://other.example.com")?, None);
    /// # std::fs::remove_dir_all(folder)?;
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or does not contain registrations.
    pub fn read_registration(&self, issuer: &str) -> Result<Option<RegisteredClient>, BoxError> {
        let mut registrations = self.registrations(&self.clients_file()?)?;
        let found = registrations.clients.remove(issuer);
        // Whoever writes to the file could move a registration to another server.
        Ok(found.filter(|client| client.issuer() == issuer))
    }

    /// Replaces the registration of the client at `issuer`, or removes it.
    ///
    /// # Errors
    ///
    /// If the file cannot be locked, read or written.
    pub fn replace_registration(
        &self,
        issuer: &str,
        registration: Option<&RegisteredClient>,
    ) -> Result<(), BoxError> {
        let failed = |error| self.io_error("could not be replaced", error);
        let token = Located::at(&self.path).map_err(failed)?;
        let _lock = self.lock(&token.path)?;
        let located = self.clients_file()?;
        let mut registrations = self.registrations(&located)?;
        let changed = match registration {
            Some(client) => {
                let previous = registrations
                    .clients
                    .insert(issuer.to_owned(), client.clone());
                previous.as_ref() != Some(client)
            }
            None => registrations.clients.remove(issuer).is_some(),
        };
        if !changed {
            return Ok(());
        }
        registrations.format = FORMAT;
        let text = Zeroizing::new(serde_json::to_vec_pretty(&registrations)?);
        if text.len() as u64 > MAX_BYTES {
            return Err(self.error("cannot keep the registrations, which are larger than 1 MiB"));
        }
        // The space that is reserved for the token stays that.
        let written = NextFile::default().replace(&located.path, &text, Durability::Certain);
        let written = written.or_else(|error| located.check_replaceable().and(Err(error)));
        written.map_err(|error| self.io_error("could not be written for a registration", error))
    }

    fn clients_file(&self) -> Result<Located, BoxError> {
        // Beside the file itself if the path is a link, as its lock is.
        let token = Located::at(&self.path);
        let located = token.and_then(|token| Located::at(&beside(&token.path, "clients")));
        located.map_err(|error| self.io_error("could not be read for a registration", error))
    }

    fn registrations(&self, located: &Located) -> Result<Registrations, BoxError> {
        let mut content = Zeroizing::new(Vec::new());
        let read = located.open().and_then(|(file, length)| {
            let length = length.min(MAX_BYTES);
            content.reserve_exact(usize::try_from(length).unwrap_or_default() + 2);
            file.take(MAX_BYTES + 1).read_to_end(&mut content)
        });
        match read {
            Ok(0) => return Ok(Registrations::default()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Registrations::default());
            }
            Err(error) => {
                return Err(file_error(
                    &located.path,
                    &format!("{UNREADABLE} ({error})"),
                ));
            }
            Ok(_) => {}
        }
        // The error may quote the content.
        let registrations: Option<Registrations> = match content.len() as u64 > MAX_BYTES {
            true => None,
            false => serde_json::from_slice(&content).ok(),
        };
        match registrations {
            Some(read) if read.format == FORMAT => Ok(read),
            Some(read) if read.format > FORMAT => Err(file_error(
                &located.path,
                "was written by a later version of oauth-twin; upgrade this program",
            )),
            _ => Err(file_error(
                &located.path,
                "does not contain registrations; move it away",
            )),
        }
    }
}

fn file_error(path: &Path, what: &str) -> BoxError {
    format!("the file {} {what}", path.display()).into()
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("oauth-twin-registrations-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let _ = fs::remove_dir_all(&path);
            Self(path)
        }

        fn store(&self) -> FileTokenStore {
            FileTokenStore::new(self.0.join("token.json"))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn client(issuer: &str, id: &str) -> RegisteredClient {
        let members = serde_json::json!({
            "issuer": issuer, "client_id": id, "client_secret": "hunter2",
        });
        serde_json::from_value(members).expect("a registration")
    }

    #[test]
    fn registrations_are_kept_by_issuer_beside_the_token() {
        let folder = Folder::new("kept");
        let store = folder.store();
        assert_eq!(store.read_registration("a").expect("none"), None);
        for (issuer, id) in [("a", "1"), ("b", "2"), ("a", "3")] {
            let client = client(issuer, id);
            store
                .replace_registration(issuer, Some(&client))
                .expect("kept");
        }
        let read = |issuer| folder.store().read_registration(issuer).expect("readable");
        assert_eq!(read("a"), Some(client("a", "3")));
        assert_eq!(read("b"), Some(client("b", "2")));
        store.replace_registration("a", None).expect("removed");
        store.replace_registration("c", None).expect("none");
        assert_eq!((read("a"), read("c")), (None, None));
        assert_eq!(read("b"), Some(client("b", "2")));
        assert!(store.read().expect("no token").is_none());
    }

    #[test]
    fn a_registration_of_another_issuer_is_not_used() {
        let folder = Folder::new("moved");
        let store = folder.store();
        let evil = client("https://evil.example", "1");
        store
            .replace_registration("https://id.example", Some(&evil))
            .expect("kept");
        let read = store.read_registration("https://id.example");
        assert_eq!(read.expect("readable"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_has_the_registrations_of_its_target() {
        let folder = Folder::new("link");
        let store = folder.store();
        let client = client("a", "1");
        store
            .replace_registration("a", Some(&client))
            .expect("kept");
        let link = folder.0.join("link.json");
        std::os::unix::fs::symlink(folder.0.join("token.json"), &link).expect("a link");
        let linked = FileTokenStore::new(link);
        let read = |store: &FileTokenStore| store.read_registration("a").expect("readable");
        assert_eq!(read(&linked), Some(client));
        linked.replace_registration("a", None).expect("removed");
        assert_eq!(read(&store), None);
        assert!(!folder.0.join("link.json.clients").exists());
    }

    #[test]
    fn a_lease_keeps_its_space_for_the_token() {
        let folder = Folder::new("lease");
        let store = folder.store();
        let lease = store.try_lease().expect("a lease").expect("free");
        store
            .replace_registration("a", Some(&client("a", "1")))
            .expect("kept");
        assert!(folder.0.join("token.json.new").exists());
        drop(lease);
    }

    #[test]
    fn other_content_is_an_error_that_quotes_nothing() {
        let folder = Folder::new("invalid");
        let store = folder.store();
        store
            .replace_registration("a", Some(&client("a", "1")))
            .expect("kept");
        for (text, word) in [
            ("hunter2", "does not contain"),
            (r#"{"clients":{}}"#, "does not contain"),
            (r#"{"format":1,"clients":{"a":{}}}"#, "does not contain"),
            (r#"{"format":2,"clients":{}}"#, "later version"),
        ] {
            fs::write(folder.0.join("token.json.clients"), text).expect("written");
            let error = store.read_registration("a").expect_err(text).to_string();
            assert!(error.contains(word), "{error}");
            assert!(!error.contains("hunter2"));
            let replaced = store.replace_registration("a", None);
            assert!(
                replaced.is_err(),
                "what it cannot read, it does not replace"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = Folder::new("private");
        let client = client("a", "1");
        folder
            .store()
            .replace_registration("a", Some(&client))
            .expect("kept");
        let file = fs::metadata(folder.0.join("token.json.clients")).expect("a file");
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }
}
