//! Names of entries and of files.

use std::path::{Path, PathBuf};

use crate::token_store::UserKey;

/// Names of the service and of the user, encoded so that any two of them differ, and without `/`
/// and `:`.
#[derive(Clone)]
pub(super) struct Names {
    service: String,
    user: String,
}

impl Names {
    pub(super) fn new(service: &str, user: &str) -> Self {
        let encoded =
            |name| UserKey::new(name).map_or_else(|_| String::new(), |key| key.to_string());
        Self {
            service: encoded(service),
            user: encoded(user),
        }
    }

    /// Which of the two names is empty, if one is. Some keyrings would take it for any name.
    pub(super) fn empty(&self) -> Option<&'static str> {
        match (self.service.as_str(), self.user.as_str()) {
            ("", _) => Some("service"),
            (_, "") => Some("user"),
            _ => None,
        }
    }

    /// Service and user of an entry of this token. A suffix is empty or begins with `/`.
    pub(super) fn entry(&self, suffix: &str) -> (String, String) {
        (self.service.clone(), format!("{}{suffix}", self.user))
    }

    /// Path of a file for this token, which begins with a folder for the service.
    pub(super) fn file(&self, suffix: &str) -> PathBuf {
        Path::new(&self.service).join(format!("{}{suffix}", self.user))
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, path::Component};

    use super::*;

    #[test]
    fn each_user_has_names_of_their_own() {
        let long = "x".repeat(300);
        let longer = format!("{long}y");
        let users = [
            "a:b", "a%3Ab", "a%3ab", "x}{y", "../alice", "a/b", "a/a/0", "a", "A", "Alice",
            "alice", "ALICE", ".", "..", "\u{e4}", "a\0b", "a b", "a+b", "a@b", "a~b", &long,
            &longer,
        ];
        let mut files = HashSet::new();
        let mut entries = HashSet::new();
        for user in users {
            let names = Names::new("com.example.Reports", user);
            let file = names.file(".lease");
            let is_plain = |part| matches!(part, Component::Normal(_));
            assert!(file.components().all(is_plain), "{file:?}");
            assert_eq!(file.components().count(), 2, "{file:?}");
            assert!(files.insert(file), "{user}");
            let (service, entry) = names.entry("");
            // What a keyring separates the parts of a name by.
            assert!(!entry.contains([':', '/']) && !service.contains([':', '/']));
            // Names of entries on Windows, and of files on macOS and Windows, have no case.
            assert!(entries.insert(entry.to_lowercase()), "{user}: {entry}");
        }
    }

    #[test]
    fn names_stay_readable() {
        let names = Names::new("com.example.reports", "alice@example.com");
        let entry = ("com.example.reports".into(), "alice@example.com/a/0".into());
        assert_eq!(names.entry("/a/0"), entry);
    }

    #[test]
    fn an_empty_name_is_told() {
        assert_eq!(Names::new("", "alice").empty(), Some("service"));
        assert_eq!(Names::new("reports", "").empty(), Some("user"));
        assert_eq!(Names::new("reports", " ").empty(), None);
    }
}
