//! One token beside `jsonwebtoken`: the same header and the same claims, turn by turn in one run.
//! The argument is the backend of `jsonwebtoken`: `aws_lc_rs` or `rust_crypto`.
//!
//! Both have read the key beforehand. For `jsonwebtoken` that means out of the PEM: its `encode`
//! parses the DER for each signature.

#[path = "../support/assertions.rs"]
#[allow(dead_code, unreachable_pub)]
mod assertions;
#[path = "../support/interleaved.rs"]
mod interleaved;

use std::{
    hint::black_box,
    time::{SystemTime, UNIX_EPOCH},
};

use assertions::{CLIENT_ID, Case, ID, ISSUER, LIFETIME, token};
use interleaved::measured;
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    crypto::{aws_lc, rust_crypto},
    encode,
};
use serde::Serialize;

const TURNS: usize = 501;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    exp: u64,
    iat: u64,
    iss: &'a str,
    jti: &'a str,
    sub: &'a str,
}

fn main() -> Result {
    let backend = std::env::args().nth(1);
    let provider = match backend.as_deref() {
        Some("aws_lc_rs") => &aws_lc::DEFAULT_PROVIDER,
        Some("rust_crypto") => &rust_crypto::DEFAULT_PROVIDER,
        _ => return Err("the argument is aws_lc_rs or rust_crypto".into()),
    };
    provider.install_default().map_err(|_| "installed twice")?;
    for case in Case::all() {
        let key = case.signing_key()?;
        let (header, their_key) = theirs(&case)?;
        let ours = token(&key)?;
        assert_eq!(
            length(ours.expose_secret()),
            length(&encoded(&header, &their_key)?)
        );
        let [ours, theirs] = measured(
            TURNS,
            case.batch,
            [
                &mut || {
                    black_box(token(black_box(&key)).ok());
                },
                &mut || {
                    black_box(encoded(black_box(&header), &their_key).ok());
                },
            ],
        );
        println!(
            "{}: oauth-twin {ours:.0} ns, jsonwebtoken {theirs:.0} ns, ratio {:.2}",
            case.algorithm,
            ours / theirs
        );
    }
    Ok(())
}

fn theirs(case: &Case) -> Result<(Header, EncodingKey)> {
    let algorithm: Algorithm = case.algorithm.as_str().parse()?;
    let key = match algorithm {
        Algorithm::RS256 => EncodingKey::from_rsa_pem(case.pem().as_bytes())?,
        Algorithm::ES256 => EncodingKey::from_ec_pem(case.pem().as_bytes())?,
        Algorithm::EdDSA => EncodingKey::from_ed_pem(case.pem().as_bytes())?,
        _ => EncodingKey::from_secret(case.secret().as_bytes()),
    };
    let mut header = Header::new(algorithm);
    header.kid = case.key_id().map(str::to_owned);
    Ok((header, key))
}

fn encoded(header: &Header, key: &EncodingKey) -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let claims = Claims {
        aud: ISSUER,
        exp: now + LIFETIME.as_secs(),
        iat: now,
        iss: CLIENT_ID,
        jti: ID,
        sub: CLIENT_ID,
    };
    Ok(encode(header, &claims, key)?)
}

/// Of each of the three parts.
fn length(token: &str) -> Vec<usize> {
    token.split('.').map(str::len).collect()
}
