//! OAuth 1.0 signatures (HMAC-SHA1, in the header) of forms of 100 MB: time and heap beside the bare
//! HMAC of the base string, and beside `oauth1-request`, whose parameters come decoded and sorted.

#[path = "../support/interleaved.rs"]
mod interleaved;
#[path = "../support/signing.rs"]
#[allow(dead_code, unreachable_pub)]
mod signing;

use std::hint::black_box;

use allocation_counter::measure;
use interleaved::measured;
use oauth1_request::{Builder, Credentials, HMAC_SHA1, ParameterList};
use signing::{Case, KEY, POST_URL, SECRETS, TOKEN, key, signer};

const BYTES: usize = 100_000_000;
const TURNS: usize = 5;

fn main() {
    form("one value", 1, BYTES - 21, |n| n);
    form("1,000 values", 1_000, BYTES / 1_000 - 19, |n| n);
    form("1,000,000 parameters, sorted", 1_000_000, 81, |n| n);
    // A number without a common factor, so that each comes once.
    form("1,000,000 parameters, shuffled", 1_000_000, 81, |n| {
        n * 611_953 % 1_000_000
    });
    form("4,000,000 parameters, sorted", 4_000_000, 6, |n| n);
    form("4,000,000 parameters, shuffled", 4_000_000, 6, |n| {
        n * 611_953 % 4_000_000
    });
}

fn form(name: &str, count: usize, value: usize, number: impl Fn(usize) -> usize) {
    // One of 32 characters is escaped.
    let value: String = "Two words of text, some-letters_and.0123456789"
        .chars()
        .cycle()
        .take(value)
        .collect();
    let mut pairs: Vec<_> = (0..count)
        .map(|n| (format!("parameter_{:07}", number(n)), value.clone()))
        .collect();
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(&pairs)
        .finish();
    let case = Case {
        body,
        ..Case::post()
    };
    let signer = signer();
    let base_string = signer
        .base_string(&case.method, &case.url, &case.headers, &case.body)
        .expect("a base string");
    let key = key();
    pairs.sort_unstable();
    let mut pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    let mut ours = || {
        black_box(black_box(&case).sign(&signer).expect("a signature"));
    };
    let mut bare = || {
        black_box(ring::hmac::sign(&key, black_box(base_string.as_bytes())));
    };
    let mut theirs = || {
        let parameters = ParameterList::new(black_box(&mut pairs[..]));
        let client = Credentials::new(KEY, SECRETS[0]);
        let mut builder = Builder::new(client, HMAC_SHA1);
        builder.token(Credentials::new(TOKEN, SECRETS[1]));
        black_box(builder.post(POST_URL, &parameters));
    };
    let heap = |work: &mut dyn FnMut()| measure(work).bytes_max as f64 / case.body.len() as f64;
    let [our_heap, their_heap] = [heap(&mut ours), heap(&mut theirs)];
    let [ours, bare, theirs] = measured(TURNS, 1, [&mut ours, &mut bare, &mut theirs]);
    println!(
        "{name}, {} MB, base string {} MB: oauth-twin {:.0} ms, the bare HMAC {:.0} ms, ratio \
         {:.2}; oauth1-request {:.0} ms; heap beside the body: oauth-twin {our_heap:.2}, \
         oauth1-request {their_heap:.2}",
        case.body.len() / 1_000_000,
        base_string.len() / 1_000_000,
        ours / 1e6,
        bare / 1e6,
        ours / bare,
        theirs / 1e6,
    );
}
