//! Keys of a token in Redis.

use crate::error::BoxError;

/// Keys of one token, which have one hash slot in a cluster: scripts that use both need that.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RedisKeys {
    /// A hash with the token.
    pub(crate) row: String,
    /// A string that names the owner of the lease.
    pub(crate) lease: String,
    /// A hash with the registrations of the client.
    pub(crate) clients: String,
}

impl RedisKeys {
    /// Puts the lease of `row`, and the registrations, into the same hash slot.
    pub(crate) fn new(row: String) -> Result<Self, BoxError> {
        let tagged = if row.is_empty() {
            return Err("the key of the token in Redis is empty".into());
        } else if hash_tag(&row).is_some() {
            row.clone()
        } else if !row.contains('}') {
            // The row's slot is that of its whole key, which is the tag here.
            format!("{{{row}}}")
        } else {
            return Err(format!(
                "the key {row} has braces but no hash tag; write {{user}}, and encode the user's \
                 name in it"
            )
            .into());
        };
        Ok(Self {
            lease: format!("{tagged}:lease"),
            clients: format!("{tagged}:clients"),
            row,
        })
    }
}

/// The part of a key that decides on its slot: what the first pair of braces encloses.
fn hash_tag(key: &str) -> Option<&str> {
    let (_, behind) = key.split_once('{')?;
    let (tag, _) = behind.split_once('}')?;
    (!tag.is_empty()).then_some(tag)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::encoding::percent_encode;

    /// What the cluster hashes.
    fn hashed(key: &str) -> &str {
        hash_tag(key).unwrap_or(key)
    }

    #[test]
    fn all_keys_have_one_slot_and_a_name_each() {
        for row in [
            "tokens:{alice}",
            "{alice}",
            "{a}b}",
            "{a}{b}",
            "a{b",
            "{",
            "{{a}",
            "alice",
            "tokens:alice",
        ] {
            let keys = RedisKeys::new(row.to_owned()).expect("keys");
            assert_eq!(keys.row, row);
            assert_eq!(hashed(&keys.row), hashed(&keys.lease), "{row}");
            assert_eq!(hashed(&keys.row), hashed(&keys.clients), "{row}");
            let names = HashSet::from([keys.row, keys.lease, keys.clients]);
            assert_eq!(names.len(), 3);
        }
        let keys = RedisKeys::new("tokens:{alice}".to_owned()).expect("keys");
        assert_eq!(keys.lease, "tokens:{alice}:lease");
        assert_eq!(keys.clients, "tokens:{alice}:clients");
    }

    #[test]
    fn braces_that_enclose_no_tag_are_refused() {
        for row in ["}", "a}b", "{}", "{}{a}", "}{a", "tokens:{}"] {
            let error = RedisKeys::new(row.to_owned()).expect_err(row);
            assert!(error.to_string().contains("no hash tag"), "{error}");
        }
        assert!(RedisKeys::new(String::new()).is_err());
    }

    /// As the documentation tells callers to put it into the key: encoded.
    #[test]
    fn every_user_has_keys_of_their_own() {
        let long = "é".repeat(150);
        let users = [
            "a:b",
            "a%3Ab",
            "x}{y",
            "../alice",
            "a/b",
            "alice",
            "Alice",
            "alice}:lease",
            "{alice}",
            &long,
        ];
        let keys = users.map(|user| {
            let row = format!("tokens:{{{}}}", percent_encode(user));
            let keys = RedisKeys::new(row.clone()).expect("keys");
            assert_eq!(hash_tag(&row), Some(&*percent_encode(user)));
            assert_eq!(hashed(&keys.lease), hashed(&row));
            [keys.row, keys.lease, keys.clients]
        });
        let different: HashSet<_> = keys.into_iter().flatten().collect();
        assert_eq!(different.len(), 3 * users.len());
        let nobody = format!("tokens:{{{}}}", percent_encode(""));
        assert!(RedisKeys::new(nobody).is_err());
    }
}
