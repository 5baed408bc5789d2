//! Base64url without padding, for what is signed anew for each request.
//!
//! The crate base64 takes more than six instructions for each character of a text this short, twice as
//! many as a table of pairs of characters.
//!
//! [RFC 4648 section 5](https://www.rfc-editor.org/rfc/rfc4648#section-5)

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The two characters of each twelve bits.
static PAIRS: [[u8; 2]; 4096] = {
    let mut pairs = [[0; 2]; 4096];
    let mut bits = 0;
    while bits < 4096 {
        pairs[bits] = [ALPHABET[bits >> 6], ALPHABET[bits & 63]];
        bits += 1;
    }
    pairs
};

/// The characters of the first twelve bits.
fn pair(bits: u64) -> [u8; 2] {
    PAIRS[(bits >> 52) as usize]
}

/// Fills eight characters with six bytes, of which eight are read at once.
fn encode_six(bytes: &[u8], characters: &mut [u8]) {
    let bits = bytes
        .first_chunk()
        .map_or(0, |eight| u64::from_be_bytes(*eight));
    for (n, two) in characters.as_chunks_mut().0.iter_mut().enumerate() {
        *two = pair(bits << (12 * n));
    }
}

/// The length of `bytes` bytes in base64url.
pub(crate) const fn encoded_len(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

/// Fills `text`, which has the [`encoded_len`], with `bytes` in base64url.
pub(crate) fn encode(bytes: &[u8], text: &mut [u8]) {
    debug_assert_eq!(text.len(), encoded_len(bytes.len()));
    let (mut rest, mut at) = (bytes, 0);
    // Most of them twice six at once, as the loop is as expensive as what is in it.
    for characters in text.as_chunks_mut::<16>().0 {
        let Some(bytes) = rest.first_chunk::<14>() else {
            break;
        };
        encode_six(bytes, &mut characters[..8]);
        encode_six(&bytes[6..], &mut characters[8..]);
        (rest, at) = (&rest[12..], at + 16);
    }
    if rest.len() >= 8 {
        encode_six(rest, &mut text[at..at + 8]);
        (rest, at) = (&rest[6..], at + 8);
    }
    // Fewer than eight are left, with zeros after them.
    let mut bits = match bytes.last_chunk() {
        Some(last) => u64::from_be_bytes(*last),
        None => rest
            .iter()
            .fold(0, |bits, byte| bits << 8 | u64::from(*byte)),
    };
    bits = bits.unbounded_shl(64 - 8 * rest.len() as u32);
    let (twos, one) = text[at..].as_chunks_mut();
    for two in twos {
        *two = pair(bits);
        bits <<= 12;
    }
    if let [character] = one {
        [*character, _] = pair(bits);
    }
}

/// The 128 bits in base64url.
pub(crate) fn encode_bits(bits: u128) -> [u8; 22] {
    let mut characters = [0; 22];
    let first = (bits >> 64) as u64;
    // Five times twelve of the first 64.
    let rest = (bits << 60 >> 64) as u64;
    let last = (bits as u64) << 56;
    for (n, two) in characters.as_chunks_mut().0.iter_mut().enumerate() {
        *two = pair(match n {
            0..5 => first << (12 * n),
            5..10 => rest << (12 * (n - 5)),
            _ => last,
        });
    }
    characters
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    fn encoded(bytes: &[u8]) -> String {
        let mut text = vec![b'!'; encoded_len(bytes.len())];
        encode(bytes, &mut text);
        String::from_utf8(text).expect("ASCII")
    }

    #[test]
    fn examples() {
        // RFC 4648 section 10, without padding, and the characters of section 5.
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
            ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encoded(bytes.as_bytes()), text);
        }
        assert_eq!(encoded(b"\xfb\xff\xbf"), "-_-_");
    }

    #[test]
    fn bits_are_encoded_as_their_bytes() {
        for n in 0..128 {
            let bits = 1_u128 << n | 0x0123_4567_89ab_cdef_u128 << (n / 2);
            let text = URL_SAFE_NO_PAD.encode(bits.to_be_bytes());
            assert_eq!(encode_bits(bits), text.as_bytes(), "{n}");
        }
    }

    #[test]
    fn each_length_and_each_character() {
        let bytes: Vec<u8> = (0..=255).cycle().step_by(7).take(600).collect();
        for length in 0..=bytes.len() {
            let bytes = &bytes[..length];
            assert_eq!(encoded(bytes), URL_SAFE_NO_PAD.encode(bytes), "{length}");
        }
        for pair in 0..4096_u32 {
            let bytes = &(pair << 12 | pair).to_be_bytes()[1..];
            assert_eq!(encoded(bytes), URL_SAFE_NO_PAD.encode(bytes), "{pair}");
        }
    }

    proptest! {
        #[test]
        fn as_the_crate_base64_has_it(bytes: Vec<u8>) {
            prop_assert_eq!(encoded(&bytes), URL_SAFE_NO_PAD.encode(&bytes));
        }
    }
}
