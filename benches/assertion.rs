//! One client assertion by each kind of key beside *ring*'s bare signature of the same bytes: turn
//! by turn in one run.
//!
//! An assertion is what a token request takes longer that is authenticated by one than the same
//! request of a public client.

mod support;

use std::hint::black_box;

use oauth_twin::{
    jose::Algorithm,
    oauth2::{ClientCredentials, PublicClient},
};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use support::{
    BenchResult,
    assertions::{Case, endpoint, token},
    interleaved::measured,
    is_bench_run,
};

const TURNS: usize = 1001;

fn main() -> BenchResult {
    if !is_bench_run() {
        return Ok(());
    }
    for case in Case::all() {
        let key = case.signing_key()?;
        let signed = token(&key)?;
        let (signed, _) = signed.expose_secret().rsplit_once('.').expect("a token");
        let bare = Bare::new(&case)?;
        let (grant, endpoint) = (ClientCredentials::new(), endpoint(&case)?);
        let public = endpoint.clone().auth_method(PublicClient);
        let [request, public, token, bare] = measured(
            TURNS,
            case.batch,
            [
                &mut || {
                    black_box(endpoint.request(black_box(&grant)).ok());
                },
                &mut || {
                    black_box(public.request(black_box(&grant)).ok());
                },
                &mut || {
                    black_box(token(black_box(&key)).ok());
                },
                &mut || bare.sign(black_box(signed.as_bytes())),
            ],
        );
        let assertion = request - public;
        println!(
            "{}: assertion {assertion:.0} ns (a request {request:.0}, without it {public:.0}), \
             token {token:.0} ns; beside the bare signature ({bare:.0} ns) {:.3} and {:.3}, \
             {:+.0} and {:+.0} ns",
            case.algorithm,
            assertion / bare,
            token / bare,
            assertion - bare,
            token - bare
        );
    }
    Ok(())
}

/// A key of *ring*'s, parsed once.
enum Bare {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Shared(hmac::Key),
}

impl Bare {
    fn new(case: &Case) -> BenchResult<Self> {
        let random = SystemRandom::new();
        if case.algorithm == Algorithm::HS256 {
            let secret = case.secret().as_bytes();
            return Ok(Self::Shared(hmac::Key::new(hmac::HMAC_SHA256, secret)));
        }
        let der = PrivatePkcs8KeyDer::from_pem_slice(case.pem().as_bytes())?;
        let der = der.secret_pkcs8_der();
        Ok(match case.algorithm {
            Algorithm::RS256 => Self::Rsa(RsaKeyPair::from_pkcs8(der)?),
            Algorithm::ES256 => {
                let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
                Self::Ec(EcdsaKeyPair::from_pkcs8(algorithm, der, &random)?)
            }
            _ => Self::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)?),
        })
    }

    fn sign(&self, message: &[u8]) {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = [0; 256];
                let signed = key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature);
                black_box((signed.ok(), signature));
            }
            Self::Ec(key) => {
                black_box(key.sign(&random, message).ok());
            }
            Self::Ed25519(key) => {
                black_box(key.sign(message));
            }
            Self::Shared(key) => {
                black_box(hmac::sign(key, message));
            }
        }
    }
}
