//! Index of a list of keys.

/// The end of a chain.
const END: u32 = u32::MAX;

/// Positions in a list by the buckets that they belong to: each bucket is a chain of them, in
/// ascending order. It takes four bytes for each bucket and each position.
#[derive(Clone, Default)]
pub(super) struct KeyIndex {
    /// The first position of each bucket.
    first: Box<[u32]>,
    /// The position that follows each of them in its bucket.
    next: Box<[u32]>,
}

impl KeyIndex {
    /// Makes the index of a list of `len` values, of which some belong to no bucket.
    pub(super) fn new(
        len: usize,
        buckets: usize,
        bucket_of: impl Fn(usize) -> Option<usize>,
    ) -> Self {
        let mut first = vec![END; buckets].into_boxed_slice();
        let mut next = vec![END; len].into_boxed_slice();
        for position in (0..len).rev() {
            let Some(bucket) = bucket_of(position) else {
                continue;
            };
            next[position] = first[bucket];
            first[bucket] = u32::try_from(position).unwrap_or(END);
        }
        Self { first, next }
    }

    /// The positions in a bucket.
    pub(super) fn positions(&self, bucket: usize) -> impl Iterator<Item = usize> {
        let read = |from: &[u32], n: usize| {
            let position = from.get(n).copied().filter(|position| *position != END);
            position.map(|position| position as usize)
        };
        std::iter::successors(read(&self.first, bucket), move |position| {
            read(&self.next, *position)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_has_its_positions_in_order() {
        let index = KeyIndex::new(10, 4, |position| (position != 4).then_some(position % 3));
        let positions = |bucket| index.positions(bucket).collect::<Vec<_>>();
        assert_eq!(positions(0), [0, 3, 6, 9]);
        assert_eq!(positions(1), [1, 7]);
        assert_eq!(positions(2), [2, 5, 8]);
        assert!(positions(3).is_empty() && positions(4).is_empty());
        assert_eq!(KeyIndex::default().positions(0).count(), 0);
    }
}
