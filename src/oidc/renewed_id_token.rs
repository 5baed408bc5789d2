//! ID tokens of refreshes.
//!
//! [OpenID Connect Core section 12.2](https://openid.net/specs/openid-connect-core-1_0.html#RefreshTokenResponse)

use super::{
    hashes::check_hash,
    id_token::IdToken,
    id_token_verifier::{IdTokenVerifier, missing},
};
use crate::{
    error::{Error, Result},
    jose::{Claims, JwkSet, Jws},
    oauth2::token::Token,
    secret::Secret,
};

impl IdTokenVerifier {
    /// Verifies the ID token that came with a refresh. `first` is the token of the login, or of an
    /// earlier refresh, whose ID token was verified.
    ///
    /// ```
    /// # fn demo(
    /// #     verifier: oauth_twin::oidc::IdTokenVerifier, keys: oauth_twin::jose::JwkSet,
    /// #     first: oauth_twin::Token, renewed: oauth_twin::Token,
    /// # ) -> oauth_twin::Result<()> {
    /// match verifier.verify_renewed(&renewed, &keys, &first) {
    ///     Ok(id_token) => println!("still {}", id_token.claims().subject()),
    ///     // These may be the tokens of another end-user.
    ///     Err(error) if error.needs_login() => return Err(error),
    ///     // The new tokens are good, and the old ID token stays.
    ///     Err(error) => eprintln!("{error}"),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Token`](crate::ErrorKind::Token) if it is about another end-user, or from
    /// another issuer: the tokens must not be used. Any other error concerns the ID token alone.
    ///
    /// [OpenID Connect Core section 12.2](https://openid.net/specs/openid-connect-core-1_0.html#RefreshTokenResponse)
    pub fn verify_renewed(&self, renewed: &Token, keys: &JwkSet, first: &Token) -> Result<IdToken> {
        let id_token = renewed.id_token().ok_or_else(missing)?;
        self.check_identity(id_token, first.id_token())?;
        let jws = self.parse(id_token)?;
        let claims = self.signed_claims(&jws, keys)?;
        self.check_renewed(&jws, claims, renewed, first.id_token())
    }

    /// Checks that the ID token of a refresh is about the end-user and the client of the first one,
    /// whether its signature is verified or not: for another end-user's tokens it makes no
    /// difference who has signed them.
    ///
    /// An error ends the login: its tokens must not be used.
    pub(crate) fn check_identity(&self, renewed: &Secret, first: Option<&Secret>) -> Result<()> {
        let Some(renewed) = unverified(renewed) else {
            // That is no ID token, which says nothing about whose tokens they are.
            return Ok(());
        };
        let first = first.and_then(unverified);
        let differs = |name: &str| {
            let both = first
                .as_ref()
                .and_then(|first| Some((first.get(name)?, renewed.get(name)?)));
            both.is_some_and(|(first, renewed)| first != renewed)
        };
        let is_of_issuer = match &first {
            Some(first) => renewed.issuer() == first.issuer(),
            None => self.is_issuer(&renewed),
        };
        if renewed.issuer().is_some() && !is_of_issuer {
            return Err(Error::token(
                "the renewed ID token is of another issuer (iss); the user has to log in again",
            ));
        }
        if differs("sub") {
            return Err(Error::token(
                "the renewed ID token is about another end-user (sub); the user has to log in again",
            ));
        }
        // "its aud Claim Value MUST include the value specified in the original ID Token"
        let lacks = |audience: &str| !renewed.audience().any(|one| one == audience);
        let first_audience = first.iter().flat_map(Claims::audience);
        if renewed.get("aud").is_some()
            && (lacks(self.client_id()) || { first_audience }.any(lacks))
        {
            return Err(Error::token(
                "the renewed ID token is for another client (aud); the user has to log in again",
            ));
        }
        if differs("azp") {
            return Err(Error::token(
                "the renewed ID token was issued to another client (azp); the user has to log in \
                 again",
            ));
        }
        // "it SHOULD NOT have a nonce Claim [...]; however, if it is present, its value MUST be the
        // same"
        if differs("nonce") {
            return Err(Error::token(
                "the renewed ID token is for another login (nonce); the user has to log in again",
            ));
        }
        Ok(())
    }

    /// Checks the other claims of the ID token of a refresh, which is verified. An error costs
    /// nothing but the new ID token.
    pub(crate) fn check_renewed(
        &self,
        jws: &Jws<'_>,
        claims: Claims,
        renewed: &Token,
        first: Option<&Secret>,
    ) -> Result<IdToken> {
        let encoded = renewed.id_token().ok_or_else(missing)?;
        self.check_parties(&claims)?;
        self.check_times(&claims)?;
        // That of the new access token; that of an old ID token is never compared with it.
        let algorithm = jws.header().algorithm();
        let access_token = Some(renewed.access_token());
        check_hash(&claims, "at_hash", algorithm, access_token, false)?;
        let first = first.and_then(unverified);
        let first_time = first.as_ref().and_then(|first| first.get("auth_time"));
        // "its auth_time MUST represent the time of the original authentication"
        if let (Some(first), Some(renewed)) = (first_time, claims.get("auth_time"))
            && first != renewed
        {
            return Err(Error::untrusted(
                "the renewed ID token names another time of the authentication (auth_time)",
            ));
        }
        Ok(IdToken::new(encoded.clone(), claims))
    }
}

/// The claims of an ID token that was verified when it was issued, or that can only be refused.
fn unverified(id_token: &Secret) -> Option<Claims> {
    let jws = Jws::parse(id_token.expose_secret()).ok()?;
    Claims::from_slice(jws.unverified_payload()).ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        clock::Clock,
        error::ErrorKind,
        jose::{Algorithm, JwkSet, SigningKey},
        oauth2::{client::ClientRegistration, server::AuthorizationServer},
    };

    const NOW: u64 = 1_700_000_000;
    const PEM: &str = include_str!("../../tests/vectors/p-256.pkcs8.pem");

    fn verifier() -> IdTokenVerifier {
        let server = AuthorizationServer::new("https://id.example")
            .with_id_token_signing_alg_values_supported(["ES256"]);
        let verifier = IdTokenVerifier::new(&server, &ClientRegistration::new("me"));
        let now = Clock::from_fn(|| UNIX_EPOCH + Duration::from_secs(NOW));
        verifier.expect("an issuer").clock(now)
    }

    fn signed(changes: Value) -> Secret {
        let mut claims = json!({
            "iss": "https://id.example", "sub": "alice", "aud": "me", "exp": NOW + 300, "iat": NOW,
            "nonce": "n", "auth_time": NOW - 9000,
        });
        for (name, value) in changes.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        let key = SigningKey::from_pem(Algorithm::ES256, PEM).expect("a key");
        let input = key.header().signing_input(claims.to_string().as_bytes());
        input.expect("a header").sign(&key).expect("a signature")
    }

    fn first() -> Secret {
        signed(json!({}))
    }

    #[test]
    fn another_identity_ends_the_login() {
        for (changes, word) in [
            (json!({"iss": "https://evil.example"}), "(iss)"),
            (json!({"sub": "bob"}), "(sub)"),
            (json!({"aud": "other"}), "(aud)"),
            (json!({"aud": []}), "(aud)"),
            (json!({"nonce": "other"}), "(nonce)"),
        ] {
            let error = verifier().check_identity(&signed(changes), Some(&first()));
            let error = error.expect_err(word);
            assert!(error.to_string().contains(word), "{error}");
            assert_eq!(error.kind(), ErrorKind::Token);
            assert!(error.needs_login());
        }
        let of_party = signed(json!({"azp": "me"}));
        let error = verifier().check_identity(&signed(json!({"azp": "x"})), Some(&of_party));
        assert!(error.expect_err("azp").to_string().contains("(azp)"));
        let for_two = signed(json!({"aud": ["me", "api"]}));
        assert!(verifier().check_identity(&first(), Some(&for_two)).is_err());
        // Without a first one the issuer and the client are known all the same.
        for changes in [
            json!({"iss": "https://evil.example"}),
            json!({"aud": "other"}),
        ] {
            assert!(verifier().check_identity(&signed(changes), None).is_err());
        }
    }

    #[test]
    fn what_says_nothing_about_the_identity_does_not() {
        let no_jwt = Secret::from("opaque");
        for renewed in [signed(json!({"nonce": "n", "exp": 1})), no_jwt, first()] {
            verifier()
                .check_identity(&renewed, Some(&first()))
                .expect("no mismatch");
            verifier()
                .check_identity(&renewed, None)
                .expect("no mismatch");
        }
    }

    #[test]
    fn the_age_is_not_checked_again_and_the_rest_costs_the_id_token_alone() {
        let key = SigningKey::from_pem(Algorithm::ES256, PEM).expect("a key");
        let keys = JwkSet::new([key.public_jwk().expect("a public key")]);
        let token = |id_token: Secret| -> Token {
            let id_token = id_token.expose_secret();
            let members = json!({"access_token": "t", "id_token": id_token});
            serde_json::from_value(members).expect("a token")
        };
        let check = |changes: Value| {
            verifier().verify_renewed(&token(signed(changes)), &keys, &token(first()))
        };
        let error = check(json!({"sub": "bob"})).expect_err("another end-user");
        assert!(error.needs_login());
        let none = verifier().verify_renewed(&Token::new("t"), &keys, &token(first()));
        assert!(!none.expect_err("no ID token").needs_login());
        let renewed = check(json!({"iat": NOW - 7200})).expect("an old one");
        assert_eq!(renewed.claims().subject(), "alice");
        for (changes, word) in [
            (json!({"auth_time": (NOW - 9000) * 1000}), "(auth_time)"),
            (json!({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}), "at_hash"),
            (json!({"exp": NOW - 60}), "expired"),
            (json!({"iat": NOW + 60}), "future"),
            (json!({"aud": ["me", "api"]}), "trusted_audience"),
        ] {
            let error = check(changes).expect_err(word);
            assert!(error.to_string().contains(word), "{error}");
            assert!(!error.needs_login());
        }
    }
}
