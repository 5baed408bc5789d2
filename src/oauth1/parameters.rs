//! The parameters of a request, collected and normalised.
//!
//! [RFC 5849 section 3.4.1.3](https://www.rfc-editor.org/rfc/rfc5849#section-3.4.1.3)

use std::ops::Range;

use crate::{
    encoding::{escape, percent_encode_onto, unreserved},
    error::{Error, Result},
};

/// So many parameters need no allocation.
const FEW: usize = 32;

/// All parameters, percent-encoded one behind the other into one text, and the order they are
/// signed in. What is made of them comes behind them in the same text, which is then the only
/// allocation.
pub(super) struct Parameters {
    /// `name=value&` for each.
    pub(super) text: Vec<u8>,
    few: [Pair; FEW],
    count: usize,
    /// All of them, if there are more than few.
    many: Vec<Pair>,
}

/// Where a parameter stands in the text.
#[derive(Clone, Copy, Default)]
pub(super) struct Pair {
    /// The first eight bytes of the name, by which most names differ already.
    sort: u64,
    name: usize,
    value: usize,
    end: usize,
    /// Whether there is a `%` in it.
    escaped: bool,
}

impl Pair {
    pub(super) fn name(&self) -> Range<usize> {
        self.name..self.value - 1
    }

    pub(super) fn value(&self) -> Range<usize> {
        self.value..self.end
    }
}

impl Parameters {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            text: Vec::with_capacity(bytes),
            few: [Pair::default(); FEW],
            count: 0,
            many: Vec::new(),
        }
    }

    /// Adds a parameter of the protocol's, whose name needs no encoding.
    pub(super) fn push(&mut self, name: &'static str, value: &[u8]) -> Pair {
        let start = self.text.len();
        self.text.extend_from_slice(name.as_bytes());
        self.text.push(b'=');
        let equals = self.text.len();
        let escaped = percent_encode_onto(value, &mut self.text);
        self.add(start, equals, escaped)
    }

    /// The same with a number.
    pub(super) fn push_number(&mut self, name: &'static str, mut number: u64) -> Pair {
        let mut digits = [0; 20];
        let mut start = digits.len();
        loop {
            start -= 1;
            digits[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.push(name, &digits[start..])
    }

    /// Adds the parameters of a query or a form body, of which none may be the protocol's.
    ///
    /// They are decoded once, `+` as a space, and encoded anew, in one go. Bytes that are no UTF-8
    /// and a `%` that escapes nothing are taken as they are.
    pub(super) fn extend_from_form(&mut self, mut form: &[u8], place: &str) -> Result<()> {
        while !form.is_empty() {
            let start = self.text.len();
            let (mut equals, mut escaped) = (None, false);
            // To the end of this parameter.
            loop {
                let (plain, rest) = form.split_at(unreserved(form));
                self.text.extend_from_slice(plain);
                let byte;
                (byte, form) = match rest {
                    [] => (b'&', rest),
                    [b'+', rest @ ..] => (b' ', rest),
                    [b'%', high, low, rest @ ..] => match (digit(*high), digit(*low)) {
                        (Some(high), Some(low)) => {
                            escaped |= self.push_byte(high << 4 | low);
                            form = rest;
                            continue;
                        }
                        _ => (b'%', &form[plain.len() + 1..]),
                    },
                    [byte, rest @ ..] => (*byte, rest),
                };
                match byte {
                    b'&' => break,
                    b'=' if equals.is_none() => {
                        self.text.push(b'=');
                        equals = Some(self.text.len());
                    }
                    _ => escaped |= self.push_byte(byte),
                }
            }
            if self.text.len() == start {
                continue;
            }
            if self.text[start..].starts_with(b"oauth_") {
                let end = equals.map_or(self.text.len(), |equals| equals - 1);
                return Err(taken(&self.text[start..end], place));
            }
            let equals = equals.unwrap_or_else(|| {
                self.text.push(b'=');
                self.text.len()
            });
            self.add(start, equals, escaped);
        }
        Ok(())
    }

    /// Adds a byte to the text, and says whether it had to be escaped.
    fn push_byte(&mut self, byte: u8) -> bool {
        let escaped = unreserved(&[byte]) == 0;
        match escaped {
            true => self.text.extend_from_slice(&escape(byte)),
            false => self.text.push(byte),
        }
        escaped
    }

    fn add(&mut self, name: usize, value: usize, escaped: bool) -> Pair {
        let end = self.text.len();
        let start = &self.text[name..value - 1];
        let sort = start
            .iter()
            .take(8)
            .fold(0, |sort, byte| sort << 8 | u64::from(*byte));
        let pair = Pair {
            // A name that ends is sorted as if zeros followed, which none has.
            sort: sort << (8 * (8 - start.len().min(8)) % 64),
            name,
            value,
            end,
            escaped,
        };
        self.text.push(b'&');
        match self.few.get_mut(self.count) {
            Some(place) => *place = pair,
            None => {
                if self.many.is_empty() {
                    self.many.extend_from_slice(&self.few);
                }
                self.many.push(pair);
            }
        }
        self.count += 1;
        pair
    }

    /// Sorts the parameters and appends them to the text, encoded as a whole.
    ///
    /// "The parameters are sorted by name, using ascending byte value ordering. If two or more
    /// parameters share the same name, they are sorted by their value."
    pub(super) fn append_normalised(&mut self) {
        let Self {
            text,
            few,
            count,
            many,
        } = self;
        let pairs = match many.is_empty() {
            true => &mut few[..*count],
            false => &mut many[..],
        };
        pairs.sort_unstable_by(|a, b| {
            a.sort
                .cmp(&b.sort)
                .then_with(|| text[a.name()].cmp(&text[b.name()]))
                .then_with(|| text[a.value()].cmp(&text[b.value()]))
        });
        for (index, pair) in pairs.iter().enumerate() {
            if index > 0 {
                text.extend_from_slice(b"%26");
            }
            let append = match pair.escaped {
                true => append_encoded,
                false => Vec::extend_from_within,
            };
            append(text, pair.name());
            text.extend_from_slice(b"%3D");
            append(text, pair.value());
        }
    }
}

/// Encodes what is encoded already, and so has no character but `%` to be escaped.
fn append_encoded(text: &mut Vec<u8>, range: Range<usize>) {
    let mut start = range.start;
    let percent = |byte: &u8| *byte == b'%';
    while let Some(at) = text[start..range.end].iter().position(percent) {
        text.extend_from_within(start..=start + at);
        text.extend_from_slice(b"25");
        start += at + 1;
    }
    text.extend_from_within(start..range.end);
}

fn digit(hex: u8) -> Option<u8> {
    let value = char::from(hex).to_digit(16)?;
    u8::try_from(value).ok()
}

/// "each parameter MUST NOT appear more than once per request".
fn taken(name: &[u8], place: &str) -> Error {
    let name = &name[..name.len().min(64)];
    Error::usage(format!(
        "the {place} of the request has a parameter {} already; names that begin with oauth_ are \
         the protocol's",
        String::from_utf8_lossy(name)
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
        for count in [FEW - 1, FEW, FEW + 1, 3 * FEW] {
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
            assert!(error.starts_with("the query of the request has a parameter oauth_"));
        }
    }

    proptest! {
        #[test]
        fn any_form_is_read_as_a_form_decoder_reads_it(form in "[ -~\u{e4}\u{1f600}]*") {
            prop_assume!(!form.contains("oauth_"));
            let mut expected: Vec<_> = url::form_urlencoded::parse(form.as_bytes())
                .map(|(name, value)| [name, value].map(|text| crate::encoding::percent_encode(&text)))
                .collect();
            // A decoder puts U+FFFD in the place of what is no UTF-8; this is about the rest.
            prop_assume!(!expected.iter().flatten().any(|text| text.contains("%EF%BF%BD")));
            expected.sort();
            let expected: Vec<_> = expected.iter().map(|pair| pair.join("=")).collect();
            prop_assert_eq!(normalised(&form), expected.join("&"));
        }
    }
}
