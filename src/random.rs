//! Randomness, from the operating system.

use std::{cell::RefCell, time::Duration};

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::error::{Error, Result};

/// Fills `bytes`.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<()> {
    SystemRandom::new()
        .fill(bytes)
        .map_err(|_unspecified| Error::random())
}

/// Somewhere between half of `wait` and `wait`, so that callers who failed together do not come
/// back together.
#[cfg(any(feature = "async", feature = "blocking"))]
pub(crate) fn jitter(wait: Duration) -> Result<Duration> {
    let mut byte = [0];
    fill(&mut byte)?;
    Ok(wait / 2 + wait / 2 * u32::from(byte[0]) / 255)
}

/// Characters of an identifier: 130 bits. Letters and digits only, and between 20 and 30 of them, as
/// oauthlib's servers have it by default for a nonce.
pub(crate) const LENGTH: usize = 26;

/// Five bits each.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// How many identifiers one call of the operating system serves.
const BATCH: usize = 32;

/// Random bytes of the operating system's that no identifier has been made of yet, at the end.
struct Pool {
    bytes: [u8; LENGTH * BATCH],
    left: usize,
}

thread_local! {
    // One for each thread: no lock, and no bytes that two threads could both take.
    static POOL: RefCell<Pool> = const {
        RefCell::new(Pool { bytes: [0; LENGTH * BATCH], left: 0 })
    };
}

/// An identifier that is never the same and that nobody can guess, in ASCII. `now` is the time of
/// the request that it is for.
pub(crate) fn identifier(now: Duration) -> Result<[u8; LENGTH]> {
    let mut identifier = [0; LENGTH];
    match POOL.try_with(|pool| take(&mut pool.borrow_mut(), &mut identifier)) {
        Ok(taken) => taken?,
        // The thread is ending.
        Err(_destroyed) => fill(&mut identifier)?,
    }
    // A forked process has the pool of its parent. It does not sign in the same nanosecond.
    for (byte, time) in identifier.iter_mut().zip(spread(now)) {
        *byte ^= time;
    }
    Ok(identifier.map(|byte| ALPHABET[usize::from(byte & 31)]))
}

fn take(pool: &mut Pool, identifier: &mut [u8; LENGTH]) -> Result<()> {
    if pool.left == 0 {
        fill(&mut pool.bytes)?;
        pool.left = BATCH;
    }
    pool.left -= 1;
    let start = pool.left * LENGTH;
    identifier.copy_from_slice(&pool.bytes[start..start + LENGTH]);
    Ok(())
}

/// The nanoseconds, five bits to a byte.
fn spread(now: Duration) -> [u8; 6] {
    let nanos = now.subsec_nanos();
    [0, 5, 10, 15, 20, 25].map(|shift| (nanos >> shift & 31) as u8)
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
    fn the_time_tells_two_equal_pools_apart() {
        let apart: HashSet<_> = [0, 1, 31, 32, 999_999_999]
            .map(|nanos| spread(Duration::from_nanos(nanos)))
            .into();
        assert_eq!(apart.len(), 5);
    }

    #[cfg(any(feature = "async", feature = "blocking"))]
    #[test]
    fn jitter_stays_within_half_and_whole() {
        for _ in 0..1000 {
            let wait = jitter(Duration::from_secs(1)).expect("randomness");
            assert!(wait >= Duration::from_millis(500) && wait <= Duration::from_secs(1));
        }
    }
}
