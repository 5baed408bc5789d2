//! Percent-encoding of RFC 3986, which OAuth 1.0 signatures use and every server accepts in a
//! form-encoded credential; and removal of byte order marks.

pub(crate) mod base64url;

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

pub(crate) const fn is_unreserved(byte: u8) -> bool {
    UNRESERVED[byte as usize]
}

/// The number of leading bytes that are unreserved.
pub(crate) fn unreserved(bytes: &[u8]) -> usize {
    let reserved = |byte: &u8| !UNRESERVED[usize::from(*byte)];
    let (chunks, rest) = bytes.as_chunks::<8>();
    // Eight at a time, as the loop is as expensive as the test.
    for (n, chunk) in chunks.iter().enumerate() {
        if let Some(at) = chunk.iter().position(reserved) {
            return n * 8 + at;
        }
    }
    let at = rest.iter().position(reserved);
    at.map_or(bytes.len(), |at| chunks.len() * 8 + at)
}

/// `byte` as `%XX`.
pub(crate) const fn escape(byte: u8) -> [u8; 3] {
    [b'%', HEX[byte as usize >> 4], HEX[byte as usize & 15]]
}

/// `byte` as `%XX`, percent-encoded once more.
pub(crate) const fn escape_twice(byte: u8) -> [u8; 5] {
    let [percent, high, low] = escape(byte);
    [percent, b'2', b'5', high, low]
}

/// Appends the output of [`percent_encode`] to `to`.
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

/// Percent-encodes UTF-8, except the unreserved characters `A-Z a-z 0-9 - . _ ~`, with upper-case
/// hexadecimal digits.
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

/// Decodes `%XX`. `None` if a percent sign is not followed by two hexadecimal digits, or if the
/// bytes are not UTF-8, as the intended text is then unknown.
///
/// [RFC 3986 section 2.1](https://www.rfc-editor.org/rfc/rfc3986#section-2.1)
pub(crate) fn percent_decode(text: &[u8]) -> Option<String> {
    let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => u8::try_from(digit(bytes.next())? << 4 | digit(bytes.next())?).ok()?,
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

/// The text without the UTF-8 byte order mark that some servers and editors put before it.
///
/// "In the interests of interoperability, implementations that parse JSON texts MAY ignore the
/// presence of a byte order mark rather than treating it as an error."
///
/// [RFC 8259 section 8.1](https://www.rfc-editor.org/rfc/rfc8259#section-8.1)
pub(crate) fn without_byte_order_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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

    #[test]
    fn what_is_no_percent_encoded_utf_8_is_not_decoded() {
        assert_eq!(
            percent_decode(b"a%20b+%c3%A4").as_deref(),
            Some("a b+\u{e4}")
        );
        for bad in [
            "%",
            "%2",
            "%ZZ",
            "%+1",
            "a%",
            "%2%41",
            "%FF",
            "%C3",
            "%ED%A0%80",
        ] {
            assert_eq!(percent_decode(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(percent_decode(b"\xff"), None);
    }

    #[test]
    fn one_byte_order_mark_is_taken_off() {
        for (text, without) in [
            ("\u{feff}a", "a"),
            ("a\u{feff}", "a\u{feff}"),
            ("\u{feff}\u{feff}a", "\u{feff}a"),
            ("", ""),
        ] {
            assert_eq!(without_byte_order_mark(text.as_bytes()), without.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn a_form_decoder_reads_it_back(text: String) {
            let encoded = format!("k={}", percent_encode(&text));
            let (_, decoded) = url::form_urlencoded::parse(encoded.as_bytes()).next().expect("a pair");
            prop_assert_eq!(&decoded, &text);
            prop_assert_eq!(percent_decode(percent_encode(&text).as_bytes()), Some(text));
        }
    }
}
