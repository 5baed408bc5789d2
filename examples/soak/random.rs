//! Choices that a seed determines.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// A xorshift generator.
#[derive(Clone)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        // SplitMix64, so that seeds that are close to each other give different sequences.
        let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        // The one state that a xorshift never leaves.
        Self((state ^ (state >> 31)).max(1))
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    /// A time between two numbers of milliseconds.
    pub fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

/// Generators of one seed, one for each stream of choices, so that what one stream chooses does not
/// depend on when the others do.
pub struct RngStreams {
    seed: u64,
    streams: Mutex<HashMap<(&'static str, usize), Rng>>,
}

impl RngStreams {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            streams: Mutex::default(),
        }
    }

    /// A generator of the caller's own.
    pub fn rng(&self, stream: &'static str, number: usize) -> Rng {
        let name = stream.bytes().fold(0, |hash: u64, byte| {
            hash.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        Rng::new(self.seed ^ name.wrapping_mul(0x0100_0000_01b3) ^ (number as u64) << 40)
    }

    /// The next generator of the stream, for one decision.
    pub fn next(&self, stream: &'static str, number: usize) -> Rng {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let rng = streams
            .entry((stream, number))
            .or_insert_with(|| self.rng(stream, number));
        Rng::new(rng.next())
    }
}
