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
    let end = bytes
        .iter()
        .position(|byte| !UNRESERVED[usize::from(*byte)]);
    end.unwrap_or(bytes.len())
}

/// `byte` as `%XX`.
pub(crate) fn escape(byte: u8) -> [u8; 3] {
    let digit = |nibble: u8| HEX[usize::from(nibble)];
    [b'%', digit(byte >> 4), digit(byte & 15)]
}

/// Encodes as [`percent_encode`] does, onto the end of `to`, and says whether anything had to be
/// escaped.
pub(crate) fn percent_encode_onto(mut bytes: &[u8], to: &mut Vec<u8>) -> bool {
    let mut escaped = false;
    loop {
        let (plain, rest) = bytes.split_at(unreserved(bytes));
        to.extend_from_slice(plain);
        let [byte, rest @ ..] = rest else {
            return escaped;
        };
        to.extend_from_slice(&escape(*byte));
        escaped = true;
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
            let escaped = percent_encode_onto(plain.as_bytes(), &mut onto);
            assert_eq!(escaped, plain != encoded);
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
