//! The keys of the test vectors, and the token that each of them signs.

use std::{
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use oauth_twin::{
    Result, Secret,
    jose::{Algorithm, Claims, Jwk, SigningKey},
    oauth2::{
        AuthorizationServer, ClientRegistration, ClientSecretJwt, PrivateKeyJwt, TokenEndpoint,
    },
};
use serde_json::Value;

pub const CLIENT_ID: &str = "s6BhdRkqt3";
pub const ISSUER: &str = "https://id.example.com";
pub const LIFETIME: Duration = Duration::from_secs(60);
pub const ID: &str = "tGzv3JOkF0XG5Qx2TlKWIA";

static VECTORS: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../tests/vectors/jose.json")).expect("the vectors")
});

/// An algorithm with its key.
pub struct Case {
    pub algorithm: Algorithm,
    /// So many signatures are measured at once.
    pub batch: u32,
    key: &'static Value,
}

impl Case {
    pub fn all() -> [Self; 4] {
        [
            (Algorithm::RS256, "rsa-2048", 1),
            (Algorithm::ES256, "p-256", 20),
            (Algorithm::EdDSA, "ed25519", 20),
            (Algorithm::HS256, "oct-32", 200),
        ]
        .map(|(algorithm, name, batch)| {
            let keys = VECTORS["keys"].as_array().expect("keys");
            let key = keys.iter().find(|key| key["name"] == name);
            Self {
                algorithm,
                batch,
                key: key.expect(name),
            }
        })
    }

    pub fn signing_key(&self) -> Result<SigningKey> {
        match self.algorithm {
            Algorithm::HS256 => SigningKey::hmac(self.algorithm, self.secret()),
            algorithm => SigningKey::from_jwk(algorithm, &self.jwk()),
        }
    }

    fn jwk(&self) -> Jwk {
        serde_json::from_value(self.key["private_jwk"].clone()).expect("a JWK")
    }

    /// The private key in PKCS#8, as PEM.
    pub fn pem(&self) -> &'static str {
        self.key["pkcs8_pem"].as_str().expect("a PEM")
    }

    /// The shared secret: the text of the JWK unchanged, as a client's secret is text.
    pub fn secret(&self) -> &'static str {
        self.key["private_jwk"]["k"].as_str().expect("a secret")
    }

    /// The identifier, which a client's secret has not got.
    pub fn key_id(&self) -> Option<&'static str> {
        match self.algorithm {
            Algorithm::HS256 => None,
            _ => self.key["private_jwk"]["kid"].as_str(),
        }
    }
}

/// A client whose requests carry an assertion by the key of `case`.
pub fn endpoint(case: &Case) -> Result<TokenEndpoint> {
    let server =
        AuthorizationServer::new(ISSUER).with_token_endpoint("https://id.example.com/token");
    let client = ClientRegistration::new(CLIENT_ID);
    if case.algorithm == Algorithm::HS256 {
        let client = client.with_client_secret(case.secret());
        return Ok(TokenEndpoint::new(&server, &client)?.auth_method(ClientSecretJwt::new()));
    }
    let auth = PrivateKeyJwt::new(case.signing_key()?);
    Ok(TokenEndpoint::new(&server, &client)?.auth_method(auth))
}

/// The token of a client assertion. Its identifier is always the same.
pub fn token(key: &SigningKey) -> Result<Secret> {
    let now = SystemTime::now();
    Claims::new()
        .with_issuer(CLIENT_ID)
        .with_subject(CLIENT_ID)
        .with_audience(ISSUER)
        .with_issued_at(now)
        .with_expires_at(now + LIFETIME)
        .with_id(ID)
        .sign(key)
}
