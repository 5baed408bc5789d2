//! The order of parameters: "sorted by name, using ascending byte value ordering. If two or more
//! parameters share the same name, they are sorted by their value", both encoded.
//!
//! [RFC 5849 section 3.4.1.3.2](https://www.rfc-editor.org/rfc/rfc5849#section-3.4.1.3.2)

use std::cmp::Ordering;

use super::escaped;
use crate::encoding::is_unreserved;

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
    Symbols::new(&a[decoded..], is_name).cmp(Symbols::new(&b[decoded..], is_name))
}

/// The number of bytes with which both begin.
pub(super) fn shared(a: &[u8], b: &[u8]) -> usize {
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
pub(super) fn before_escape(parameter: &[u8], mut length: usize) -> usize {
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
    let symbols = Symbols::new(parameter, true).take(unreserved.len());
    symbols.eq(unreserved.iter().copied().map(symbol))
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

/// Number of different symbols.
pub(super) const SYMBOLS: usize = 1 + 256;

/// The symbol of a decoded byte.
pub(super) fn symbol(byte: u8) -> u16 {
    u16::from(RANKS[usize::from(byte)]) + 1
}

/// A parameter as symbols that sort as its encoded name and value do: the ranks of its decoded
/// bytes, and a zero at the end of the name.
pub(super) struct Symbols<'a> {
    rest: &'a [u8],
    is_name: bool,
}

impl<'a> Symbols<'a> {
    /// The symbols of the rest of a parameter, which begins in its name or in its value.
    pub(super) fn new(rest: &'a [u8], is_name: bool) -> Self {
        Self { rest, is_name }
    }
}

impl Iterator for Symbols<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        let (byte, rest) = match self.rest {
            [] | [b'=', ..] if self.is_name => {
                self.is_name = false;
                self.rest = self.rest.strip_prefix(b"=").unwrap_or_default();
                return Some(0);
            }
            [] => return None,
            [b'+', rest @ ..] => (b' ', rest),
            [b'%', rest @ ..] => escaped(rest).unwrap_or((b'%', rest)),
            [byte, rest @ ..] => (*byte, rest),
        };
        self.rest = rest;
        Some(symbol(byte))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encoding::escape;

    /// Name and value, encoded.
    pub(in super::super) fn encoded(parameter: &[u8]) -> [Vec<u8>; 2] {
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

    proptest! {
        #[test]
        fn parameters_compare_as_their_encoded_names_and_values(
            alike in "([a-c]|%61|%3D|[=+%~-]){0,12}",
            texts in prop::collection::vec("([ab]|%61|%4[0-9a-fz]|%00|%3[dD]|[=+%~-]|\u{e4}){0,12}", 1..20),
            bytes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 0..8),
        ) {
            let texts = texts.into_iter().map(|text| format!("{alike}{text}").into_bytes());
            let parameters: Vec<_> = texts.chain(bytes).collect();
            for [a, b] in parameters.windows(2).filter_map(<[_]>::as_array) {
                prop_assert_eq!(compare(a, b), encoded(a).cmp(&encoded(b)));
            }
        }
    }
}
