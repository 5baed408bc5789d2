//! Randomness, from the operating system.

use std::time::Duration;

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
pub(crate) fn jitter(wait: Duration) -> Result<Duration> {
    let mut byte = [0];
    fill(&mut byte)?;
    Ok(wait / 2 + wait / 2 * u32::from(byte[0]) / 255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_half_and_whole() {
        for _ in 0..1000 {
            let wait = jitter(Duration::from_secs(1)).expect("randomness");
            assert!(wait >= Duration::from_millis(500) && wait <= Duration::from_secs(1));
        }
    }
}
