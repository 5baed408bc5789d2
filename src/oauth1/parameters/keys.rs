//! Keys by which parameters are sorted.

use super::order::{SYMBOLS, Symbols, before_escape, shared, symbol};
use crate::encoding::is_unreserved;

/// Number of symbols in a key, at most.
const MAX_SYMBOLS: usize = 8;

/// A byte that is not plain, in [`Keys::plain`].
const NOT_PLAIN: u32 = u32::MAX;

/// Keys of parameters: numbers that are not greater than that of any parameter that sorts after.
///
/// A key has the symbols after the prefix that all samples share. They are digits of a number whose
/// base is the number of different symbols in samples, so that many fit. What no sample has shares
/// a digit with its neighbours, and ends what the key tells. After the end of a parameter there are
/// zeros.
pub(super) struct Keys<'a> {
    prefix: &'a [u8],
    /// Whether the prefix ends within the name.
    is_name: bool,
    /// Number of symbols in the prefix.
    prefix_symbols: usize,
    /// The digit of each symbol.
    digits: [u32; SYMBOLS],
    /// Whether no other symbol has that digit.
    is_exact: [bool; SYMBOLS],
    base: u32,
    /// Number of digits.
    length: usize,
    /// The digit of each byte that is sent as it is, or [`NOT_PLAIN`].
    plain: [u32; 256],
}

impl<'a> Keys<'a> {
    /// Keys that tell parameters apart which are like the samples.
    pub(super) fn new(samples: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        let first = samples.clone().next().unwrap_or_default();
        let prefix = samples
            .clone()
            .fold(first, |prefix, sample| &prefix[..shared(prefix, sample)]);
        let prefix = &prefix[..before_escape(prefix, prefix.len())];
        let is_name = !prefix.contains(&b'=');
        // The end of the prefix is not that of the name.
        let prefix_symbols = Symbols::new(prefix, true).count() - usize::from(is_name);

        // Where each symbol comes first.
        let mut places = [MAX_SYMBOLS; SYMBOLS];
        for sample in samples {
            let symbols = Symbols::new(&sample[prefix.len()..], is_name);
            for (place, symbol) in symbols.take(MAX_SYMBOLS).enumerate() {
                let first = &mut places[usize::from(symbol)];
                *first = place.min(*first);
            }
        }
        let mut keys = Self {
            prefix,
            is_name,
            prefix_symbols,
            digits: [0; SYMBOLS],
            is_exact: [true; SYMBOLS],
            base: 0,
            length: MAX_SYMBOLS,
            plain: [NOT_PLAIN; 256],
        };
        keys.set_digits(&places);
        // The least and the greatest number are those of parameters without the prefix.
        while !fits(keys.base, keys.length) {
            keys.length -= 1;
            keys.set_digits(&places);
        }
        for (byte, plain) in (0..=u8::MAX).zip(&mut keys.plain) {
            let symbol = usize::from(symbol(byte));
            if is_unreserved(byte) && keys.is_exact[symbol] {
                *plain = keys.digits[symbol];
            }
        }
        if is_name {
            keys.plain[usize::from(b'=')] = 0;
        }
        keys
    }

    /// Gives a digit to each symbol that comes within the length of the keys, and one to all
    /// between two of them. The end of a name has the digit zero.
    fn set_digits(&mut self, places: &[usize; SYMBOLS]) {
        let mut digit = 0;
        let mut was_exact = true;
        for (symbol, place) in places.iter().enumerate().skip(1) {
            let is_exact = *place < self.length;
            digit += u32::from(is_exact | was_exact);
            self.digits[symbol] = digit;
            self.is_exact[symbol] = is_exact;
            was_exact = is_exact;
        }
        self.base = digit + 1;
    }

    pub(super) fn key(&self, parameter: &[u8]) -> u32 {
        if let Some(rest) = parameter.strip_prefix(self.prefix)
            && let Some(bytes) = rest.get(..self.length)
        {
            let (mut key, mut is_plain, mut ends) = (0_u32, true, 0);
            for byte in bytes {
                let digit = self.plain[usize::from(*byte)];
                is_plain &= digit != NOT_PLAIN;
                ends += u32::from(*byte == b'=');
                key = key.wrapping_mul(self.base).wrapping_add(digit);
            }
            // Another `=` belongs to the value.
            if is_plain && ends < 2 {
                return key + 1;
            }
        }
        self.decoded_key(parameter)
    }

    fn decoded_key(&self, parameter: &[u8]) -> u32 {
        let mut symbols = Symbols::new(parameter, true);
        let prefix = Symbols::new(self.prefix, true).take(self.prefix_symbols);
        for expected in prefix {
            match symbols.next() {
                Some(symbol) if symbol > expected => return u32::MAX,
                Some(symbol) if symbol == expected => {}
                _ => return 0,
            }
        }
        let mut key = 0;
        let mut is_exact = true;
        for _ in 0..self.length {
            let digit = match is_exact {
                true => {
                    let symbol = usize::from(symbols.next().unwrap_or(0));
                    is_exact = self.is_exact[symbol];
                    self.digits[symbol]
                }
                false => self.base - 1,
            };
            key = key * self.base + digit;
        }
        key + 1
    }

    /// Whether a key tells all of a parameter, so that those that have it are alike.
    pub(super) fn is_whole(&self, key: u32) -> bool {
        let Some(mut digits) = key.checked_sub(1).filter(|_| key != u32::MAX) else {
            return false;
        };
        // One is the end of the name, unless that is in the prefix, and the last one is after the
        // end of the value.
        if !digits.is_multiple_of(self.base) {
            return false;
        }
        let mut ends = 0;
        for _ in 0..self.length {
            ends += usize::from(digits.is_multiple_of(self.base));
            digits /= self.base;
        }
        ends > usize::from(self.is_name)
    }
}

/// Whether a number of so many digits, and two more numbers, fit into a key.
fn fits(base: u32, digits: usize) -> bool {
    let numbers = (0..digits).try_fold(1_u32, |numbers, _| numbers.checked_mul(base));
    numbers.is_some_and(|numbers| numbers < u32::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_has_no_part_of_an_escape() {
        for (parameters, expected) in [
            (["ab=1", "ab=2"], "ab="),
            (["a%41", "a%42"], "a"),
            (["a%4", "a%4"], "a"),
            (["a%", "a%"], "a"),
            (["x%a%7A", "x%a%6B"], "x"),
            (["x%%41", "x%%4F"], "x"),
            (["%%%%1", "%%%%2"], ""),
            (["a%20b", "a%20c"], "a%20"),
            (["a", "a="], "a"),
            (["", "a"], ""),
        ] {
            let keys = Keys::new(parameters.iter().map(|text| text.as_bytes()));
            assert_eq!(keys.prefix, expected.as_bytes(), "{parameters:?}");
        }
    }

    #[test]
    fn keys_tell_what_samples_have_and_no_more() {
        let digits = ["p_10=a", "p_29=a", "p_35=b", "p_47=", "p_68"];
        let keys = Keys::new(digits.iter().map(|text| text.as_bytes()));
        let key = |text: &str| keys.key(text.as_bytes());
        for (before, after) in [
            ("p_10=a", "p_10=b"),
            ("p_1", "p_10"),
            ("p_10=z", "p_11="),
            ("p%5F10=a", "p_10=b"),
            ("p_%310=a", "p_10=b"),
            ("a_10", "p_10"),
            ("p%3D", "p_10"),
            ("p_99=b", "p~"),
        ] {
            assert!(key(before) < key(after), "{before} {after}");
        }
        assert_eq!(key("p_1%3A"), key("p_1%3B"));
        assert_eq!(key("p%5F%31%30=%61"), key("p_10=a"));
        for (text, is_whole) in [
            ("p_10=a", true),
            ("p_1", true),
            ("p_", true),
            ("p_10=z", false),
            ("p_10=aa", true),
            ("p_1029355", false),
            ("p_10293556", false),
            ("p_1%3A", false),
            ("a", false),
            ("z", false),
        ] {
            assert_eq!(keys.is_whole(key(text)), is_whole, "{text}");
        }
    }
}
