//! Percent-encoding as RFC 3986 has it, which OAuth 1.0 signs with and which every server
//! understands in a form-encoded credential.

/// The unreserved characters `A-Z a-z 0-9 - . _ ~`.
const UNRESERVED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let at = byte as u8;
        table[byte] = at.is_ascii_alphanumeric() || matches!(at, b'-' | b'.' | b'_' | b'~');
        byte += 1;
    }
    table
};

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// How many of the first bytes stand for themselves.
pub(crate) fn unreserved(bytes: &[u8]) -> usize {
    let reserved = |byte: &u8| !UNRESERVED[usize::from(*byte)];
    let (chunks, rest) = bytes.as_chunks::<8>();
    // Eight at a time, as the loop costs as much as the test.
    for (n, chunk) in chunks.iter().enumerate() {
        if let Some(at) = chunk.iter().position(reserved) {
            return n * 8 + at;
        }
    }
    let at = rest.iter().position(reserved);
    at.map_or(bytes.len(), |at| chunks.len() * 8 + at)
}

/// `byte` as `%XX`.
pub(crate) fn escape(byte: u8) -> [u8; 3] {
    let digit = |nibble: u8| HEX[usize::from(nibble)];
    [b'%', digit(byte >> 4), digit(byte & 15)]
}

/// `byte` as `%XX` when that is percent-encoded in turn.
pub(crate) fn escape_twice(byte: u8) -> [u8; 5] {
    let [percent, high, low] = escape(byte);
    [percent, b'2', b'5', high, low]
}

/// Encodes as [`percent_encode`] does, onto the end of `to`.
pub(crate) fn percent_encode_onto(mut bytes: &[u8], to: &mut Vec<u8>) {
    loop {
        let (plain, rest) = bytes.split_at(unreserved(bytes));
        to.extend_from_slice(plain);
        let [byte, rest @ ..] = rest else {
            return;
        };
        to.extend_from_slice(&escape(*byte));
        bytes = rest;
    }
}

/// Encodes all but the unreserved characters `A-Z a-z 0-9 - . _ ~`, upper-case hex, UTF-8.
///
/// [RFC 3986 section 2.3](https://www.rfc-editor.org/rfc/rfc3986#section-2.3)
pub(crate) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if UNRESERVED[usize::from(byte)] {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(escape(byte).map(char::from));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{percent_encode, percent_encode_onto};

    #[test]
    fn examples() {
        for (plain, encoded) in [
            ("", ""),
            ("AZaz09-._~", "AZaz09-._~"),
            (" +%&=:/?*'()", "%20%2B%25%26%3D%3A%2F%3F%2A%27%28%29"),
            ("ä☃", "%C3%A4%E2%98%83"),
            ("\0\n\u{7f}", "%00%0A%7F"),
        ] {
            assert_eq!(percent_encode(plain), encoded);
            let mut onto = b"=".to_vec();
            percent_encode_onto(plain.as_bytes(), &mut onto);
            assert_eq!(onto, format!("={encoded}").as_bytes());
        }
    }

    proptest! {
        #[test]
        fn a_form_decoder_reads_it_back(text: String) {
            let encoded = format!("k={}", percent_encode(&text));
            let (_, decoded) = url::form_urlencoded::parse(encoded.as_bytes()).next().expect("a pair");
            prop_assert_eq!(decoded, text);
        }
    }
}
