//! One OAuth 1.0 signature (HMAC-SHA1, in the header) beside the same by hand on *ring*, and beside
//! *ring*'s bare HMAC of the same base string: turn by turn in one run.

mod support;

use std::hint::black_box;

use support::{
    BenchResult,
    interleaved::measured,
    is_bench_run,
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
        let [ours, by_hand, bare] = measured(
            TURNS,
            BATCH,
            [
                &mut || {
                    black_box(black_box(&case).sign(&signer).ok());
                },
                &mut || {
                    black_box(by_hand(black_box(&case), &key));
                },
                &mut || {
                    black_box(ring::hmac::sign(&key, black_box(base_string.as_bytes())));
                },
            ],
        );
        println!(
            "{name}: {ours:.0} ns; beside by hand ({by_hand:.0} ns) {:.2}, beside the bare HMAC \
             ({bare:.0} ns) {:.2}",
            ours / by_hand,
            ours / bare
        );
    }
    Ok(())
}
