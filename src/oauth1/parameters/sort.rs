//! Sorting of parameters that are too many to be in the cache of the processor.

use std::hint::black_box;

use super::{keys::Keys, order::compare};

/// Number of parameters with the same key below which they are compared with each other.
const FEW: usize = 64;

/// Number of parameters that are fetched into the cache of the processor at once.
pub(super) const FETCHED: usize = 64;

/// Length of a line of that cache, or a part of it, in bytes.
pub(super) const LINE_BYTES: usize = 64;

/// Number of times that parameters with the same key get new ones, as it is done recursively.
const MAX_DEPTH: usize = 32;

/// Number of parameters that tell what the keys are made of.
pub(super) const SAMPLES: usize = 64;

/// A parameter to be sorted: its key, and below it its start. To compare keys, which are near, is
/// quick, while in an order that is not that of the form few parameters are in the cache of the
/// processor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SortEntry(u64);

impl SortEntry {
    pub(super) fn new(key: u32, start: u32) -> Self {
        Self(u64::from(key) << 32 | u64::from(start))
    }

    fn key(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub(super) fn start(self) -> u32 {
        self.0 as u32
    }
}

/// Sorts parameters that have keys; `wire` returns the bytes from a start on.
pub(super) fn sort<'a>(
    entries: &mut [SortEntry],
    keys: &Keys<'_>,
    wire: &impl Fn(u32) -> &'a [u8],
) {
    sort_by_key(entries, keys, 0, wire);
}

fn sort_by_key<'a>(
    entries: &mut [SortEntry],
    keys: &Keys<'_>,
    depth: usize,
    wire: &impl Fn(u32) -> &'a [u8],
) {
    entries.sort_unstable();
    let are_told_apart = match &*entries {
        [first, .., last] => first.key() != last.key(),
        _ => return,
    };
    let mut rest = entries;
    let mut fetched = 0;
    while let [first, ..] = *rest {
        if fetched == 0 {
            fetched = rest.len().min(FETCHED);
            fetch(&rest[..fetched], keys, wire);
        }
        let tied = rest.iter().take_while(|entry| entry.key() == first.key());
        let (tied, others) = rest.split_at_mut(tied.count());
        fetched = fetched.saturating_sub(tied.len());
        rest = others;
        if tied.len() == 1 || keys.is_whole(first.key()) {
            continue;
        }
        if tied.len() < FEW || !are_told_apart || depth == MAX_DEPTH {
            tied.sort_unstable_by(|a, b| {
                compare(parameter(wire(a.start())), parameter(wire(b.start())))
            });
            continue;
        }
        let samples = tied.iter().step_by(tied.len() / SAMPLES);
        let keys = Keys::new(samples.map(|entry| parameter(wire(entry.start()))));
        for entry in &mut *tied {
            let start = entry.start();
            *entry = SortEntry::new(keys.key(parameter(wire(start))), start);
        }
        sort_by_key(tied, &keys, depth + 1, wire);
    }
}

/// Reads from the first two lines of those that are to be compared, so that the processor fetches
/// all of them at the same time.
fn fetch<'a>(entries: &[SortEntry], keys: &Keys<'_>, wire: &impl Fn(u32) -> &'a [u8]) {
    let mut read = 0;
    for tied in entries.chunk_by(|a, b| a.key() == b.key()) {
        if tied.len() > 1 && !keys.is_whole(tied[0].key()) {
            for entry in tied {
                let wire = wire(entry.start());
                read ^= wire.first().unwrap_or(&0) ^ wire.get(LINE_BYTES).unwrap_or(&0);
            }
        }
    }
    black_box(read);
}

/// The parameter with which bytes begin.
pub(super) fn parameter(wire: &[u8]) -> &[u8] {
    const SEPARATORS: u64 = u64::from_ne_bytes([b'&'; 8]);
    const LOW_BITS: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; 8]);
    let (words, rest) = wire.as_chunks();
    for (n, word) in words.iter().enumerate() {
        // The lowest byte that is zero, by its highest bit.
        let zero = u64::from_le_bytes(*word) ^ SEPARATORS;
        let found = zero.wrapping_sub(LOW_BITS) & !zero & HIGH_BITS;
        if found != 0 {
            return &wire[..n * 8 + found.trailing_zeros() as usize / 8];
        }
    }
    let end = rest.iter().position(|byte| *byte == b'&');
    &wire[..wire.len() - rest.len() + end.unwrap_or(rest.len())]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::oauth1::parameters::order::tests::encoded;

    /// Those of a form in the order of their encoded names and values, by keys from some samples.
    fn sorted(form: &[u8], samples: &[&[u8]]) -> Vec<[Vec<u8>; 2]> {
        let keys = Keys::new(samples.iter().copied());
        let mut start = 0;
        let mut entries: Vec<_> = form
            .split(|byte| *byte == b'&')
            .map(|text| {
                let entry = SortEntry::new(keys.key(text), start);
                start += text.len() as u32 + 1;
                entry
            })
            .collect();
        let wire = |start| &form[start as usize..];
        sort(&mut entries, &keys, &wire);
        let sorted = entries.iter().map(|entry| parameter(wire(entry.start())));
        sorted.map(encoded).collect()
    }

    fn check(form: &[u8], samples: &[&[u8]]) {
        let mut expected: Vec<_> = form.split(|byte| *byte == b'&').map(encoded).collect();
        expected.sort();
        let form_text = String::from_utf8_lossy(form);
        assert!(sorted(form, samples) == expected, "{form_text} {samples:?}");
    }

    fn check_names(names: impl Iterator<Item = String>) {
        let names: Vec<_> = names.collect();
        let samples: Vec<_> = names.iter().map(String::as_bytes).step_by(50).collect();
        check(names.join("&").as_bytes(), &samples);
    }

    #[test]
    fn keys_fit_whatever_the_samples_are() {
        let all: Vec<u8> = (0..=255).filter(|byte| *byte != b'&').collect();
        let every_second: Vec<u8> = (0..=255).step_by(2).filter(|byte| *byte != b'&').collect();
        for samples in [&all[..], &every_second, b"", b"a"] {
            let samples: Vec<_> = samples.chunks(1).collect();
            check(&all.chunks(1).collect::<Vec<_>>().join(&b'&'), &samples);
            check(&all.chunks(2).collect::<Vec<_>>().join(&b'&'), &samples);
        }
        check(&all, &[]);
    }

    #[test]
    fn names_that_begin_each_other_are_sorted() {
        check_names((0..600_usize).map(|n| "a".repeat(n * 197 % 600)));
    }

    #[test]
    fn many_with_the_same_key_are_sorted() {
        // Names and values that are alike for long, with escapes and without, and some twice.
        for (begin, end) in [
            ("row[", "][name]=v"),
            ("r=", ""),
            ("a%41=", "%2"),
            ("", "+%=%"),
        ] {
            check_names((0..2_000_usize).map(|n| {
                let n = n * 611_953 % 1_900;
                let same = ["=", "%3D", "%", "+", "x%5Fy", "a_long_beginning"][n % 6];
                format!("{begin}{same}{}{end}{}", n % 7, n / 3)
            }));
        }
        check_names((0..2_000).map(|n| format!("a={}", n % 3)));
        check_names((0..2_000).map(|n| ["a", "%61", "a=", "%61="][n % 4].to_owned()));
    }

    #[test]
    fn a_parameter_ends_at_the_first_separator() {
        for length in 0..40 {
            for rest in ["", "&", "&&", "&b", "&bbbbbbbbbbbbbbbbbb&"] {
                // Bytes that differ from a separator in one bit.
                for byte in ["a", "'", "\u{a6}"] {
                    let text = byte.repeat(length);
                    let wire = format!("{text}{rest}");
                    assert_eq!(parameter(wire.as_bytes()), text.as_bytes());
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn parameters_sort_as_their_encoded_names_and_values(
            alike in "([a-c]|%61|%3D|[=+%~-]){0,12}",
            texts in prop::collection::vec("([ab]|%61|%4[0-9a-fz]|%00|%3[dD]|[=+%~-]|\u{e4}){0,5}", 1..200),
            bytes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 0..20),
            step in 1..60_usize,
        ) {
            let texts = texts.into_iter().map(|text| format!("{alike}{text}").into_bytes());
            let parameters: Vec<_> = texts.chain(bytes).collect();
            let form = parameters.join(&b'&');
            let parameters: Vec<_> = form.split(|byte| *byte == b'&').collect();
            let samples: Vec<_> = parameters.iter().copied().step_by(step).collect();
            check(&form, &samples);
            check(&form, &[]);
            let keys = Keys::new(samples.into_iter());
            for [a, b] in parameters.windows(2).filter_map(<[_]>::as_array) {
                let [key, other] = [a, b].map(|text| keys.key(text));
                prop_assert!(key.cmp(&other) == encoded(a).cmp(&encoded(b)) || key == other);
                prop_assert!(key != other || !keys.is_whole(key) || encoded(a) == encoded(b));
            }
        }
    }
}
