//! Nonces that servers provide for proofs.
//!
//! [RFC 9449 section 8](https://www.rfc-editor.org/rfc/rfc9449#section-8)

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use http::{HeaderMap, HeaderName, HeaderValue};
use url::{Position, Url};

use super::proof::is_nonce;
use crate::wire::challenge::Challenge;

/// Name of the header with a nonce.
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// Maximum number of origins whose nonces are kept.
const ORIGINS: usize = 1024;

/// Nonce of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Nonce(Arc<str>);

impl Nonce {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The nonce in a text that was kept.
    pub(crate) fn restored(text: &str) -> Option<Self> {
        is_nonce(text).then(|| Self(text.into()))
    }

    /// The nonce in the header of a response; none, if there is none that can be sent.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        Self::restored(text(headers)?)
    }

    /// The nonce that a refusal demands: one that is not the one that was sent.
    pub(crate) fn demanded(headers: &HeaderMap, sent: Option<&Self>) -> Option<Self> {
        Self::of(headers).filter(|nonce| Some(nonce) != sent)
    }

    /// The same where the refusal of a resource server is about the nonce: none if its challenge names
    /// another error.
    ///
    /// [RFC 9449 section 9](https://www.rfc-editor.org/rfc/rfc9449#section-9)
    #[allow(dead_code, reason = "only the clients send")]
    pub(crate) fn demanded_explicitly(headers: &HeaderMap, sent: Option<&Self>) -> Option<Self> {
        let nonce = Self::demanded(headers, sent)?;
        let challenges = Challenge::all(headers);
        let for_tokens = |one: &&Challenge| one.is_scheme("dpop") || one.is_scheme("bearer");
        let errors = challenges.iter().filter(for_tokens);
        let mut errors = errors.filter_map(|one| one.parameter("error")).peekable();
        let is_demand = errors.peek().is_none()
            || errors.any(|error| error.eq_ignore_ascii_case("use_dpop_nonce"));
        is_demand.then_some(nonce)
    }
}

/// What the header of a response has, which may be no nonce.
pub(crate) fn text(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(DPOP_NONCE)
        .and_then(|it: &HeaderValue| it.to_str().ok())
}

/// Last nonces of servers in one role, by their origin.
#[derive(Debug, Default)]
pub(crate) struct Nonces(RwLock<HashMap<Box<str>, Known>>);

#[derive(Debug)]
struct Known {
    nonce: Nonce,
    /// Seconds since 1970.
    received: u64,
}

impl Nonces {
    /// The last nonce of the server at `url`.
    pub(crate) fn last(&self, url: &Url) -> Option<Nonce> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if known.is_empty() {
            return None;
        }
        Some(known.get(origin(url))?.nonce.clone())
    }

    /// The same, unless the one that was kept since `received`, in seconds since 1970, is later.
    pub(crate) fn last_or_kept(&self, url: &Url, kept: Option<(&str, u64)>) -> Option<Nonce> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let known = known.get(origin(url));
        let kept = kept.filter(|(_, received)| known.is_none_or(|it| it.received < *received));
        let kept = kept.and_then(|(nonce, _)| Nonce::restored(nonce));
        kept.or_else(|| known.map(|it| it.nonce.clone()))
    }

    /// Keeps the nonce in a response of the server at `url`, if there is one, that arrived at `now`,
    /// in seconds since 1970.
    pub(crate) fn observe(&self, url: &Url, headers: &HeaderMap, now: impl FnOnce() -> u64) {
        if let Some(text) = text(headers) {
            self.keep(url, text, now);
        }
    }

    /// The same for the [`text`] of its header.
    pub(crate) fn keep(&self, url: &Url, text: &str, now: impl FnOnce() -> u64) {
        let origin = origin(url);
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if known
            .get(origin)
            .is_some_and(|it| it.nonce.as_str() == text)
        {
            return;
        }
        drop(known);
        let Some(nonce) = Nonce::restored(text) else {
            return;
        };
        let received = now();
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= ORIGINS && !known.contains_key(origin) {
            // Each costs one more request; a server names as many origins as it likes.
            known.clear();
        }
        known.insert(origin.into(), Known { nonce, received });
    }
}

/// Scheme, host and port; a URL omits the default port.
fn origin(url: &Url) -> &str {
    &url[..Position::BeforePath]
}

#[cfg(test)]
mod tests {
    use http::header::WWW_AUTHENTICATE;

    use super::*;

    fn headers(nonce: &str) -> HeaderMap {
        let value = HeaderValue::from_bytes(nonce.as_bytes()).expect("a header");
        HeaderMap::from_iter([(DPOP_NONCE, value)])
    }

    fn url(url: &str) -> Url {
        url.parse().expect("a URL")
    }

    fn last(nonces: &Nonces, at: &str) -> Option<String> {
        nonces.last(&url(at)).map(|nonce| nonce.as_str().to_owned())
    }

    #[test]
    fn the_last_nonce_of_an_origin_is_kept_with_its_default_port() {
        let nonces = Nonces::default();
        nonces.observe(&url("https://a.example/x?y"), &headers("n1"), || 1);
        for same in [
            "https://a.example",
            "https://a.example:443/z",
            "https://A.EXAMPLE/#f",
        ] {
            assert_eq!(last(&nonces, same).as_deref(), Some("n1"), "{same}");
        }
        for other in [
            "https://a.example:8443/",
            "http://a.example/",
            "https://b.a.example/",
        ] {
            assert_eq!(last(&nonces, other), None, "{other}");
        }
        nonces.observe(&url("https://a.example:443/"), &headers("n2"), || 2);
        nonces.observe(&url("https://a.example/"), &HeaderMap::new(), || 3);
        assert_eq!(last(&nonces, "https://a.example/").as_deref(), Some("n2"));
    }

    #[test]
    fn what_is_no_nonce_is_not_kept() {
        let nonces = Nonces::default();
        for bad in ["", "a b", "a\"", "a\\", "\u{e4}", &"n".repeat(1025)] {
            nonces.observe(&url("https://a.example/"), &headers(bad), || 1);
            assert_eq!(last(&nonces, "https://a.example/"), None, "{bad:?}");
        }
    }

    #[test]
    fn a_refusal_demands_a_nonce_that_was_not_sent() {
        let [first, second] = ["n1", "n2"].map(|text| Nonce::restored(text).expect("a nonce"));
        let demanded = |sent| Nonce::demanded(&headers("n2"), sent);
        assert_eq!(demanded(None), Some(second.clone()));
        assert_eq!(demanded(Some(&first)), Some(second.clone()));
        assert_eq!(demanded(Some(&second)), None);
        assert_eq!(Nonce::demanded(&HeaderMap::new(), Some(&first)), None);
        assert_eq!(Nonce::demanded(&headers("a b"), Some(&first)), None);
    }

    #[test]
    fn a_challenge_about_something_else_demands_no_nonce() {
        let demanded = |challenge: &str| {
            let mut headers = headers("n");
            headers.insert(WWW_AUTHENTICATE, challenge.parse().expect("a header"));
            Nonce::demanded_explicitly(&headers, None).is_some()
        };
        assert!(Nonce::demanded_explicitly(&headers("n"), None).is_some());
        for demand in [
            "DPoP error=\"use_dpop_nonce\"",
            "Bearer error=Use_DPoP_nonce",
            "Bearer error=\"invalid_token\", DPoP error=\"use_dpop_nonce\"",
            "DPoP algs=\"ES256\"",
            "Basic error=\"invalid_token\"",
        ] {
            assert!(demanded(demand), "{demand}");
        }
        for other in [
            "DPoP error=\"invalid_token\"",
            "Bearer error=\"insufficient_user_authentication\"",
            "dpop error=insufficient_scope",
            "DPoP, DPoP error=\"invalid_dpop_proof\"",
        ] {
            assert!(!demanded(other), "{other}");
        }
    }

    #[test]
    fn a_nonce_that_was_stored_counts_if_it_is_later() {
        let (nonces, url) = (Nonces::default(), url("https://a.example/token"));
        let chosen = |kept| {
            nonces
                .last_or_kept(&url, kept)
                .map(|it| it.as_str().to_owned())
        };
        assert_eq!(chosen(Some(("kept", 1))).as_deref(), Some("kept"));
        assert_eq!(chosen(Some(("not one", 1))), None);
        nonces.observe(&url, &headers("seen"), || 5);
        for (received, expected) in [(4, "seen"), (5, "seen"), (6, "kept")] {
            let chosen = chosen(Some(("kept", received)));
            assert_eq!(chosen.as_deref(), Some(expected), "{received}");
        }
    }

    #[test]
    fn the_number_of_origins_is_bounded() {
        let nonces = Nonces::default();
        for n in 0..3000 {
            nonces.observe(&url(&format!("https://{n}.example/")), &headers("n"), || 1);
        }
        assert!(nonces.0.read().expect("a lock").len() <= ORIGINS);
        assert_eq!(last(&nonces, "https://2999.example/").as_deref(), Some("n"));
    }
}
