//! Text of parameters that is hashed while it is encoded.

use ring::hmac;

use super::{
    escaped,
    hasher::{Hasher, Piece},
};
use crate::encoding::{escape_twice, is_unreserved};

/// Bytes that are encoded at once.
const STEP_BYTES: usize = 256;

/// Those and some that follow, so that an escape and a copy of fixed length end within.
const WINDOW_BYTES: usize = STEP_BYTES + COPY_BYTES;

/// Length of most copies: that of a few instructions, while a call costs more than the copy.
const COPY_BYTES: usize = 32;

/// Space for a step: at most six bytes for each, and the rest of a copy of fixed length.
const OUTPUT_BYTES: usize = 6 * STEP_BYTES + COPY_BYTES;

/// Text that is hashed piece by piece.
pub(super) struct Hashed {
    hasher: Hasher,
    /// What is hashed next, with space for a step behind it.
    buffer: Piece,
    /// The length up to which it is filled before it is hashed.
    capacity: usize,
    length: usize,
}

impl Hashed {
    /// A text of about `length` bytes, or some more.
    pub(super) fn new(key: &hmac::Key, length: usize) -> Self {
        let (hasher, capacity, buffer) = Hasher::new(key, length, OUTPUT_BYTES);
        Self {
            hasher,
            buffer,
            capacity,
            length: 0,
        }
    }

    pub(super) fn write(&mut self, text: &[u8]) {
        for text in text.chunks(self.capacity) {
            if self.length + text.len() > self.capacity {
                self.flush();
            }
            let end = self.length + text.len();
            self.buffer[self.length..end].copy_from_slice(text);
            self.length = end;
        }
    }

    /// Decodes parameters and encodes them twice. None of them is empty, and the text begins with
    /// one and ends with one.
    pub(super) fn encode_all(&mut self, parameters: &[u8]) {
        self.encode::<false>(parameters, STEP_BYTES);
    }

    /// Decodes the first parameter of `wire` and encodes it twice. Its length is about `expected`.
    pub(super) fn encode_one(&mut self, wire: &[u8], expected: usize) {
        let step = (expected + 1).next_multiple_of(64);
        self.encode::<true>(wire, step.min(STEP_BYTES));
    }

    #[inline]
    fn encode<const ONE: bool>(&mut self, wire: &[u8], step: usize) {
        let mut is_name = true;
        let mut position = 0;
        while position < wire.len() {
            if self.length > self.capacity {
                self.flush();
            }
            let length = (wire.len() - position).min(step);
            let encoded = match wire[position..].first_chunk() {
                Some(window) => self.step::<ONE>(window, length, &mut is_name),
                None => {
                    let mut window = [0; WINDOW_BYTES];
                    let rest = &wire[position..];
                    window[..rest.len()].copy_from_slice(rest);
                    self.step::<ONE>(&window, length, &mut is_name)
                }
            };
            match encoded {
                Some(encoded) => position += encoded,
                None => break,
            }
        }
        if is_name {
            self.write(b"%3D");
        }
    }

    /// Encodes the first `length` bytes, or one or two more where these end within an escape.
    /// Returns how many it has encoded, or none where it is to encode `ONE` parameter and that has
    /// ended.
    fn step<const ONE: bool>(
        &mut self,
        window: &[u8; WINDOW_BYTES],
        length: usize,
        is_name: &mut bool,
    ) -> Option<usize> {
        // All of them first, so that the processor need not wait for them in the loop below, whose
        // end it seldom predicts.
        let mut masks = [0; STEP_BYTES / 64];
        let blocks = window.as_chunks().0;
        let mut masked = 0;
        for (mask, block) in masks.iter_mut().zip(blocks) {
            if masked >= length {
                break;
            }
            *mask = reserved(block);
            masked += 64;
            if masked > length {
                *mask &= u64::MAX >> (masked - length);
            }
        }
        let Some(output) = self.buffer[self.length..].first_chunk_mut() else {
            return Some(length);
        };
        let mut written = 0;
        let mut encoded = 0;
        for (n, mask) in masks.into_iter().enumerate() {
            let mut mask = mask;
            while mask != 0 {
                let next = n * 64 + mask.trailing_zeros() as usize;
                mask &= mask - 1;
                let plain = next - encoded;
                copy(window, encoded, output, written, plain);
                written += plain;
                if ONE && window[next] == b'&' {
                    self.length += written;
                    return None;
                }
                let (byte, rest) = (window[next], [window[next + 1], window[next + 2]]);
                encoded = next + 1;
                let text = match (byte == b'%') & !is_canonical(rest) {
                    true => {
                        let (byte, _) = escaped(&rest)
                            .inspect(|_| encoded += 2)
                            .unwrap_or((b'%', &[]));
                        ENCODED[usize::from(byte)]
                    }
                    false => TEXTS[usize::from(*is_name)][usize::from(byte)],
                };
                *is_name = (*is_name & (byte != b'=')) | (byte == b'&');
                output[written..written + 8].copy_from_slice(&text.to_le_bytes());
                written += usize::from(text.to_le_bytes()[LENGTH]);
            }
        }
        let plain = length.saturating_sub(encoded);
        copy(window, encoded, output, written, plain);
        self.length += written + plain;
        Some(encoded.max(length))
    }

    fn flush(&mut self) {
        self.hasher.update(&mut self.buffer, self.length);
        self.length = 0;
    }

    pub(super) fn finish(mut self) -> hmac::Tag {
        self.flush();
        self.hasher.finish()
    }
}

/// Copies `length` bytes, and often more, which are then overwritten.
#[inline(always)]
fn copy(
    window: &[u8; WINDOW_BYTES],
    from: usize,
    output: &mut [u8; OUTPUT_BYTES],
    to: usize,
    length: usize,
) {
    // Within the window as in its first `STEP_BYTES`, or else there is nothing to copy.
    let from = from.min(STEP_BYTES);
    match length <= COPY_BYTES {
        true => {
            let bytes = &window[from..from + COPY_BYTES];
            output[to..to + COPY_BYTES].copy_from_slice(bytes);
        }
        false => output[to..to + length].copy_from_slice(&window[from..from + length]),
    }
}

/// The bytes of a block that are reserved, as bits.
#[inline(always)]
fn reserved(block: &[u8; 64]) -> u64 {
    let mut flags = [0; 64];
    for (flag, byte) in flags.iter_mut().zip(block) {
        // What a table would tell, as arithmetic on all at once.
        let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        let is_plain = is_letter
            | (byte.wrapping_sub(b'0') < 10)
            | (byte.wrapping_sub(b'-') < 2)
            | (*byte == b'_')
            | (*byte == b'~');
        *flag = u8::from(!is_plain);
    }
    bits(&flags)
}

/// Flags of 0 and 1 as bits, the first one lowest.
#[inline(always)]
pub(super) fn bits(flags: &[u8; 64]) -> u64 {
    let mut mask = 0;
    for (n, flags) in flags.as_chunks().0.iter().enumerate() {
        // Each flag is moved to its place in the highest byte.
        let bits = u64::from_le_bytes(*flags).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask |= bits << (8 * n);
    }
    mask
}

/// Whether the digits are those of a reserved byte, in upper case: they stay as they are.
#[inline(always)]
fn is_canonical([high, low]: [u8; 2]) -> bool {
    LOW_DIGITS[usize::from(high)] & DIGIT[usize::from(low)] != 0
}

/// The low digits, as bits, with which a high one is the escape of a reserved byte.
const LOW_DIGITS: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let [_, _, _, high, low] = escape_twice(byte as u8);
        if !is_unreserved(byte as u8) {
            table[high as usize] |= DIGIT[low as usize];
        }
        byte += 1;
    }
    table
};

/// The bit of a digit in upper case.
const DIGIT: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 16 {
        let [_, _, _, _, low] = escape_twice(byte);
        table[low as usize] = 1 << byte;
        byte += 1;
    }
    table
};

/// The byte of a text in [`TEXTS`] that is its length.
const LENGTH: usize = 6;

/// What each byte becomes, encoded twice.
const ENCODED: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match is_unreserved(byte as u8) {
            true => text(&[byte as u8]),
            false => text(&escape_twice(byte as u8)),
        };
        byte += 1;
    }
    table
};

/// What each byte of a form becomes, in a value and in a name; `%` is that of an escape.
static TEXTS: [[u64; 256]; 2] = {
    let mut value = ENCODED;
    value[b'+' as usize] = text(&escape_twice(b' '));
    value[b'%' as usize] = text(b"%25");
    value[b'&' as usize] = text(b"%26");
    let mut name = value;
    name[b'=' as usize] = text(b"%3D");
    name[b'&' as usize] = text(b"%3D%26");
    [value, name]
};

/// At most six bytes, and their number.
const fn text(text: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let mut at = 0;
    while at < text.len() {
        bytes[at] = text[at];
        at += 1;
    }
    bytes[LENGTH] = text.len() as u8;
    u64::from_le_bytes(bytes)
}
