//! Verification of a token by a key of a set, with its claims, beside *ring*'s bare verification and
//! beside `jsonwebtoken`: turn by turn in one run. The argument is the backend of `jsonwebtoken`:
//! `aws_lc_rs` or `rust_crypto`.
//!
//! Also the memory that a set takes for each key, the time to find the last of a thousand, and the
//! allocations of one verification.

#[path = "../support/assertions.rs"]
#[allow(dead_code, unreachable_pub)]
mod assertions;
#[path = "../support/interleaved.rs"]
mod interleaved;

use std::{
    hint::black_box,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use allocation_counter::measure;
use assertions::{CLIENT_ID, Case, ISSUER};
use interleaved::measured;
use jsonwebtoken::{
    DecodingKey, Validation,
    crypto::{aws_lc, rust_crypto},
    decode, decode_header,
    jwk::JwkSet as TheirSet,
};
use oauth_twin::jose::{Algorithm, Claims, ClaimsValidation, JwkSet, Jws};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::{Value, json};

const TURNS: usize = 301;
const KEYS: usize = 1000;
/// The `kid` that signs, the last of the set.
const KEY_ID: &str = "b0a5e1c2-key-0999";

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Deserialize)]
#[allow(dead_code)]
struct TheirClaims {
    iss: String,
    sub: String,
    aud: String,
    exp: u64,
    iat: u64,
    nonce: String,
    auth_time: u64,
    sid: String,
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
        if case.algorithm != Algorithm::HS256 {
            verification(&case)?;
            set(&case)?;
        }
    }
    Ok(())
}

/// A set of `KEYS` keys, of which the last signs.
fn document(case: &Case) -> Result<String> {
    let jwk = case.signing_key()?.public_jwk().ok_or("a public key")?;
    let mut jwk = serde_json::to_value(jwk)?;
    let mut named = |n: usize| {
        jwk["kid"] = json!(format!("b0a5e1c2-key-{n:04}"));
        jwk.clone()
    };
    let keys: Vec<Value> = (0..KEYS).map(&mut named).collect();
    Ok(json!({ "keys": keys }).to_string())
}

fn token(case: &Case) -> Result<String> {
    let now = SystemTime::now();
    let token = Claims::new()
        .with_issuer(ISSUER)
        .with_subject("248289761001")
        .with_audience(CLIENT_ID)
        .with_expires_at(now + Duration::from_secs(3600))
        .with_issued_at(now)
        .with("nonce", "n-0S6_WzA2Mj")
        .with("auth_time", now.duration_since(UNIX_EPOCH)?.as_secs())
        .with("sid", "08a5019c-17e1-4977-8f42-65a12843ea02")
        .sign(&case.signing_key()?.with_key_id(KEY_ID))?;
    Ok(token.expose_secret().to_owned())
}

fn verification(case: &Case) -> Result {
    let (token, document) = (token(case)?, document(case)?);
    let set: JwkSet = serde_json::from_str(&document)?;
    let their_set: TheirSet = serde_json::from_str(&document)?;
    let expected = ClaimsValidation::new().issuer(ISSUER).audience(CLIENT_ID);
    let ours = || -> oauth_twin::Result<Claims> {
        let jws = Jws::parse(&token)?;
        let claims = Claims::from_slice(jws.verify_with(&set, &[case.algorithm])?)?;
        claims.validate(&expected)?;
        Ok(claims)
    };
    let mut validation = Validation::new(case.algorithm.as_str().parse()?);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[CLIENT_ID]);
    let their_key = DecodingKey::from_jwk(their_set.find(KEY_ID).ok_or("a key")?)?;
    let theirs = || -> Result<TheirClaims> {
        let header = decode_header(&token)?;
        let jwk = their_set.find(header.kid.as_deref().unwrap_or_default());
        let key = DecodingKey::from_jwk(jwk.ok_or("a key")?)?;
        Ok(decode(&token, &key, &validation)?.claims)
    };
    let their_kept_key =
        || -> Result<TheirClaims> { Ok(decode(&token, &their_key, &validation)?.claims) };
    let bare = bare(case, &token)?;
    ours()?;
    theirs()?;
    their_kept_key()?;
    assert!(bare());
    let [ours_ns, bare_ns, theirs_ns, kept_ns] = measured(
        TURNS,
        case.batch.max(10),
        [
            &mut || drop(black_box(ours().ok())),
            &mut || _ = black_box(bare()),
            &mut || drop(black_box(theirs().ok())),
            &mut || drop(black_box(their_kept_key().ok())),
        ],
    );
    println!(
        "{}: oauth-twin {:.1} us; ring {:.1} us, ratio {:.2}, difference {:.2} us; jsonwebtoken \
         {:.1} us with its set, {:.1} us with a kept key",
        case.algorithm,
        ours_ns / 1e3,
        bare_ns / 1e3,
        ours_ns / bare_ns,
        (ours_ns - bare_ns) / 1e3,
        theirs_ns / 1e3,
        kept_ns / 1e3,
    );
    let count = |work: &mut dyn FnMut()| measure(work).count_total;
    println!(
        "{}: allocations: oauth-twin {}, ring {}, jsonwebtoken {} with its set, {} with a kept key",
        case.algorithm,
        count(&mut || drop(black_box(ours().ok()))),
        count(&mut || _ = black_box(bare())),
        count(&mut || drop(black_box(theirs().ok()))),
        count(&mut || drop(black_box(their_kept_key().ok()))),
    );
    Ok(())
}

/// *ring*'s verification of the same signature, with the key and the signature decoded.
fn bare(case: &Case, token: &str) -> Result<impl Fn() -> bool> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let (message, signature) = token.rsplit_once('.').ok_or("a token")?;
    let (message, signature) = (message.to_owned(), URL_SAFE_NO_PAD.decode(signature)?);
    let jwk = case.signing_key()?.public_jwk().ok_or("a public key")?;
    let jwk = serde_json::to_value(jwk)?;
    let number = move |name: &str| {
        let text = jwk[name].as_str().unwrap_or_default();
        URL_SAFE_NO_PAD.decode(text).unwrap_or_default()
    };
    let (n, e, x) = (number("n"), number("e"), number("x"));
    let point = [&[4][..], &x, &number("y")].concat();
    let algorithm = case.algorithm;
    Ok(move || {
        let message = black_box(message.as_bytes());
        let verified = match algorithm {
            Algorithm::RS256 => RsaPublicKeyComponents { n: &n, e: &e }.verify(
                &signature::RSA_PKCS1_2048_8192_SHA256,
                message,
                &signature,
            ),
            Algorithm::ES256 => UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, &point)
                .verify(message, &signature),
            _ => UnparsedPublicKey::new(&signature::ED25519, &x).verify(message, &signature),
        };
        verified.is_ok()
    })
}

fn set(case: &Case) -> Result {
    let document = document(case)?;
    let (mut ours, mut theirs) = (None, None);
    let our_bytes = measure(|| ours = serde_json::from_str::<JwkSet>(&document).ok()).bytes_current;
    let their_bytes =
        measure(|| theirs = serde_json::from_str::<TheirSet>(&document).ok()).bytes_current;
    let (ours, theirs) = (ours.ok_or("a set")?, theirs.ok_or("a set")?);
    let keys = i64::try_from(KEYS)?;
    println!(
        "{}: a key of a set: oauth-twin {} bytes, jsonwebtoken {} bytes, ratio {:.2}",
        case.algorithm,
        our_bytes / keys,
        their_bytes / keys,
        our_bytes as f64 / their_bytes as f64,
    );
    let [our_find, their_find] = measured(
        TURNS,
        200,
        [
            &mut || _ = black_box(ours.find(black_box(KEY_ID))),
            &mut || _ = black_box(theirs.find(black_box(KEY_ID))),
        ],
    );
    println!(
        "{}: the last of {KEYS} keys by its kid: oauth-twin {our_find:.0} ns, jsonwebtoken \
         {their_find:.0} ns",
        case.algorithm
    );
    Ok(())
}
