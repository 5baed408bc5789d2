//! Map that never takes long: it grows, and is swept, one small part at a time.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// First half of the SHA-256 of a refresh token, so that a key is no secret.
pub(in crate::lifecycle) type Key = [u8; 16];

/// Entries up to which there is one part. Beyond it there are [`PARTS`].
const SMALL: usize = 512;
/// As many as the last byte of a key has values.
const PARTS: usize = 256;

#[derive(Debug)]
pub(in crate::lifecycle) struct KeyMap<V> {
    parts: Vec<HashMap<Key, V, BuildHasherDefault<Prefix>>>,
    /// The part that is swept next.
    next: usize,
    /// Entries that may be swept: two for each insertion, one for each sweep without one.
    credit: usize,
}

/// A key is a hash already.
#[derive(Default)]
struct Prefix(u64);

impl Hasher for Prefix {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl<V> Default for KeyMap<V> {
    fn default() -> Self {
        Self {
            parts: vec![HashMap::default()],
            next: 0,
            credit: 0,
        }
    }
}

impl<V> KeyMap<V> {
    pub(in crate::lifecycle) fn get(&self, key: &Key) -> Option<&V> {
        self.parts[self.part(key)].get(key)
    }

    pub(in crate::lifecycle) fn get_mut(&mut self, key: &Key) -> Option<&mut V> {
        let part = self.part(key);
        self.parts[part].get_mut(key)
    }

    pub(in crate::lifecycle) fn remove(&mut self, key: &Key) -> Option<V> {
        let part = self.part(key);
        self.parts[part].remove(key)
    }

    /// Inserts or replaces a value. Now and then, as the map grows, values that are dead are removed,
    /// from one part.
    pub(in crate::lifecycle) fn insert(
        &mut self,
        key: Key,
        value: V,
        is_dead: impl Fn(&V) -> bool,
    ) {
        if self.parts.len() == 1 && self.parts[0].len() == SMALL {
            self.split();
        }
        let part = self.part(&key);
        if self.parts[part].insert(key, value).is_none() {
            self.credit += 1;
            self.sweep(is_dead);
        }
    }

    /// Removes dead values now and then, from one part.
    pub(super) fn sweep(&mut self, is_dead: impl Fn(&V) -> bool) {
        self.credit += 1;
        let part = &mut self.parts[self.next];
        if self.credit < part.len() {
            return;
        }
        // What is saved up while the map is small is not for when it is large.
        self.credit = 0;
        part.retain(|_, value| !is_dead(value));
        if part.capacity() > 4 * part.len() + 16 {
            part.shrink_to(2 * part.len());
        }
        self.next = (self.next + 1) % self.parts.len();
    }

    fn split(&mut self) {
        let parts = (0..PARTS).map(|_| HashMap::default()).collect();
        for (key, value) in std::mem::replace(&mut self.parts, parts)
            .into_iter()
            .flatten()
        {
            let part = self.part(&key);
            self.parts[part].insert(key, value);
        }
    }

    fn part(&self, key: &Key) -> usize {
        match self.parts.len() {
            1 => 0,
            _ => usize::from(key[key.len() - 1]),
        }
    }

    pub(in crate::lifecycle) fn len(&self) -> usize {
        self.parts.iter().map(HashMap::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn key(n: usize) -> Key {
        *Secret::new(n.to_string())
            .digest()
            .first_chunk()
            .expect("16 bytes")
    }

    #[test]
    fn values_are_found_before_and_after_the_map_is_split() {
        let mut map = KeyMap::default();
        for n in 0..3 * SMALL {
            map.insert(key(n), n, |_| false);
            assert_eq!(map.len(), n + 1);
            for n in [0, n / 2, n] {
                assert_eq!(map.get(&key(n)), Some(&n));
            }
            assert_eq!(map.get(&key(n + 1)), None);
        }
        map.insert(key(7), 0, |_| false);
        assert_eq!((map.get(&key(7)), map.len()), (Some(&0), 3 * SMALL));
        if let Some(value) = map.get_mut(&key(7)) {
            *value = 1;
        }
        assert_eq!(map.get(&key(7)), Some(&1));
        map.remove(&key(7));
        assert_eq!((map.get(&key(7)), map.len()), (None, 3 * SMALL - 1));
    }

    /// However many there were, and in parts that are small.
    #[test]
    fn the_dead_go_with_as_many_insertions_as_there_are_of_them() {
        for count in [10, SMALL, 20 * SMALL] {
            let mut map = KeyMap::default();
            for n in 0..count {
                map.insert(key(n), n, |_| false);
            }
            let largest = map.parts.iter().map(HashMap::len).max();
            assert!(largest <= Some(SMALL.max(count / 64)), "{largest:?}");
            for n in count..2 * count + PARTS {
                map.insert(key(n), n, |value| *value < count);
            }
            assert_eq!(map.len(), count + PARTS, "{count}");
        }
    }
}
