//! Interleaved measurements of what is compared.

use std::time::Instant;

/// Nanoseconds of one call of each, as the medians of interleaved rounds. A measurement takes
/// `batch` calls, so that reading the clock does not count.
pub fn measured<const N: usize>(
    rounds: usize,
    batch: u32,
    works: [&mut dyn FnMut(); N],
) -> [f64; N] {
    let mut times = [const { Vec::new() }; N];
    for round in 0..rounds {
        for n in 0..N {
            // Who goes first changes.
            let n = (n + round) % N;
            let began = Instant::now();
            for _ in 0..batch {
                works[n]();
            }
            times[n].push(began.elapsed().as_secs_f64() * 1e9 / f64::from(batch));
        }
    }
    times.map(|mut times: Vec<f64>| median(&mut times))
}

/// The value in the middle.
pub fn median<T: Copy + PartialOrd>(values: &mut [T]) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).expect("measured, so no NaN"));
    values[values.len() / 2]
}
