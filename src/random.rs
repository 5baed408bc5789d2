//! Random numbers from the operating system.

use std::{cell::RefCell, time::Duration};

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::error::{Error, Result};

/// Fills `bytes` with random numbers.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<()> {
    SystemRandom::new()
        .fill(bytes)
        .map_err(|_unspecified| Error::random())
}

/// A random duration between half of `wait` and `wait`.
pub(crate) fn jitter(wait: Duration) -> Result<Duration> {
    let mut byte = [0];
    fill(&mut byte)?;
    Ok(wait / 2 + wait / 2 * u32::from(byte[0]) / 255)
}

/// Length of an identifier in characters: 130 bits. It consists of letters and digits, and has
/// between 20 and 30 of them, which oauthlib's servers require of a nonce by default.
pub(crate) const IDENTIFIER_LENGTH: usize = 26;

/// Characters of an identifier, each of which encodes five bits.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Random bytes of one identifier: five bits of the first, and 125 of the others.
const ENTROPY_BYTES: usize = 17;

/// Number of identifiers that one call of the operating system provides for.
const POOL_IDENTIFIERS: usize = 64;

/// Random bytes from the operating system; the unused ones are at the front.
struct Pool {
    bytes: [[u8; ENTROPY_BYTES]; POOL_IDENTIFIERS],
    left: usize,
}

thread_local! {
    // One per thread: no lock, and no bytes that two threads could both use.
    static POOL: RefCell<Pool> = const {
        RefCell::new(Pool { bytes: [[0; ENTROPY_BYTES]; POOL_IDENTIFIERS], left: 0 })
    };
}

/// A unique and unpredictable identifier in ASCII, for a request at the time `now`.
pub(crate) fn identifier(now: Duration) -> Result<[u8; IDENTIFIER_LENGTH]> {
    Ok(encode(entropy()?, now))
}

/// The same as 128 bits, where other characters than letters and digits may be used.
pub(crate) fn unique_bits(now: Duration) -> Result<u128> {
    let [_first, others @ ..] = entropy()?;
    Ok(unlike_a_fork(others, now))
}

fn entropy() -> Result<[u8; ENTROPY_BYTES]> {
    match POOL.try_with(|pool| take(&mut pool.borrow_mut())) {
        Ok(taken) => taken,
        // The thread is ending.
        Err(_destroyed) => {
            let mut bytes = [0; ENTROPY_BYTES];
            fill(&mut bytes).map(|()| bytes)
        }
    }
}

fn take(pool: &mut Pool) -> Result<[u8; ENTROPY_BYTES]> {
    if pool.left == 0 {
        fill(pool.bytes.as_flattened_mut())?;
        pool.left = POOL_IDENTIFIERS;
    }
    pool.left -= 1;
    Ok(pool.bytes[pool.left])
}

fn encode([first, others @ ..]: [u8; ENTROPY_BYTES], now: Duration) -> [u8; IDENTIFIER_LENGTH] {
    let mut identifier = [ALPHABET[usize::from(first & 31)]; IDENTIFIER_LENGTH];
    let mut bits = unlike_a_fork(others, now);
    for character in &mut identifier[1..] {
        *character = ALPHABET[(bits & 31) as usize];
        bits >>= 5;
    }
    identifier
}

/// A forked process inherits the pool of its parent. It does not sign in the same nanosecond.
fn unlike_a_fork(bytes: [u8; 16], now: Duration) -> u128 {
    u128::from_le_bytes(bytes) ^ u128::from(now.subsec_nanos())
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, thread};

    use super::*;

    #[test]
    fn none_is_ever_the_same_in_any_thread() {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                // The same time for all, so that it is not what makes the difference.
                let some = || (0..1000).map(|_| identifier(Duration::ZERO).expect("randomness"));
                thread::spawn(move || some().collect::<Vec<_>>())
            })
            .collect();
        let identifiers: HashSet<_> = threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("identifiers"))
            .collect();
        assert_eq!(identifiers.len(), 4000);
        let letters: HashSet<u8> = identifiers.iter().flatten().copied().collect();
        assert_eq!(letters, ALPHABET.iter().copied().collect());
    }

    #[test]
    fn jitter_is_between_half_of_the_wait_and_the_wait() {
        let wait = Duration::from_secs(8);
        let waits: HashSet<_> = (0..1000)
            .map(|_| jitter(wait).expect("randomness"))
            .collect();
        assert!(waits.iter().all(|some| (wait / 2..=wait).contains(some)));
        // Of 256 values, each with the same chance.
        assert!(waits.len() > 128, "{}", waits.len());
    }

    #[test]
    fn the_time_tells_two_equal_pools_apart() {
        let apart: HashSet<_> = [0, 1, 31, 32, 999_999_999]
            .map(|nanos| encode([7; ENTROPY_BYTES], Duration::from_nanos(nanos)))
            .into();
        assert_eq!(apart.len(), 5);
    }
}
