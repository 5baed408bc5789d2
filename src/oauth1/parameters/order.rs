//! The order of parameters: "sorted by name, using ascending byte value ordering. If two or more
//! parameters share the same name, they are sorted by their value", both encoded.
//!
//! [RFC 5849 section 3.4.1.3.2](https://www.rfc-editor.org/rfc/rfc5849#section-3.4.1.3.2)

use std::cmp::Ordering;

use super::escaped;
use crate::encoding::is_unreserved;

/// Number of parameters with the same key above which a further part of them is made their key.
const FEW: usize = 16;

/// Number of times that this is done, as it is done recursively.
const MAX_DEPTH: usize = 32;

/// A parameter to be sorted, by a key that is near: in an order that is not that of the form, few
/// parameters are in the cache of the processor.
#[derive(Clone, Copy)]
pub(super) struct SortEntry {
    pub(super) key: u64,
    pub(super) start: u32,
    pub(super) length: u32,
}

/// Sorts parameters, of which `parameter` returns the bytes, by their keys first: those of the
/// bytes after a prefix that all share, or none, if `prefix` is none.
pub(super) fn sort<'a>(
    entries: &mut [SortEntry],
    prefix: Option<usize>,
    parameter: &impl Fn(&SortEntry) -> &'a [u8],
) {
    match prefix {
        Some(prefix) => sort_by_key(entries, prefix, 0, parameter),
        None => sort_keyless(entries, None, 0, parameter),
    }
}

/// Sorts parameters that share more than `prefix` bytes, perhaps.
fn sort_keyless<'a>(
    entries: &mut [SortEntry],
    prefix: Option<usize>,
    depth: usize,
    parameter: &impl Fn(&SortEntry) -> &'a [u8],
) {
    let common = CommonPrefix::of(entries.iter().map(parameter));
    // An escape and the byte that it stands for do not share what they are.
    if depth == MAX_DEPTH || prefix.is_some_and(|prefix| common.length() <= prefix) {
        entries.sort_unstable_by(|a, b| compare(parameter(a), parameter(b)));
        return;
    }
    for entry in &mut *entries {
        entry.key = common.key(parameter(entry));
    }
    sort_by_key(entries, common.length(), depth, parameter);
}

fn sort_by_key<'a>(
    entries: &mut [SortEntry],
    prefix: usize,
    depth: usize,
    parameter: &impl Fn(&SortEntry) -> &'a [u8],
) {
    entries.sort_unstable_by_key(|entry| entry.key);
    for tied in entries.chunk_by_mut(|a, b| a.key == b.key) {
        match tied.len() {
            1 => {}
            2..FEW => tied.sort_unstable_by(|a, b| compare(parameter(a), parameter(b))),
            _ => sort_keyless(tied, Some(prefix), depth + 1, parameter),
        }
    }
}

/// The bytes with which all parameters begin, without a part of an escape.
pub(super) struct CommonPrefix<'a> {
    bytes: &'a [u8],
    is_name: bool,
}

impl<'a> CommonPrefix<'a> {
    pub(super) fn of(mut parameters: impl Iterator<Item = &'a [u8]>) -> Self {
        let first = parameters.next().unwrap_or_default();
        let common = parameters.fold(first, |common, parameter| {
            &common[..shared(common, parameter)]
        });
        let bytes = &first[..before_escape(first, common.len())];
        Self {
            bytes,
            is_name: !bytes.contains(&b'='),
        }
    }

    pub(super) fn length(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn is_of(&self, parameter: &[u8]) -> bool {
        parameter.starts_with(self.bytes)
    }

    /// The next eight bytes of a parameter, as a number that is not greater than that of any
    /// parameter that sorts after it.
    pub(super) fn key(&self, parameter: &[u8]) -> u64 {
        let rest = &parameter[self.bytes.len()..];
        if let Some(bytes) = rest.first_chunk::<8>() {
            let mut key = [0; 8];
            let mut is_plain = true;
            for (rank, byte) in key.iter_mut().zip(bytes) {
                *rank = RANKS[usize::from(*byte)];
                is_plain &= is_unreserved(*byte);
            }
            if is_plain {
                return u64::from_be_bytes(key);
            }
        }
        self.decoded_key(rest)
    }

    fn decoded_key(&self, rest: &[u8]) -> u64 {
        let mut key = [0; 8];
        let mut decoded = Decoded::new(rest, self.is_name);
        let mut places = key.iter_mut();
        while let Some(place) = places.next() {
            match decoded.next() {
                Some(0) => {
                    // A NUL has the rank of the end of a name, but sorts after each.
                    for place in places {
                        *place = u8::MAX;
                    }
                    break;
                }
                Some(rank) => *place = rank,
                None if decoded.is_name => decoded = decoded.value(),
                None => break,
            }
        }
        u64::from_be_bytes(key)
    }
}

/// Compares two parameters by their encoded names, then by their encoded values.
pub(super) fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let same = shared(a, b);
    let decoded = before_escape(a, same);
    // Most differ in a letter.
    if decoded == same
        && let (Some(a), Some(b)) = (a.get(same), b.get(same))
        && is_unreserved(*a)
        && is_unreserved(*b)
    {
        return a.cmp(b);
    }
    let is_name = !a[..decoded].contains(&b'=');
    let mut a = Decoded::new(&a[decoded..], is_name);
    let mut b = Decoded::new(&b[decoded..], is_name);
    let order = a.by_ref().cmp(b.by_ref());
    match is_name {
        true => order.then_with(|| a.value().cmp(b.value())),
        false => order,
    }
}

/// The number of bytes with which both begin.
fn shared(a: &[u8], b: &[u8]) -> usize {
    let mut same = 0;
    while let (Some(a), Some(b)) = (a[same..].first_chunk(), b[same..].first_chunk()) {
        let different = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if different != 0 {
            return same + different.trailing_zeros() as usize / 8;
        }
        same += 8;
    }
    let rest = a[same..].iter().zip(&b[same..]);
    same + rest.take_while(|(a, b)| a == b).count()
}

/// The greatest number, at most `length`, of bytes that end neither within an escape nor where
/// another parameter with the same bytes may have one.
fn before_escape(parameter: &[u8], mut length: usize) -> usize {
    loop {
        length = match parameter[..length] {
            [.., b'%', _] => length - 2,
            [.., b'%'] => length - 1,
            _ => return length,
        };
    }
}

/// Whether the encoded name of a parameter begins with unreserved bytes.
pub(super) fn name_begins_with(parameter: &[u8], unreserved: &[u8]) -> bool {
    let ranks = unreserved.iter().map(|byte| RANKS[usize::from(*byte)]);
    let name = Decoded::new(parameter, true);
    name.take(unreserved.len()).eq(ranks)
}

/// The rank of each byte among all encoded ones: that of an escape is less than any other.
const RANKS: [u8; 256] = {
    let mut ranks = [0; 256];
    let mut rank = 0;
    let mut byte = 0;
    while byte < 2 * 256 {
        if (byte < 256) != is_unreserved(byte as u8) {
            ranks[byte % 256] = rank as u8;
            rank += 1;
        }
        byte += 1;
    }
    ranks
};

/// The ranks of the decoded bytes of a name or a value. They sort as the encoded bytes do.
struct Decoded<'a> {
    rest: &'a [u8],
    is_name: bool,
}

impl<'a> Decoded<'a> {
    fn new(rest: &'a [u8], is_name: bool) -> Self {
        Self { rest, is_name }
    }

    /// The value after a name that was read to its end.
    fn value(self) -> Self {
        Self::new(self.rest.strip_prefix(b"=").unwrap_or(self.rest), false)
    }
}

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        let (byte, rest) = match byte {
            b'=' if self.is_name => return None,
            b'+' => (b' ', rest),
            b'%' => escaped(rest).unwrap_or((b'%', rest)),
            _ => (*byte, rest),
        };
        self.rest = rest;
        Some(RANKS[usize::from(byte)])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encoding::escape;

    /// Name and value, encoded.
    fn encoded(parameter: &[u8]) -> [Vec<u8>; 2] {
        let name = parameter.split(|byte| *byte == b'=').next();
        let name = name.unwrap_or_default();
        let value = parameter.get(name.len() + 1..).unwrap_or_default();
        [name, value].map(|mut text| {
            let mut encoded = Vec::new();
            while let [byte, rest @ ..] = text {
                let (byte, rest) = match byte {
                    b'+' => (b' ', rest),
                    b'%' => escaped(rest).unwrap_or((b'%', rest)),
                    _ => (*byte, rest),
                };
                match is_unreserved(byte) {
                    true => encoded.push(byte),
                    false => encoded.extend(escape(byte)),
                }
                text = rest;
            }
            encoded
        })
    }

    fn sorted(parameters: &[Vec<u8>], prefix: Option<usize>) -> Vec<[Vec<u8>; 2]> {
        let parameter = |entry: &SortEntry| &*parameters[entry.start as usize];
        let prefix = prefix.map(|_| CommonPrefix::of(parameters.iter().map(|text| &**text)));
        let entry = |(start, text): (u32, &Vec<u8>)| SortEntry {
            key: prefix.as_ref().map_or(0, |prefix| prefix.key(text)),
            start,
            length: 0,
        };
        let mut entries: Vec<_> = (0..).zip(parameters).map(entry).collect();
        sort(
            &mut entries,
            prefix.as_ref().map(CommonPrefix::length),
            &parameter,
        );
        let sorted = entries.iter().map(parameter).map(encoded);
        sorted.collect()
    }

    #[test]
    fn the_ranks_are_in_the_order_of_the_encoded_bytes() {
        let mut bytes: Vec<u8> = (0..=255).collect();
        bytes.sort_by_key(|byte| match is_unreserved(*byte) {
            true => vec![*byte],
            false => escape(*byte).to_vec(),
        });
        let ranks = bytes.into_iter().map(|byte| RANKS[usize::from(byte)]);
        assert!(ranks.eq(0..=255));
    }

    #[test]
    fn a_prefix_has_no_part_of_an_escape() {
        for (parameters, expected) in [
            (["ab=1", "ab=2"], 3),
            (["a%41", "a%42"], 1),
            (["a%4", "a%4"], 1),
            (["a%", "a%"], 1),
            (["x%a%7A", "x%a%6B"], 1),
            (["x%%41", "x%%4F"], 1),
            (["%%%%1", "%%%%2"], 0),
            (["a%20b", "a%20c"], 4),
            (["a", "a="], 1),
            (["", "a"], 0),
        ] {
            let prefix = CommonPrefix::of(parameters.iter().map(|text| text.as_bytes()));
            assert_eq!(prefix.length(), expected, "{parameters:?}");
        }
    }

    #[test]
    fn names_that_begin_each_other_are_sorted() {
        let names = (0..600_usize).map(|n| vec![b'a'; n * 197 % 600]);
        let names: Vec<_> = names.collect();
        let mut expected: Vec<_> = names.iter().map(|name| encoded(name)).collect();
        expected.sort();
        assert_eq!(sorted(&names, None), expected);
    }

    proptest! {
        #[test]
        fn parameters_sort_as_their_encoded_names_and_values(
            alike in "([a-c]|%61|%3D|[=+%~-]){0,12}",
            texts in prop::collection::vec("([ab]|%61|%4[0-9a-fz]|%00|%3[dD]|[=+%~-]|\u{e4}){0,12}", 1..80),
            bytes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 0..20),
        ) {
            let texts = texts.into_iter().map(|text| format!("{alike}{text}").into_bytes());
            let parameters: Vec<_> = texts.chain(bytes).collect();
            for [a, b] in parameters.windows(2).filter_map(<[_]>::as_array) {
                prop_assert_eq!(compare(a, b), encoded(a).cmp(&encoded(b)));
            }
            let mut expected: Vec<_> = parameters.iter().map(|text| encoded(text)).collect();
            expected.sort();
            prop_assert_eq!(&sorted(&parameters, None), &expected);
            prop_assert_eq!(&sorted(&parameters, Some(0)), &expected);
        }
    }
}
