//! Randomness, from the operating system.

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
pub(crate) fn jitter(wait: std::time::Duration) -> Result<std::time::Duration> {
    let mut byte = [0];
    fill(&mut byte)?;
    Ok(wait / 2 + wait / 2 * u32::from(byte[0]) / 255)
}

#[cfg(all(test, any(feature = "async", feature = "blocking")))]
mod tests {
    use super::jitter;

    #[test]
    fn jitter_stays_within_half_and_whole() {
        for _ in 0..1000 {
            let wait = jitter(std::time::Duration::from_secs(1)).expect("randomness");
            assert!(
                wait >= std::time::Duration::from_millis(500)
                    && wait <= std::time::Duration::from_secs(1)
            );
        }
    }
}
