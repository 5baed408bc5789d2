//! The DPoP keys of a client.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use super::key::DpopKey;

/// Keys of a client: the present one, earlier ones, and those that were added later.
#[derive(Debug)]
pub(crate) struct DpopKeys {
    present: DpopKey,
    earlier: Vec<DpopKey>,
    added: RwLock<HashMap<Box<str>, DpopKey>>,
}

impl DpopKeys {
    pub(crate) fn new(present: DpopKey, earlier: Vec<DpopKey>) -> Self {
        Self {
            present,
            earlier,
            added: RwLock::default(),
        }
    }

    /// The key of what is not yet bound to any.
    pub(crate) fn present(&self) -> &DpopKey {
        &self.present
    }

    /// The key with this thumbprint.
    pub(crate) fn find(&self, thumbprint: &str) -> Option<DpopKey> {
        let mut own = std::iter::once(&self.present).chain(&self.earlier);
        if let Some(own) = own.find(|key| key.thumbprint() == thumbprint) {
            return Some(own.clone());
        }
        let added = self.added.read().unwrap_or_else(PoisonError::into_inner);
        added.get(thumbprint).cloned()
    }

    /// Whether the present key replaces the one with this thumbprint: an earlier one, and not that of
    /// one login.
    pub(crate) fn is_replaced(&self, thumbprint: &str) -> bool {
        let is_it = |key: &DpopKey| key.thumbprint() == thumbprint;
        if is_it(&self.present) || !self.earlier.iter().any(is_it) {
            return false;
        }
        let added = self.added.read().unwrap_or_else(PoisonError::into_inner);
        !added.contains_key(thumbprint)
    }

    pub(crate) fn add(&self, key: DpopKey) {
        let mut added = self.added.write().unwrap_or_else(PoisonError::into_inner);
        added.insert(key.thumbprint().into(), key);
    }

    pub(crate) fn remove(&self, thumbprint: &str) {
        let mut added = self.added.write().unwrap_or_else(PoisonError::into_inner);
        added.remove(thumbprint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::Algorithm;

    #[test]
    fn a_key_is_found_by_its_thumbprint_wherever_it_comes_from() {
        let [present, earlier, added, stranger] =
            [(); 4].map(|()| DpopKey::generate(Algorithm::EdDSA).expect("a key"));
        let keys = DpopKeys::new(present.clone(), vec![earlier.clone()]);
        keys.add(added.clone());
        for key in [&present, &earlier, &added] {
            let found = keys.find(key.thumbprint()).expect("a known key");
            assert_eq!(found.thumbprint(), key.thumbprint());
        }
        assert!(keys.find(stranger.thumbprint()).is_none());
        let is_replaced = |key: &DpopKey| keys.is_replaced(key.thumbprint());
        assert!(is_replaced(&earlier));
        assert!(![&present, &added, &stranger].into_iter().any(is_replaced));
        keys.add(earlier.clone());
        assert!(!is_replaced(&earlier), "it is that of a login, too");
        keys.remove(added.thumbprint());
        keys.remove(earlier.thumbprint());
        assert!(keys.find(added.thumbprint()).is_none());
        assert!(
            keys.find(earlier.thumbprint()).is_some(),
            "a setting of the builder"
        );
    }
}
