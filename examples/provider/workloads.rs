//! Workloads of a platform that the provider trusts, such as pods of a cluster.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use oauth_twin::jose::{Algorithm, Claims, ClaimsValidation, Jws, SigningKey};

use super::LIFETIME;

/// The issuer of the cluster.
const ISSUER: &str = "https://cluster.example";
/// The service account of the pod.
pub const SUBJECT: &str = "system:serviceaccount:reports:reporter";

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The key of the cluster, whose public half the provider knows.
const KEY: &str = include_str!("../../tests/vectors/rsa-2048.pkcs1.pem");

pub struct Workloads(SigningKey);

impl Default for Workloads {
    fn default() -> Self {
        Self(SigningKey::from_pem(Algorithm::RS256, KEY).expect("a key"))
    }
}

impl Workloads {
    /// A token of the pod for this audience, as the platform writes it into a file.
    pub fn token(&self, audience: &str, now: SystemTime) -> String {
        let claims = Claims::new()
            .with_issuer(ISSUER)
            .with_subject(SUBJECT)
            .with_audience(audience)
            .with_issued_at(now)
            .with_expires_at(now + LIFETIME);
        let token = claims.sign(&self.0).expect("a token");
        token.expose_secret().to_owned()
    }

    /// Whether a request is from the pod.
    pub fn is_workload(
        &self,
        asked: &HashMap<String, String>,
        here_and_now: ClaimsValidation,
    ) -> bool {
        let given = |name: &str| asked.get(name).map_or("", |value| value);
        let claims = || {
            let jws = Jws::parse(given("client_assertion"))?;
            Claims::from_slice(jws.verify(&self.0.verifying_key())?)
        };
        let rules = here_and_now.issuer(ISSUER).leeway(Duration::ZERO);
        given("client_assertion_type") == ASSERTION_TYPE
            && claims().is_ok_and(|claims| {
                claims.subject() == Some(SUBJECT) && claims.validate(&rules).is_ok()
            })
    }
}
