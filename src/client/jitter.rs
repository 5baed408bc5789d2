//! Waits that differ, so that callers who failed together do not come back together.

use std::time::Duration;

use crate::{error::Result, random};

/// Somewhere between half of `wait` and `wait`.
pub(super) fn jitter(wait: Duration) -> Result<Duration> {
    let mut byte = [0];
    random::fill(&mut byte)?;
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
