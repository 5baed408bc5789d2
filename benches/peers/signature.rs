//! One OAuth 1.0 signature (HMAC-SHA1, in the header) beside `oauth1-request`, turn by turn in one
//! run. With the arguments `LIBRARY CASE COUNT` it only signs, for callgrind to count.

#[path = "../support/interleaved.rs"]
mod interleaved;
#[path = "../support/signing.rs"]
#[allow(dead_code, unreachable_pub)]
mod signing;

use std::hint::black_box;

use interleaved::measured;
use oauth1_request::{Builder, Credentials, HMAC_SHA1, ParameterList};
use signing::{Case, KEY, SECRETS, TOKEN, key, signer};

const BATCH: u32 = 200;
const TURNS: usize = 501;

type Work<'a> = Box<dyn FnMut() + 'a>;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [library, case, count] = &*arguments {
        let case = if case == "post" {
            Case::post()
        } else {
            Case::get()
        };
        let [ours, theirs, hash] = works(&case);
        let mut work = match &**library {
            "ours" => ours,
            "theirs" => theirs,
            _ => hash,
        };
        for _ in 0..count.parse().expect("a count") {
            work();
        }
        return;
    }
    for (name, case) in [
        ("POST, 10 form parameters", Case::post()),
        ("GET, 2 query parameters", Case::get()),
    ] {
        let [mut ours, mut theirs, _] = works(&case);
        let [ours, theirs] = measured(TURNS, BATCH, [&mut ours, &mut theirs]);
        println!(
            "{name}: oauth-twin {ours:.0} ns, oauth1-request {theirs:.0} ns, ratio {:.2}",
            ours / theirs
        );
    }
}

/// Ours, theirs, and ring's bare HMAC of our base string.
fn works(case: &Case) -> [Work<'_>; 3] {
    let (signer, key) = (signer(), key());
    let base_string = signer.base_string(&case.method, &case.url, &case.headers, &case.body);
    let base_string = base_string.expect("a base string");
    let mut pairs = case.pairs.to_vec();
    pairs.sort_unstable();
    let post = case.method == "POST";
    [
        Box::new(move || {
            black_box(black_box(case).sign(&signer).expect("a signature"));
        }),
        Box::new(move || {
            let parameters = ParameterList::new(black_box(&mut pairs[..]));
            let client = Credentials::new(KEY, SECRETS[0]);
            let mut builder = Builder::new(client, HMAC_SHA1);
            builder.token(Credentials::new(TOKEN, SECRETS[1]));
            black_box(match post {
                true => builder.post(case.base, &parameters),
                false => builder.get(case.base, &parameters),
            });
        }),
        Box::new(move || {
            black_box(ring::hmac::sign(&key, black_box(base_string.as_bytes())));
        }),
    ]
}
