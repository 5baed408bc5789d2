//! DER, as far as keys and certificates need it.
//!
//! [X.690](https://www.itu.int/rec/T-REC-X.690)

/// Tag of a value.
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
/// `[0]`, constructed.
pub(super) const CONTEXT_0: u8 = 0xa0;
/// `[1]`, constructed.
pub(super) const CONTEXT_1: u8 = 0xa1;
/// `[1]`, primitive.
pub(super) const PRIMITIVE_1: u8 = 0x81;

/// Sequence of values.
#[derive(Clone, Copy)]
pub(super) struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The content of a single sequence that takes all of `bytes`.
    pub(super) fn sequence(bytes: &'a [u8]) -> Option<Self> {
        Self::only(bytes, SEQUENCE).map(Self)
    }

    /// The content of a single value that takes all of `bytes`.
    pub(super) fn only(bytes: &'a [u8], tag: u8) -> Option<&'a [u8]> {
        let mut whole = Self(bytes);
        let content = whole.read(tag)?;
        whole.is_end().then_some(content)
    }

    pub(super) fn is_end(&self) -> bool {
        self.0.is_empty()
    }

    /// The tag of the next value.
    pub(super) fn tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The content of the next value, which must have this tag.
    pub(super) fn read(&mut self, tag: u8) -> Option<&'a [u8]> {
        let [first, rest @ ..] = self.0 else {
            return None;
        };
        let (length, rest) = length(rest)?;
        let (content, rest) = rest.split_at_checked(length)?;
        if *first != tag {
            return None;
        }
        self.0 = rest;
        Some(content)
    }

    /// The content of the next value if it has this tag; else nothing is read.
    pub(super) fn optional(&mut self, tag: u8) -> Option<&'a [u8]> {
        match self.tag() {
            Some(next) if next == tag => self.read(tag),
            _ => None,
        }
    }

    /// The values in the next value.
    pub(super) fn nested(&mut self, tag: u8) -> Option<Self> {
        self.read(tag).map(Self)
    }

    /// A non-negative integer, without leading zeros.
    pub(super) fn unsigned(&mut self) -> Option<&'a [u8]> {
        match self.read(INTEGER)? {
            [0] => Some(&[]),
            [0, number @ ..] => Some(number),
            number => number
                .first()
                .is_some_and(|first| *first < 0x80)
                .then_some(number),
        }
    }

    /// A bit string that consists of whole bytes.
    pub(super) fn bits(&mut self) -> Option<&'a [u8]> {
        match self.read(BIT_STRING)? {
            [0, bytes @ ..] => Some(bytes),
            _ => None,
        }
    }
}

/// A definite length in its shortest form, and the remaining input.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [short, rest @ ..] if *short < 0x80 => Some((usize::from(*short), rest)),
        [0x81, length, rest @ ..] if *length >= 0x80 => Some((usize::from(*length), rest)),
        [0x82, high, low, rest @ ..] if *high > 0 => {
            Some((usize::from(*high) << 8 | usize::from(*low), rest))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_der_is_read() {
        let read = |bytes: &[u8]| Der(bytes).read(INTEGER).map(<[u8]>::to_vec);
        assert_eq!(read(&[2, 1, 7]), Some(vec![7]));
        let mut long = vec![2, 0x81, 0x80];
        long.extend([7; 0x80]);
        assert_eq!(read(&long), Some(vec![7; 0x80]));
        for bytes in [
            &[] as &[u8],
            &[2],
            &[2, 2, 7],
            &[4, 1, 7],
            // Lengths that could be shorter, or are not known.
            &[2, 0x81, 1, 7],
            &[2, 0x82, 0, 1, 7],
            &[2, 0x80, 7, 0, 0],
            &[2, 0x84, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert_eq!(read(bytes), None, "{bytes:?}");
        }
        assert!(Der::sequence(&[0x30, 0]).is_some());
        assert!(Der::sequence(&[0x30, 0, 0]).is_none());
    }

    #[test]
    fn numbers() {
        let read = |bytes: &[u8]| Der(bytes).unsigned().map(<[u8]>::to_vec);
        assert_eq!(read(&[2, 1, 0]), Some(vec![]));
        assert_eq!(read(&[2, 2, 0, 0x80]), Some(vec![0x80]));
        assert_eq!(read(&[2, 1, 0x80]), None);
        assert_eq!(read(&[2, 0]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let mut der = Der(&bytes);
            while let Some(tag) = der.tag() {
                if der.read(tag).is_none() {
                    break;
                }
            }
        }
    }
}
