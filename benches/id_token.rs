//! The verification of an ID token, with all checks of a login, and a whole login without its
//! requests, beside *ring*'s bare verification of the same signature: turn by turn in one run.

mod support;

use std::{
    hint::black_box,
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use oauth_twin::{
    BoxError, Result, Token,
    http::Response,
    jose::{Algorithm, Claims, JwkSet},
    oauth2::{
        AuthorizationEndpoint, AuthorizationRequest, AuthorizationServer, AuthorizationUrl,
        ClientRegistration, TokenEndpoint,
    },
    oidc::{IdToken, IdTokenRules, IdTokenVerifier},
};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde_json::json;
use support::{
    BenchResult,
    assertions::{CLIENT_ID, Case, ISSUER},
    interleaved::measured,
    is_bench_run,
};

const TURNS: usize = 501;
const NONCE: &str = "n-0S6_WzA2Mj-n-0S6_WzA2Mj";

fn main() -> BenchResult {
    if !is_bench_run() {
        return Ok(());
    }
    let is_asymmetric = |case: &Case| !case.algorithm.is_symmetric();
    for case in Case::all().into_iter().filter(is_asymmetric) {
        measure(&case)?;
    }
    Ok(())
}

fn measure(case: &Case) -> BenchResult {
    let server = AuthorizationServer::new(ISSUER)
        .with_authorization_endpoint("https://id.example.com/authorize")
        .with_token_endpoint("https://id.example.com/token");
    let client =
        ClientRegistration::new(CLIENT_ID).with_redirect_uris(["https://app.example.com/callback"]);
    let request = AuthorizationRequest::new().scope("openid").nonce(NONCE);
    let begun = AuthorizationEndpoint::new(&server, &client)?.request(request)?;
    let asked = begun.pending.authentication();

    let key = case.signing_key()?;
    let now = SystemTime::now();
    let id_token = Claims::new()
        .with_issuer(ISSUER)
        .with_subject("248289761001")
        .with_audience(CLIENT_ID)
        .with_issued_at(now)
        .with_expires_at(now + Duration::from_secs(3600))
        .with("nonce", NONCE)
        .sign(&key)?;
    let answer = json!({
        "access_token": "SlAV32hkKG", "token_type": "Bearer", "id_token": id_token.expose_secret(),
    });
    let token: Token = serde_json::from_value(answer.clone())?;
    let keys = JwkSet::new(key.public_jwk());
    let rules = IdTokenRules::new().algorithms([case.algorithm]);
    let verifier = IdTokenVerifier::new(&server, &client)?.rules(rules);
    let bare = Bare::new(case, id_token.expose_secret())?;
    verifier.verify(&token, &keys, &asked)?;
    assert!(bare.verifies());
    let login = Login {
        authorization_endpoint: AuthorizationEndpoint::new(&server, &client)?,
        token_endpoint: TokenEndpoint::new(&server, &client)?,
        answer: answer.to_string(),
        verifier: &verifier,
        keys: &keys,
    };
    login.run()?;

    let [login, ours, bare] = measured(
        TURNS,
        10,
        [
            &mut || drop(black_box(login.run().ok())),
            &mut || {
                drop(black_box(
                    verifier.verify(black_box(&token), &keys, &asked).ok(),
                ))
            },
            &mut || _ = black_box(bare.verifies()),
        ],
    );
    println!(
        "{}: {:.1} us; beside the bare verification ({:.1} us) {:.2}; a login without its requests {:.1} us",
        case.algorithm,
        ours / 1e3,
        bare / 1e3,
        ours / bare,
        login / 1e3
    );
    Ok(())
}

/// A login by the code flow, all but its requests.
struct Login<'a> {
    authorization_endpoint: AuthorizationEndpoint,
    token_endpoint: TokenEndpoint,
    answer: String,
    verifier: &'a IdTokenVerifier,
    keys: &'a JwkSet,
}

impl Login<'_> {
    fn run(&self) -> Result<IdToken> {
        let request = AuthorizationRequest::new().scope("openid").nonce(NONCE);
        let AuthorizationUrl { pending, .. } = self.authorization_endpoint.request(request)?;
        let asked = pending.authentication();
        let callback = format!(
            "https://app.example.com/callback?code=SplxlOBeZQQYbYS6WxSbIA&state={}",
            pending.state()
        );
        let grant = pending.authorization_response(&callback)?;
        let request = self.token_endpoint.request(&grant)?;
        let response = Response::new(self.answer.clone().into_bytes());
        let token = self
            .token_endpoint
            .read_response(&request, response.into())?;
        self.verifier.verify(&token, self.keys, &asked)
    }
}

/// *ring*'s verification, with key and signature decoded.
struct Bare {
    algorithm: Algorithm,
    message: String,
    signature: Vec<u8>,
    /// Modulus and exponent, or the point.
    key: (Vec<u8>, Vec<u8>),
}

impl Bare {
    fn new(case: &Case, token: &str) -> Result<Self, BoxError> {
        let (message, signature) = token.rsplit_once('.').ok_or("a token")?;
        let jwk = case.signing_key()?.public_jwk().ok_or("a public key")?;
        let jwk = serde_json::to_value(jwk)?;
        let number = |name: &str| {
            URL_SAFE_NO_PAD
                .decode(jwk[name].as_str().unwrap_or_default())
                .unwrap_or_default()
        };
        let key = match case.algorithm {
            Algorithm::RS256 => (number("n"), number("e")),
            Algorithm::ES256 => ([&[4][..], &number("x"), &number("y")].concat(), Vec::new()),
            _ => (number("x"), Vec::new()),
        };
        Ok(Self {
            algorithm: case.algorithm,
            message: message.to_owned(),
            signature: URL_SAFE_NO_PAD.decode(signature)?,
            key,
        })
    }

    fn verifies(&self) -> bool {
        let message = black_box(self.message.as_bytes());
        let (key, e) = &self.key;
        let verified = match self.algorithm {
            Algorithm::RS256 => RsaPublicKeyComponents { n: key, e }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                message,
                &self.signature,
            ),
            Algorithm::ES256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key)
                .verify(message, &self.signature),
            _ => UnparsedPublicKey::new(&ED25519, key).verify(message, &self.signature),
        };
        verified.is_ok()
    }
}
