//! One OAuth 1.0 signature (HMAC-SHA1, in the header) beside the same by hand on *ring*, and beside
//! *ring*'s bare HMAC of the same base string: turn by turn in one run.

mod support;

use std::{hint::black_box, time::Instant};

use support::{
    BenchResult, is_bench_run, median,
    signing::{Case, by_hand, key, signer},
};

/// So many signatures are measured at once: one takes little more than reading the clock.
const BATCH: u32 = 200;
const TURNS: usize = 501;

fn main() -> BenchResult {
    if !is_bench_run() {
        return Ok(());
    }
    for (name, case) in [
        ("POST, 10 form parameters", Case::post()),
        ("GET, 2 query parameters", Case::get()),
    ] {
        let (signer, key) = (signer(), key());
        let base_string = signer.base_string(&case.method, &case.url, &case.headers, &case.body)?;
        let [ours, by_hand, bare] = measured([
            &mut || {
                black_box(black_box(&case).sign(&signer).ok());
            },
            &mut || {
                black_box(by_hand(black_box(&case), &key));
            },
            &mut || {
                black_box(ring::hmac::sign(&key, black_box(base_string.as_bytes())));
            },
        ]);
        println!(
            "{name}: {ours:.0} ns; beside by hand ({by_hand:.0} ns) {:.2}, beside the bare HMAC \
             ({bare:.0} ns) {:.2}",
            ours / by_hand,
            ours / bare
        );
    }
    Ok(())
}

/// Nanoseconds of one call of each, as the medians of turns that follow each other.
fn measured<const N: usize>(works: [&mut dyn FnMut(); N]) -> [f64; N] {
    let mut times = [const { Vec::new() }; N];
    for turn in 0..TURNS {
        for n in 0..N {
            // Who goes first changes.
            let n = (n + turn) % N;
            let began = Instant::now();
            for _ in 0..BATCH {
                works[n]();
            }
            times[n].push(began.elapsed().as_secs_f64() * 1e9 / f64::from(BATCH));
        }
    }
    times.map(|mut times: Vec<f64>| median(&mut times))
}
