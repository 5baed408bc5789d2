//! Tokens that are bound to a key, in requests with a proof.
//!
//! [RFC 9449 section 7](https://www.rfc-editor.org/rfc/rfc9449#section-7)

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};

use super::super::{
    dpop::Dpop,
    http, maybe_async,
    session::{Live, Session},
};
use crate::{
    error::{Error, Result},
    lifecycle::published::Published,
    oauth2::{
        dpop::{
            nonce::{self, Nonce},
            proof::{DPOP, DpopProof},
        },
        token::dpop::BoundToken,
    },
};

impl Live {
    /// Adds a token with its proof by a local key.
    #[cold]
    #[inline(never)]
    pub(super) fn place_bound(
        &self,
        request: &mut http::Request,
        bound: &BoundToken,
        demanded: Option<Nonce>,
    ) -> Result<Option<Nonce>> {
        let nonce = self.place_unproved(request, bound, demanded)?;
        let proof = self
            .proof(request, bound, nonce.as_ref())
            .sign(&bound.key)?;
        add(request, proof)?;
        Ok(nonce)
    }

    /// Adds a token without its proof, which is for the request as the hooks leave it.
    fn place_unproved(
        &self,
        request: &mut http::Request,
        bound: &BoundToken,
        demanded: Option<Nonce>,
    ) -> Result<Option<Nonce>> {
        request
            .headers_mut()
            .insert(AUTHORIZATION, bound.header.clone());
        self.apply_hooks(request)?;
        let dpop = self.shared.dpop.as_deref();
        Ok(demanded.or_else(|| dpop?.of_resources.last(request.url())))
    }

    fn proof<'a>(
        &self,
        request: &'a http::Request,
        bound: &'a BoundToken,
        nonce: Option<&'a Nonce>,
    ) -> DpopProof<'a> {
        let proof = DpopProof::new(request.method(), request.url());
        bound.prove(proof.clock(self.shared.settings.clock.clone()), nonce)
    }

    fn keep_nonce(&self, url: &reqwest::Url, nonce: &str) {
        if let Some(dpop) = &self.shared.dpop {
            let now = || self.shared.settings.clock.unix().as_secs();
            dpop.of_resources.keep(url, nonce, now);
        }
    }
}

impl Session {
    /// Keeps the nonce in a response of a resource server.
    pub(in super::super) fn observe(&self, response: &http::Response) {
        if let Some(nonce) = nonce::text(response.headers())
            && let Ok(live) = self.live()
        {
            live.keep_nonce(response.url(), nonce);
        }
    }
}

/// Adds the proof to the request.
fn add(request: &mut http::Request, proof: HeaderValue) -> Result<()> {
    match request.headers_mut().insert(DPOP, proof) {
        None => Ok(()),
        Some(_other) => Err(Error::usage(
            "the request has a DPoP header already; take it out, or call withhold_token",
        )),
    }
}

#[maybe_async]
impl Live {
    /// Adds the token to the request as [`place`](Self::place) does, whatever its key is. An external
    /// key signs within `limit`.
    pub(super) async fn place_late(
        &self,
        request: &mut http::Request,
        published: &Published,
        demanded: Option<Nonce>,
        limit: Duration,
    ) -> Result<Option<Nonce>> {
        let (Some(bound), Some(dpop)) = (published.bound(), self.shared.dpop.as_deref()) else {
            return self.place(request, published, demanded);
        };
        let nonce = self.place_unproved(request, bound, demanded)?;
        let proof = self
            .sign(dpop, request, bound, nonce.as_ref(), limit)
            .await?;
        add(request, proof)?;
        Ok(nonce)
    }

    async fn sign(
        &self,
        dpop: &Dpop,
        request: &http::Request,
        bound: &BoundToken,
        nonce: Option<&Nonce>,
        limit: Duration,
    ) -> Result<HeaderValue> {
        let proof = self.proof(request, bound, nonce);
        let marks = [self.slot.id(), self.slot.completing()];
        dpop.sign(&bound.key, &proof, limit, marks).await
    }
}
