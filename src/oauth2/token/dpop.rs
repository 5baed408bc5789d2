//! Tokens that are bound to a key, and their use.
//!
//! [RFC 9449 section 7](https://www.rfc-editor.org/rfc/rfc9449#section-7)

use std::fmt;

use http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value};

use super::{Token, bearer::is_refused};
use crate::{
    error::{Error, Result},
    oauth2::dpop::{
        binding::Binding,
        key::DpopKey,
        keys::DpopKeys,
        nonce::Nonce,
        proof::{DpopProof, bound_prefix},
    },
};

/// Token type, and scheme of the `Authorization` header.
pub(super) const SCHEME: &str = "DPoP";

/// Member of a stored token with the confirmation of its key, as in a JWT access token.
///
/// [RFC 9449 section 6.1](https://www.rfc-editor.org/rfc/rfc9449#section-6.1)
const CONFIRMATION: &str = "cnf";
const THUMBPRINT: &str = "jkt";

/// Member of a stored token with the last nonce of the server that issued it.
pub(super) const DPOP_NONCE: &str = "dpop_nonce";

/// Tokens that are bound to a key.
impl Token {
    /// The thumbprint of the DPoP key that the token is bound to, if it is stored with it: the
    /// member `jkt` of `cnf`.
    ///
    /// ```
    /// use oauth_twin::{Token, jose::Algorithm, oauth2::DpopKey};
    ///
    /// let key = DpopKey::generate(Algorithm::ES256)?;
    /// let token = Token::new("Kz~8mXK1EalYznwH-LC-1fBAo").with_dpop_key(&key);
    /// assert_eq!((token.token_type(), token.dpop_thumbprint()), ("DPoP", Some(key.thumbprint())));
    /// # Ok::<(), oauth_twin::Error>(())
    /// ```
    ///
    /// [RFC 9449 section 6.1](https://www.rfc-editor.org/rfc/rfc9449#section-6.1)
    pub fn dpop_thumbprint(&self) -> Option<&str> {
        self.get(CONFIRMATION)?.get(THUMBPRINT)?.as_str()
    }

    /// Makes it a DPoP token that is bound to `key`, such as one that another library has obtained.
    /// Clients do so with the tokens that they obtain.
    #[must_use]
    pub fn with_dpop_key(self, key: &DpopKey) -> Self {
        self.with_token_type(SCHEME).bound(key.thumbprint(), None)
    }

    /// Whether the token type is `DPoP`, in any case.
    pub(crate) fn is_dpop(&self) -> bool {
        self.token_type().eq_ignore_ascii_case(SCHEME)
    }

    /// The token with the thumbprint of its key, and the last nonce of the server.
    pub(crate) fn bound(mut self, thumbprint: &str, nonce: Option<&str>) -> Self {
        self.change_rest(|rest| {
            let (name, value) = (THUMBPRINT.to_owned(), Value::from(thumbprint));
            match rest.extra.get_mut(CONFIRMATION) {
                Some(Value::Object(members)) => drop(members.insert(name, value)),
                _ => {
                    let mut members = Map::new();
                    members.insert(name, value);
                    rest.extra.insert(CONFIRMATION.to_owned(), members.into());
                }
            }
            if let Some(nonce) = nonce {
                rest.extra.insert(DPOP_NONCE.to_owned(), nonce.into());
            }
        });
        self
    }

    /// The binding of the token, for its refresh.
    pub(crate) fn binding(&self) -> Option<Binding> {
        Some(Binding {
            thumbprint: self.dpop_thumbprint()?.into(),
            nonce: self.get(DPOP_NONCE).and_then(Value::as_str).map(Into::into),
            received: self.issued_at_unix().unwrap_or_default(),
            is_required: false,
        })
    }

    /// What a request with the token needs, if it is bound to one of `keys`.
    pub(crate) fn bound_to(&self, keys: &DpopKeys) -> Result<BoundToken> {
        let key = self.key_among(keys)?;
        Ok(BoundToken {
            header: self.header_text()?,
            prefix: bound_prefix(&key, self.access_token()),
            key,
        })
    }

    /// The key that it is bound to.
    fn key_among(&self, keys: &DpopKeys) -> Result<DpopKey> {
        // A server that does not bind it says so by another type. Such a token protects less than
        // what the calling code has asked for.
        if !self.is_dpop() {
            return Err(Error::token(
                "the token is not bound to the client's DPoP key, and is never sent as a bearer \
                 token; log in again, or remove dpop from the builder if the server does not \
                 support it",
            ));
        }
        let key = match self.dpop_thumbprint() {
            Some(thumbprint) => keys.find(thumbprint).ok_or_else(key_is_lost)?,
            // Stored by another library, with the one key that there was.
            None => keys.present().clone(),
        };
        self.sendable()?;
        Ok(key)
    }
}

/// Keys that tokens have to be bound to. The life cycle knows them by this alone, so that programs
/// whose clients have none do not contain what binds tokens.
pub(crate) trait BindingKeys: fmt::Debug + Send + Sync {
    /// What a request with `token` needs, if it is bound to one of them.
    fn bind(&self, token: &Token) -> Result<BoundToken>;

    /// Checks that `token` is bound to one of them.
    #[allow(dead_code, reason = "only the clients obtain tokens")]
    fn check(&self, token: &Token) -> Result<()>;
}

impl BindingKeys for DpopKeys {
    fn bind(&self, token: &Token) -> Result<BoundToken> {
        token.bound_to(self)
    }

    fn check(&self, token: &Token) -> Result<()> {
        token.key_among(self).map(drop)
    }
}

/// The error about a token whose key is not there.
pub(crate) fn key_is_lost() -> Error {
    Error::token(
        "the token is bound to a DPoP key that the client does not have; give the builder that \
         key, by earlier_dpop_key, or log in again",
    )
}

/// A token in use that is bound to a key of the client.
#[derive(Debug)]
pub(crate) struct BoundToken {
    /// The value of the `Authorization` header.
    pub(crate) header: HeaderValue,
    /// Of its proofs: their header, and the hash of the token.
    prefix: Box<str>,
    pub(crate) key: DpopKey,
}

impl BoundToken {
    /// A proof with the hash of the token.
    pub(crate) fn prove<'a>(
        &'a self,
        proof: DpopProof<'a>,
        nonce: Option<&'a Nonce>,
    ) -> DpopProof<'a> {
        let proof = proof.with_prefix(&self.prefix);
        match nonce {
            Some(nonce) => proof.nonce(nonce.as_str()),
            None => proof,
        }
    }
}

/// Whether a 401 with these headers is about the bound token, and not about the proof: its challenge
/// says `invalid_token`, or gives no reason.
///
/// [RFC 9449 section 7.1](https://www.rfc-editor.org/rfc/rfc9449#section-7.1)
#[allow(dead_code, reason = "only the clients need it")]
pub(crate) fn is_invalid_dpop_token(headers: &HeaderMap) -> bool {
    // Servers that know both schemes answer with the challenge of bearer tokens, too.
    is_refused(headers, &["dpop", "bearer"])
}

#[cfg(test)]
mod tests {
    use http::header::WWW_AUTHENTICATE;
    use serde_json::json;

    use super::*;
    use crate::jose::Algorithm;

    fn key() -> DpopKey {
        DpopKey::generate(Algorithm::EdDSA).expect("a key")
    }

    fn stored(members: Value) -> Token {
        serde_json::from_value(members).expect("a token")
    }

    #[test]
    fn the_thumbprint_is_stored_as_the_confirmation() {
        let key = key();
        let token = Token::new("t").with_dpop_key(&key);
        let members = serde_json::to_value(&token).expect("JSON");
        assert_eq!(
            members,
            json!({"access_token": "t", "token_type": "DPoP", "cnf": {"jkt": key.thumbprint()}})
        );
        assert_eq!(stored(members), token);
        // What a server says beside it is kept, what is no object is not.
        let both = stored(json!({"access_token": "t", "cnf": {"x5t#S256": "c"}}));
        let both = both.bound("j", Some("n"));
        assert_eq!(both.get("cnf"), Some(&json!({"x5t#S256": "c", "jkt": "j"})));
        assert_eq!(both.get("dpop_nonce"), Some(&json!("n")));
        let odd = stored(json!({"access_token": "t", "cnf": 7})).bound("j", None);
        assert_eq!(odd.dpop_thumbprint(), Some("j"));
    }

    #[test]
    fn the_scheme_is_that_of_the_type_in_any_case() {
        let (key, keys) = (key(), DpopKeys::new(key(), Vec::new()));
        keys.add(key.clone());
        for token_type in ["DPoP", "dPOP", "dpop"] {
            let token = Token::new("t")
                .with_dpop_key(&key)
                .with_token_type(token_type);
            let bound = token.bound_to(&keys).expect("a bound token");
            assert_eq!(bound.header, "DPoP t");
            assert!(bound.header.is_sensitive());
            assert_eq!(bound.key.thumbprint(), key.thumbprint());
            let error = token.authorization_header().expect_err("no bearer token");
            assert!(error.to_string().contains("authorize"), "{error}");
        }
        let back = Token::new("t")
            .with_dpop_key(&key)
            .with_token_type("bearer");
        assert_eq!(back.authorization_header().expect("a header"), "Bearer t");
    }

    #[test]
    fn a_token_without_a_thumbprint_is_bound_to_the_present_key() {
        let keys = DpopKeys::new(key(), vec![key()]);
        let authlibs = stored(json!({"access_token": "t", "token_type": "DPoP", "expires_in": 60}));
        let bound = authlibs.bound_to(&keys).expect("a bound token");
        assert_eq!(bound.key.thumbprint(), keys.present().thumbprint());
    }

    #[test]
    fn what_is_bound_to_no_key_of_the_client_is_not_sent() {
        let keys = DpopKeys::new(key(), Vec::new());
        for (word, token) in [
            ("bearer token", Token::new("hunter2")),
            (
                "earlier_dpop_key",
                Token::new("hunter2").with_dpop_key(&key()),
            ),
            ("bearer token", Token::new("hunter2").with_token_type("N_A")),
        ] {
            let error = token.bound_to(&keys).expect_err(word);
            assert!(error.to_string().contains(word), "{error}");
            assert!(error.needs_login());
        }
        let odd = Token::new("hunter2 ").with_dpop_key(keys.present());
        let error = odd.bound_to(&keys).expect_err("a space");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }

    fn refused(values: &[&str]) -> bool {
        let lines = values
            .iter()
            .map(|it| (WWW_AUTHENTICATE, it.parse().expect("a header")));
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, value);
        }
        is_invalid_dpop_token(&headers)
    }

    #[test]
    fn a_challenge_is_about_the_token_or_about_the_proof() {
        for about_token in [
            &[][..],
            &["DPoP algs=\"ES256\""],
            &["dpop error=\"invalid_token\", error_description=\"expired\""],
            &["Bearer", "DPoP ERROR=invalid_token"],
        ] {
            assert!(refused(about_token), "{about_token:?}");
        }
        for about_something_else in [
            &["DPoP error=\"invalid_dpop_proof\""][..],
            &["dpOP error=\"use_dpop_nonce\""],
            &["DPoP error=\"insufficient_scope\", scope=\"a\""],
            &["DPoP error=\"insufficient_user_authentication\""],
            &["Basic realm=\"x\""],
        ] {
            assert!(!refused(about_something_else), "{about_something_else:?}");
        }
    }

    #[test]
    fn a_server_cannot_set_what_is_kept_beside_the_token() {
        let answer = json!({"access_token": "t", "token_type": "DPoP", "dpop_nonce": "x"});
        let Value::Object(members) = answer else {
            panic!("an object");
        };
        let token = Token::from_answer(members, std::time::Duration::ZERO).expect("a token");
        assert_eq!(token.get("dpop_nonce"), None);
        let kept = token.bound("j", Some("n")).binding().expect("a binding");
        assert_eq!((&*kept.thumbprint, kept.nonce.as_deref()), ("j", Some("n")));
        assert!(Token::new("t").binding().is_none());
    }
}
