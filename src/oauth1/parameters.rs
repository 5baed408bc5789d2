//! Parameters of a request, collected and normalised.
//!
//! [RFC 5849 section 3.4.1.3](https://www.rfc-editor.org/rfc/rfc5849#section-3.4.1.3)

mod hashed;
mod hasher;
mod keys;
mod order;
mod sort;
mod streamed;

pub(super) use streamed::StreamedParameters;

use std::{cmp::Ordering, ops::Range};

use crate::{
    encoding::{escape_twice, is_unreserved, unreserved},
    error::{Error, Result},
};

/// Number of parameters that need no allocation.
const INLINE_PARAMETERS: usize = 32;

/// Prefix of all names of protocol parameters and of no others, so that no other name sorts between
/// them.
const PROTOCOL_PREFIX: &str = "oauth_";

/// All parameters in one text, with the position of each.
///
/// They are encoded twice, as in the base string. They sort as if encoded once, since every `%`
/// becomes `%25`. The base string is appended to the same text, which is then the only allocation.
pub(super) struct Parameters {
    /// `name%3Dvalue%26` for each, after the bytes that were there before the first.
    pub(super) text: Vec<u8>,
    inline: [Span; INLINE_PARAMETERS],
    count: usize,
    /// All parameters, once there are more than fit inline.
    spilled: Vec<Span>,
}

/// Position of a parameter in the text.
#[derive(Clone, Copy, Default)]
struct Span {
    /// The first eight bytes of the name, which tell most names apart.
    sort_key: u64,
    start: usize,
    /// End of the name.
    name_end: usize,
    end: usize,
}

impl Span {
    fn name(&self) -> Range<usize> {
        self.start..self.name_end
    }

    fn value(&self) -> Range<usize> {
        self.name_end + "%3D".len()..self.end - "%26".len()
    }
}

impl Parameters {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            text: Vec::with_capacity(bytes),
            inline: [Span::default(); INLINE_PARAMETERS],
            count: 0,
            spilled: Vec::new(),
        }
    }

    /// Adds all protocol parameters as one; `append` appends them in their signed form.
    pub(super) fn push_protocol_parameters(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        let start = self.text.len();
        append(&mut self.text);
        self.add(start, start + PROTOCOL_PREFIX.len());
    }

    /// Adds the parameters of a query or a form body, which must not contain protocol parameters.
    ///
    /// They are decoded, with `+` as a space, and encoded again in one pass. Bytes that are not
    /// UTF-8 and a `%` that is not part of an escape are kept.
    pub(super) fn extend_from_form(&mut self, mut form: &[u8], place: &str) -> Result<()> {
        while !form.is_empty() {
            let start = self.text.len();
            let name_end = encode_parameter(&mut form, &mut self.text);
            if self.text.len() == start {
                continue;
            }
            let name_end = name_end.unwrap_or_else(|| {
                self.text.extend_from_slice(b"%3D");
                self.text.len() - "%3D".len()
            });
            let name = &self.text[start..name_end];
            if name.starts_with(PROTOCOL_PREFIX.as_bytes()) {
                return Err(reserved_name(name, place));
            }
            self.text.extend_from_slice(b"%26");
            self.add(start, name_end);
        }
        Ok(())
    }

    fn add(&mut self, start: usize, name_end: usize) {
        let name = &self.text[start..name_end];
        // A shorter name sorts as if padded with zeros, which no name contains.
        let first = name.first_chunk().copied().unwrap_or_else(|| {
            let mut first = [0; 8];
            first[..name.len()].copy_from_slice(name);
            first
        });
        let pair = Span {
            sort_key: u64::from_be_bytes(first),
            start,
            name_end,
            end: self.text.len(),
        };
        match self.inline.get_mut(self.count) {
            Some(place) => *place = pair,
            None => {
                if self.spilled.is_empty() {
                    self.spilled.extend_from_slice(&self.inline);
                }
                self.spilled.push(pair);
            }
        }
        self.count += 1;
    }

    /// Appends the sorted parameters to the text.
    ///
    /// "The parameters are sorted by name, using ascending byte value ordering. If two or more
    /// parameters share the same name, they are sorted by their value."
    pub(super) fn append_normalised(&mut self) {
        let Self {
            text,
            inline,
            count,
            spilled,
        } = self;
        let pairs = match spilled.is_empty() {
            true => &mut inline[..*count],
            false => &mut spilled[..],
        };
        pairs.sort_unstable_by(|a, b| match a.sort_key.cmp(&b.sort_key) {
            Ordering::Equal => compare(a, b, text),
            order => order,
        });
        for pair in &*pairs {
            text.extend_from_within(pair.start..pair.end);
        }
        if !pairs.is_empty() {
            // No separator follows the last one.
            text.truncate(text.len() - "%26".len());
        }
    }
}

/// Decodes the first parameter of `form`, which then begins after it, and encodes it twice, without
/// a separator after it. Returns the end of the name, if a value follows.
#[inline]
fn encode_parameter(form: &mut &[u8], to: &mut Vec<u8>) -> Option<usize> {
    let mut name_end = None;
    loop {
        let (plain, rest) = form.split_at(unreserved(form));
        to.extend_from_slice(plain);
        let [byte, rest @ ..] = rest else {
            *form = rest;
            return name_end;
        };
        *form = rest;
        match byte {
            b'&' => return name_end,
            b'=' if name_end.is_none() => {
                name_end = Some(to.len());
                to.extend_from_slice(b"%3D");
            }
            b'+' => to.extend_from_slice(&escape_twice(b' ')),
            b'%' => match escaped(form) {
                Some((byte, rest)) => {
                    match is_unreserved(byte) {
                        true => to.extend_from_slice(&[byte]),
                        false => to.extend_from_slice(&escape_twice(byte)),
                    }
                    *form = rest;
                }
                None => to.extend_from_slice(&escape_twice(b'%')),
            },
            _ => to.extend_from_slice(&escape_twice(*byte)),
        }
    }
}

/// Rarely needed, and so kept out of the hot path.
#[cold]
fn compare(a: &Span, b: &Span, text: &[u8]) -> Ordering {
    let by_name = text[a.name()].cmp(&text[b.name()]);
    by_name.then_with(|| text[a.value()].cmp(&text[b.value()]))
}

/// The byte of the escape after a `%`, and the remaining input.
fn escaped(form: &[u8]) -> Option<(u8, &[u8])> {
    let [high, low, rest @ ..] = form else {
        return None;
    };
    Some((digit(*high)? << 4 | digit(*low)?, rest))
}

fn digit(hex: u8) -> Option<u8> {
    let value = char::from(hex).to_digit(16)?;
    u8::try_from(value).ok()
}

/// "each parameter MUST NOT appear more than once per request".
fn reserved_name(name: &[u8], place: &str) -> Error {
    let mut name = String::from_utf8_lossy(name).replace("%25", "%");
    name.truncate(64);
    Error::usage(format!(
        "the {place} of the request already has a parameter {name}; remove it, as names that \
         begin with oauth_ are reserved for the protocol"
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn normalised(form: &str) -> String {
        let mut parameters = Parameters::with_capacity(0);
        parameters
            .extend_from_form(form.as_bytes(), "body")
            .expect(form);
        let end = parameters.text.len();
        parameters.append_normalised();
        let text = std::str::from_utf8(&parameters.text[end..]).expect("ASCII");
        text.replace("%3D", "=")
            .replace("%26", "&")
            .replace("%25", "%")
    }

    #[test]
    fn parameters_are_decoded_once_and_sorted_encoded() {
        for (form, expected) in [
            ("", ""),
            ("&&a&&", "a="),
            ("a=b=c==", "a=b%3Dc%3D%3D"),
            ("=v&=", "=&=v"),
            ("b=2&b=10&b=1&b=&a=z", "a=z&b=&b=1&b=10&b=2"),
            // A name that begins another, and one whose encoding sorts before what it encodes.
            ("ab=1&a=2&a%3D=3&a-=4", "a=2&a%3D=3&a-=4&ab=1"),
            ("a=~&a=%C3%A4&a=\u{e4}", "a=%C3%A4&a=%C3%A4&a=~"),
            ("a=%2541&b=%25&c=+%20%2B", "a=%2541&b=%25&c=%20%20%2B"),
            ("a=%&b=%4&c=%zz&d=%%41", "a=%25&b=%254&c=%25zz&d=%25A"),
            ("a=%ff%FF&b=;", "a=%FF%FF&b=%3B"),
            (
                "oauth=1&Oauth_token=2&xoauth_nonce=3",
                "Oauth_token=2&oauth=1&xoauth_nonce=3",
            ),
        ] {
            assert_eq!(normalised(form), expected, "{form}");
        }
    }

    #[test]
    fn many_parameters_are_sorted_as_few_are() {
        for count in [
            INLINE_PARAMETERS - 1,
            INLINE_PARAMETERS,
            INLINE_PARAMETERS + 1,
            3 * INLINE_PARAMETERS,
        ] {
            let form: Vec<_> = (0..count).rev().map(|n| format!("p{n:03}=1")).collect();
            let mut sorted = form.clone();
            sorted.reverse();
            assert_eq!(normalised(&form.join("&")), sorted.join("&"));
        }
    }

    #[test]
    fn the_protocol_s_names_are_taken() {
        for form in ["oauth_token=1", "a&oauth_x", "%6fauth%5Fnonce=1"] {
            let mut parameters = Parameters::with_capacity(0);
            let error = parameters.extend_from_form(form.as_bytes(), "query");
            let error = error.expect_err(form).to_string();
            assert!(error.starts_with("the query of the request already has a parameter oauth_"));
        }
    }

    proptest! {
        #[test]
        fn any_form_is_read_as_a_form_decoder_reads_it(form in "[ -~\u{e4}\u{1f600}]*") {
            prop_assume!(!form.contains("oauth_"));
            let mut expected: Vec<_> = url::form_urlencoded::parse(form.as_bytes())
                .map(|(name, value)| [name, value].map(|text| crate::encoding::percent_encode(&text)))
                .collect();
            // A decoder replaces bytes that are not UTF-8 by U+FFFD; this compares all others.
            prop_assume!(!expected.iter().flatten().any(|text| text.contains("%EF%BF%BD")));
            expected.sort();
            let expected: Vec<_> = expected.iter().map(|pair| pair.join("=")).collect();
            prop_assert_eq!(normalised(&form), expected.join("&"));
        }
    }
}
