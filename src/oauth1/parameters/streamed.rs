//! Parameters of a large request, which are encoded while they are hashed.
//!
//! [RFC 5849 section 3.4.1.3](https://www.rfc-editor.org/rfc/rfc5849#section-3.4.1.3)

use std::{cmp::Ordering, io::BufRead as _};

use ring::hmac;

use super::{Output, PROTOCOL_PREFIX, encode_parameter, escaped, reserved_name};
use crate::{
    encoding::{escape, is_unreserved, unreserved},
    error::Result,
};

/// Bytes that are hashed at once.
const BUFFER_BYTES: usize = 8 * 1024;

/// The positions of the parameters of a query and a form, sorted. It takes four bytes for each.
pub(in crate::oauth1) struct StreamedParameters<'a> {
    wire: QueryAndForm<'a>,
    sorted: Box<[u32]>,
    /// The protocol parameters in their signed form, with a separator after them.
    protocol: Vec<u8>,
}

impl<'a> StreamedParameters<'a> {
    /// Sorts the parameters of a query and a form, which must not contain protocol parameters.
    /// `None` if there are more bytes than positions.
    pub(in crate::oauth1) fn new(query: &'a [u8], form: &'a [u8]) -> Result<Option<Self>> {
        if query.len().saturating_add(form.len()) > u32::MAX as usize {
            return Ok(None);
        }
        let wire = QueryAndForm { query, form };
        let mut sorted = Vec::with_capacity(count(query) + count(form));
        for (mut rest, offset, place) in [(query, 0, "query"), (form, query.len(), "body")] {
            let len = rest.len();
            while !rest.is_empty() {
                let parameter = rest;
                let start = offset + len - rest.len();
                // A slice has no errors.
                let separated = rest.skip_until(b'&').unwrap_or_default();
                if matches!(parameter[..separated], [] | [b'&']) {
                    continue;
                }
                if begins_with_protocol_prefix(parameter) {
                    let (mut name, mut parameter) = (Vec::new(), parameter);
                    let end = encode_parameter(&mut parameter, &mut name);
                    name.truncate(end.unwrap_or(name.len()));
                    return Err(reserved_name(&name, place));
                }
                sorted.push(start as u32);
            }
        }
        sort(&wire, &mut sorted);
        Ok(Some(Self {
            wire,
            sorted: sorted.into(),
            protocol: Vec::new(),
        }))
    }

    /// Sets all protocol parameters, in their signed form.
    pub(in crate::oauth1) fn set_protocol_parameters(&mut self, signed: Vec<u8>) {
        self.protocol = signed;
    }

    /// The HMAC of `start` and the normalised parameters.
    pub(in crate::oauth1) fn sign(&self, key: &hmac::Key, start: &[u8]) -> hmac::Tag {
        let mut hashed = Hashed {
            context: hmac::Context::with_key(key),
            buffer: Vec::with_capacity(BUFFER_BYTES),
        };
        hashed.write(start);
        let protocol = self.sorted.partition_point(|position| {
            compare(self.wire.parameter(*position), PROTOCOL_PREFIX.as_bytes()).is_lt()
        });
        let (before, after) = self.sorted.split_at(protocol);
        for position in before {
            self.write(*position, &mut hashed);
            hashed.write(b"%26");
        }
        hashed.write(self.protocol.strip_suffix(b"%26").unwrap_or(&self.protocol));
        for position in after {
            hashed.write(b"%26");
            self.write(*position, &mut hashed);
        }
        hashed.finish()
    }

    fn write(&self, position: u32, to: &mut Hashed) {
        let mut parameter = self.wire.parameter(position);
        if encode_parameter(&mut parameter, to).is_none() {
            to.write(b"%3D");
        }
    }
}

/// Sorts the positions of parameters by the parameters.
fn sort(wire: &QueryAndForm<'_>, positions: &mut [u32]) {
    let compare = |a: u32, b: u32| compare(wire.parameter(a), wire.parameter(b));
    if positions.is_sorted_by(|a, b| compare(*a, *b).is_le()) {
        return;
    }
    if positions.len() * size_of::<(u64, u32)>() > wire.len() {
        // So many short ones that keys would take more memory than the parameters.
        positions.sort_unstable_by(|a, b| compare(*a, *b));
        return;
    }
    let prefix = common_prefix(positions.iter().map(|position| wire.parameter(*position)));
    let keyed = |position: &u32| (sort_key(&wire.parameter(*position)[prefix..]), *position);
    let mut keys: Vec<_> = positions.iter().map(keyed).collect();
    // Parameters in any order are seldom in the cache of the processor, and keys are.
    keys.sort_unstable_by(|(a_key, a), (b_key, b)| a_key.cmp(b_key).then_with(|| compare(*a, *b)));
    for (position, (_, sorted)) in positions.iter_mut().zip(keys) {
        *position = sorted;
    }
}

/// The number of unreserved bytes with which all names begin.
fn common_prefix<'a>(mut parameters: impl Iterator<Item = &'a [u8]>) -> usize {
    let Some(first) = parameters.next() else {
        return 0;
    };
    let mut prefix = &first[..unreserved(first)];
    for parameter in parameters {
        let same = prefix.iter().zip(parameter);
        prefix = &prefix[..same.take_while(|(a, b)| a == b).count()];
    }
    prefix.len()
}

/// The first eight bytes of a name, which tell most names apart. A shorter one sorts as if padded
/// with zeros, which no name contains.
fn sort_key(name: &[u8]) -> u64 {
    let mut key = [0; 8];
    for (place, byte) in key.iter_mut().zip(Encoded::name(name)) {
        *place = byte;
    }
    u64::from_be_bytes(key)
}

/// Query and form, with positions in both.
struct QueryAndForm<'a> {
    query: &'a [u8],
    form: &'a [u8],
}

impl<'a> QueryAndForm<'a> {
    fn len(&self) -> usize {
        self.query.len() + self.form.len()
    }

    /// The parameter that begins there, and all that follow it.
    fn parameter(&self, position: u32) -> &'a [u8] {
        let position = position as usize;
        match position.checked_sub(self.query.len()) {
            None => &self.query[position..],
            Some(position) => &self.form[position..],
        }
    }
}

/// The number of parameters, empty ones included.
fn count(form: &[u8]) -> usize {
    // A byte does as a counter for so many.
    let separators = form.chunks(128).map(|chunk| {
        let separators = chunk.iter().map(|byte| u8::from(*byte == b'&'));
        usize::from(separators.sum::<u8>())
    });
    separators.sum::<usize>() + 1
}

fn begins_with_protocol_prefix(parameter: &[u8]) -> bool {
    // Most names begin with another letter.
    matches!(parameter, [b'o' | b'%', ..])
        && Encoded::name(parameter)
            .take(PROTOCOL_PREFIX.len())
            .eq(PROTOCOL_PREFIX.bytes())
}

/// Compares the first parameters of two forms by their encoded names, then by their encoded values.
fn compare(a: &[u8], b: &[u8]) -> Ordering {
    // Most differ in a letter of their names.
    let same = a
        .iter()
        .zip(b)
        .take_while(|(a, b)| a == b && is_unreserved(**a));
    let same = same.count();
    if let (Some(a), Some(b)) = (a.get(same), b.get(same))
        && is_unreserved(*a)
        && is_unreserved(*b)
    {
        return a.cmp(b);
    }
    let (mut a, mut b) = (Encoded::name(&a[same..]), Encoded::name(&b[same..]));
    let by_name = a.by_ref().cmp(b.by_ref());
    by_name.then_with(|| a.value().cmp(b.value()))
}

/// The bytes of a name or a value, decoded and encoded once.
struct Encoded<'a> {
    /// The remaining form.
    rest: &'a [u8],
    is_name: bool,
    /// The digits of the last escape, and how many of them are still to come.
    digits: [u8; 2],
    pending: usize,
}

impl<'a> Encoded<'a> {
    fn name(rest: &'a [u8]) -> Self {
        Self::new(rest, true)
    }

    /// The value after a name that was read to its end.
    fn value(self) -> Self {
        Self::new(self.rest.strip_prefix(b"=").unwrap_or(self.rest), false)
    }

    fn new(rest: &'a [u8], is_name: bool) -> Self {
        Self {
            rest,
            is_name,
            digits: [0; 2],
            pending: 0,
        }
    }
}

impl Iterator for Encoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if self.pending > 0 {
            self.pending -= 1;
            return Some(self.digits[1 - self.pending]);
        }
        let (byte, rest) = self.rest.split_first()?;
        let (byte, rest) = match byte {
            b'&' => return None,
            b'=' if self.is_name => return None,
            b'+' => (b' ', rest),
            b'%' => escaped(rest).unwrap_or((b'%', rest)),
            _ => (*byte, rest),
        };
        self.rest = rest;
        if is_unreserved(byte) {
            return Some(byte);
        }
        let [percent, digits @ ..] = escape(byte);
        self.digits = digits;
        self.pending = digits.len();
        Some(percent)
    }
}

/// Text that is hashed piece by piece.
struct Hashed {
    context: hmac::Context,
    buffer: Vec<u8>,
}

impl Hashed {
    fn flush(&mut self) {
        self.context.update(&self.buffer);
        self.buffer.clear();
    }

    fn finish(mut self) -> hmac::Tag {
        self.flush();
        self.context.sign()
    }
}

impl Output for Hashed {
    fn write(&mut self, text: &[u8]) {
        if self.buffer.len() + text.len() > BUFFER_BYTES {
            self.flush();
        }
        match text.len() > BUFFER_BYTES {
            true => self.context.update(text),
            false => self.buffer.extend_from_slice(text),
        }
    }

    /// No position is of use, as the text is gone.
    fn written(&self) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::oauth1::parameters::Parameters;

    const START: &[u8] = b"POST&https%3A%2F%2Fa.example%2F&";
    const PROTOCOL: &[u8] = b"oauth_nonce%3Da%26oauth_version%3D1.0%26";

    fn key() -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, b"a&b")
    }

    /// The HMAC of the whole base string.
    fn by_text(query: &[u8], form: &[u8]) -> Result<hmac::Tag> {
        let mut parameters = Parameters::with_capacity(0);
        parameters.extend_from_form(query, "query")?;
        parameters.extend_from_form(form, "body")?;
        parameters.push_protocol_parameters(|text| text.extend_from_slice(PROTOCOL));
        let end = parameters.text.len();
        parameters.text.extend_from_slice(START);
        parameters.append_normalised();
        Ok(hmac::sign(&key(), &parameters.text[end..]))
    }

    fn streamed(query: &[u8], form: &[u8]) -> Result<hmac::Tag> {
        let parameters = StreamedParameters::new(query, form)?;
        let mut parameters = parameters.expect("few bytes");
        parameters.set_protocol_parameters(PROTOCOL.to_vec());
        Ok(parameters.sign(&key(), START))
    }

    /// Whether both sign alike, or refuse alike.
    fn agree(query: &[u8], form: &[u8]) -> Result<bool> {
        match (by_text(query, form), streamed(query, form)) {
            (Ok(text), Ok(streamed)) => Ok(text.as_ref() == streamed.as_ref()),
            (Err(text), Err(streamed)) => Ok(text.to_string() == streamed.to_string()),
            (text, streamed) => text.and(streamed).map(|_| false),
        }
    }

    #[test]
    fn the_signature_is_that_of_the_text() {
        let large = "p".repeat(3 * BUFFER_BYTES);
        let names: Vec<_> = (0..2000).rev().map(|n| format!("p{n}={n}%20")).collect();
        let long: Vec<_> = (0..2000)
            .map(|n| {
                let name = ["parameter_", "parameter%5F", "parameter"][n % 3];
                format!("{name}{}=a value that is long {}", n * 7 % 500, n % 2)
            })
            .collect();
        for (query, form) in [
            ("", ""),
            ("&a&&", "&&"),
            ("b=2&a", "a=1&b=1&b=&z=+&oauth=1&oaut&p"),
            (
                "ab=1&a=2&a%3D=3&a-=4&a%41=1&aA=2&aA=1",
                "=v&=&%=&%4&%zz=1&%25zz",
            ),
            ("a=%C3%A4", "a=\u{e4}&a=b=c&a=b%3Dc&a=b%3dc&a=b+c&a=b%20c"),
            (&large, &large),
            ("a=1", &names.join("&")),
            ("parameter_1=1", &long.join("&")),
        ] {
            let agreed = agree(query.as_bytes(), form.as_bytes());
            assert!(agreed.expect("a signature"), "{query} {form}");
        }
    }

    #[test]
    fn the_protocol_s_names_are_taken() {
        for name in [
            "oauth_token=1",
            "a&oauth_x",
            "%6fauth%5Fnonce=1",
            "oauth%5f%25=",
            "oauth_",
        ] {
            for (query, form) in [(name, "b"), ("b", name)] {
                let error = streamed(query.as_bytes(), form.as_bytes()).expect_err(name);
                assert!(error.to_string().contains("already has a parameter oauth_"));
                assert!(agree(query.as_bytes(), form.as_bytes()).expect("two errors"));
            }
        }
    }

    proptest! {
        #[test]
        fn any_form_is_signed_as_its_text_is(
            padding in 0..2_usize,
            query in "([aob]|oauth_|%|%2|%4[0-9a-fz]|[&=+]|\u{e4}|.){0,12}",
            form in prop::collection::vec("([ab]|%41|%3D|[=+%-]|\u{e4}|.){0,6}", 0..40),
            bytes: Vec<u8>,
        ) {
            // Sorted by keys, where the parameters take more memory than these.
            let padding = ["", "=a value of twenty four"][padding];
            let form = form.join(&format!("{padding}&"));
            prop_assert!(agree(query.as_bytes(), form.as_bytes()).unwrap_or(false));
            prop_assert!(agree(&bytes, &bytes).unwrap_or(false));
        }
    }
}
