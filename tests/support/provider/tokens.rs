//! Tokens and responses of the provider.

use std::time::UNIX_EPOCH;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use oauth_twin::jose::{Algorithm, SigningKey};
use serde_json::{Value, json};

use super::{Lies, Response, SECRET, State, with};
use crate::support::{
    clock::ManualClock,
    keys::Published,
    server::{Reply, Request},
};

/// Defect of a JWT that is forged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Forgery {
    Genuine,
    /// Without a signature, by the algorithm `none`.
    Unsigned,
    /// With the signature of other claims.
    BadSignature,
    /// Signed by the secret of the client.
    Hmac,
    /// Signed by another secret.
    HmacOfAnother,
    /// Of five parts, encrypted by a key of this algorithm.
    Encrypted(&'static str),
}

/// Response of the UserInfo endpoint.
pub enum UserInfo {
    Plain(Value),
    Signed(Value),
    /// Signed, with this media type.
    SignedAs(&'static str, Value),
}

impl Lies {
    pub(super) fn none(key: SigningKey) -> Self {
        Self {
            key,
            without_kid: false,
            typ: None,
            forgery: Forgery::Genuine,
            id_token: json!({}),
            front_channel: json!({}),
            refreshed: None,
            is_missing: false,
            metadata: json!({}),
            userinfo: UserInfo::Plain(json!({"sub": "alice"})),
            callback: String::new(),
            response: Response::truthful(),
            pushed: None,
            rotates_while_signing: Vec::new(),
            dpop: None,
        }
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        self.sign_text(self.forgery, &claims.to_string())
    }

    pub(super) fn sign_text(&self, forgery: Forgery, claims: &str) -> String {
        let secret = match forgery {
            Forgery::Hmac => Some(SECRET),
            Forgery::HmacOfAnother => Some("another secret of more than thirty-two bytes"),
            _ => None,
        };
        let hmac = secret.map(|secret| SigningKey::hmac(Algorithm::HS256, secret).expect("a key"));
        let key = hmac.as_ref().unwrap_or(&self.key);
        let mut header = match self.without_kid {
            true => oauth_twin::jose::Header::new(key.algorithm()),
            false => key.header(),
        };
        if let Some(typ) = self.typ {
            header = header.with_typ(typ);
        }
        let signed = |claims: &str| {
            let input = header.signing_input(claims.as_bytes()).expect("a header");
            input
                .sign(key)
                .expect("a signature")
                .expose_secret()
                .to_owned()
        };
        let token = signed(claims);
        let (input, _) = token.rsplit_once('.').expect("three parts");
        match forgery {
            Forgery::Unsigned => {
                let payload = input.split_once('.').expect("three parts").1;
                format!("{}.{payload}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#))
            }
            Forgery::BadSignature => {
                let other = signed(r#"{"sub":"another"}"#);
                format!("{input}.{}", other.rsplit_once('.').expect("three parts").1)
            }
            Forgery::Encrypted(algorithm) => {
                let header = json!({"alg": algorithm, "enc": "A128CBC-HS256", "cty": "JWT"});
                let header = URL_SAFE_NO_PAD.encode(header.to_string());
                format!("{header}.a2V5.aXY.{}.dGFn", URL_SAFE_NO_PAD.encode(token))
            }
            _ => token,
        }
    }
}

impl State {
    /// The claims of a truthful ID token.
    pub(super) fn claims(&self, issuer: &str, clock: &ManualClock, nonce: Option<&str>) -> Value {
        let now = seconds(clock);
        json!({
            "iss": issuer, "sub": "alice", "aud": "id", "exp": now + 300, "iat": now,
            "auth_time": now, "nonce": nonce, "sid": "session-1",
            "at_hash": half_hash(&format!("t{}", self.count)),
        })
    }

    pub(super) fn token(
        &mut self,
        request: &Request,
        issuer: &str,
        clock: &ManualClock,
        keys: &Published,
    ) -> Reply {
        let proved = self.lies.dpop.as_mut().map(|dpop| dpop.proved(request));
        let thumbprint = match proved.transpose() {
            Ok(thumbprint) => thumbprint,
            Err(reply) => return reply,
        };
        let is_refresh = request.parameter("grant_type").as_deref() == Some("refresh_token");
        let nonce = match request.parameter("code") {
            Some(code) => match self.codes.remove(&code) {
                Some(nonce) => nonce,
                None => return Reply::error(400, "invalid_grant"),
            },
            None => None,
        };
        self.count += 1;
        let n = self.count;
        let mut answer = json!({
            "access_token": format!("t{n}"), "refresh_token": format!("r{n}"), "expires_in": 600,
        });
        let changes = match is_refresh {
            true => self.lies.refreshed.clone(),
            false => Some(self.lies.id_token.clone()),
        };
        if let Some(changes) = changes.filter(|_| !self.lies.is_missing) {
            if let Some(key) = self.lies.rotates_while_signing.pop() {
                keys.rotate(&[&key]);
                self.lies.key = key;
            }
            let base = self.claims(issuer, clock, nonce.as_deref());
            let base = match &base["nonce"] {
                Value::Null => with(base, &json!({"nonce": null})),
                _ => base,
            };
            answer["id_token"] = self.lies.sign(&with(base, &changes)).into();
        }
        match (&mut self.lies.dpop, thumbprint) {
            (Some(dpop), Some(thumbprint)) => dpop.issued(n, answer, &thumbprint),
            _ => Reply::json(200, answer),
        }
    }

    /// A resource of the end-user.
    pub(super) fn api(&mut self, request: &Request) -> Reply {
        let Some(dpop) = &mut self.lies.dpop else {
            return Reply::authorization_of(request);
        };
        match dpop.api(request) {
            Ok(()) => dpop.noted(Reply::text(200, "an account")),
            Err(reply) => reply,
        }
    }

    pub(super) fn userinfo(
        &mut self,
        request: &Request,
        issuer: &str,
        clock: &ManualClock,
    ) -> Reply {
        if let Some(dpop) = &mut self.lies.dpop {
            return match dpop.api(request) {
                Ok(()) => dpop.noted(Reply::json(200, json!({"sub": "alice"}))),
                Err(reply) => reply,
            };
        }
        let in_header = request.header("authorization").unwrap_or_default();
        let in_body = request.parameter("access_token");
        if !in_header.starts_with("Bearer t") && in_body.is_none() {
            return Reply::text(401, "").with("www-authenticate", "Bearer error=\"invalid_token\"");
        }
        let (content_type, changes) = match &self.lies.userinfo {
            UserInfo::Plain(claims) => return Reply::json(200, claims.clone()),
            UserInfo::Signed(changes) => ("application/jwt", changes),
            UserInfo::SignedAs(content_type, changes) => (*content_type, changes),
        };
        let now = seconds(clock);
        let claims = json!({"iss": issuer, "aud": "id", "sub": "alice", "exp": now + 60});
        let jwt = self.lies.sign(&with(claims, changes));
        Reply::text(200, jwt).with("content-type", content_type)
    }
}

/// The time of the provider, in seconds since 1970.
pub fn seconds(clock: &ManualClock) -> u64 {
    let now = clock.now().duration_since(UNIX_EPOCH);
    now.expect("after 1970").as_secs()
}

/// The left half of the SHA-256 of a token or a code.
pub(super) fn half_hash(value: &str) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, value.as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16])
}
