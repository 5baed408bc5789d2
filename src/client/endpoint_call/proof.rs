//! Proofs of possession of a call, and the nonce that a server demands for them.
//!
//! [RFC 9449 section 5](https://www.rfc-editor.org/rfc/rfc9449#section-5)

use std::time::Duration;

use reqwest::{StatusCode, Url, header::HeaderMap};

use super::{
    super::{
        Led, boxed,
        dpop::{Dpop, DpopSettings},
        maybe_async,
    },
    EndpointCall,
};
use crate::{
    error::{Error, ErrorCode, Result},
    oauth2::{
        dpop::{key::DpopKey, nonce::Nonce},
        request::EndpointRequest,
        token::dpop::key_is_lost,
    },
};

/// What adds proofs to requests. Keys of a client lead to it, so that a program whose clients have none
/// does not contain it.
pub(in super::super) trait CallProofs: Send + Sync {
    /// The keys of these settings.
    fn of(&self, settings: &DpopSettings) -> Option<Dpop>;

    fn prove<'a>(
        &self,
        call: &'a EndpointCall<'_>,
        dpop: &'a Dpop,
        request: &'a mut EndpointRequest,
        demanded: Option<Nonce>,
        limit: Duration,
    ) -> Led<'a, Result<()>>;

    /// Keeps the nonce in a response.
    fn observe(&self, call: &EndpointCall<'_>, dpop: &Dpop, url: &Url, headers: &HeaderMap);
}

/// Proofs by the keys of a client.
pub(in super::super) struct KeyProofs;

impl CallProofs for KeyProofs {
    fn of(&self, settings: &DpopSettings) -> Option<Dpop> {
        settings.proved_by(&Self)
    }

    fn prove<'a>(
        &self,
        call: &'a EndpointCall<'_>,
        dpop: &'a Dpop,
        request: &'a mut EndpointRequest,
        demanded: Option<Nonce>,
        limit: Duration,
    ) -> Led<'a, Result<()>> {
        boxed(call.prove_by(dpop, request, demanded, limit))
    }

    fn observe(&self, call: &EndpointCall<'_>, dpop: &Dpop, url: &Url, headers: &HeaderMap) {
        let now = || call.shared.settings.clock.unix().as_secs();
        dpop.of_server.observe(url, headers, now);
    }
}

#[maybe_async]
impl EndpointCall<'_> {
    /// Adds a proof to a request to an endpoint that binds what it issues, if the client has a key:
    /// with the nonce that the server demanded, or else its last one.
    pub(super) async fn prove(
        &self,
        request: &mut EndpointRequest,
        demanded: Option<Nonce>,
        limit: Duration,
    ) -> Result<()> {
        match &self.shared.dpop {
            Some(dpop) if request.is_to_be_proved() => {
                let proofs = dpop.proofs;
                proofs.prove(self, dpop, request, demanded, limit).await
            }
            Some(_) => Ok(()),
            None => match request.binding() {
                Some(binding) if binding.is_required => Err(wrong_client()),
                _ => Ok(()),
            },
        }
    }

    async fn prove_by(
        &self,
        dpop: &Dpop,
        request: &mut EndpointRequest,
        demanded: Option<Nonce>,
        limit: Duration,
    ) -> Result<()> {
        let key = self.key(dpop, request)?;
        let kept = request.binding();
        let kept = kept.and_then(|kept| Some((kept.nonce.as_deref()?, kept.received)));
        let last = || dpop.of_server.last_or_kept(request.url(), kept);
        let nonce = demanded.or_else(last);
        let marks = [self.slot.id(), self.slot.completing()];
        let proof = request.proof(&key, nonce.as_ref())?;
        let header = dpop.sign(&key, &proof, limit, marks).await?;
        request.set_proof(header, &key, nonce);
        Ok(())
    }
}

impl EndpointCall<'_> {
    /// The key of what is sent, or the present one.
    fn key(&self, dpop: &Dpop, request: &EndpointRequest) -> Result<DpopKey> {
        let Some(binding) = request.binding() else {
            return Ok(dpop.keys.present().clone());
        };
        let found = dpop.keys.find(&binding.thumbprint);
        let is_current = || !dpop.keys.is_replaced(&binding.thumbprint);
        match found {
            Some(key) if binding.is_required || is_current() => Ok(key),
            None if binding.is_required => Err(wrong_client()),
            // "Refresh tokens issued to confidential clients [...] are not bound to the DPoP proof
            // public key because they are already sender-constrained".
            found if self.shared.settings.is_public(request.server()) => {
                found.ok_or_else(key_is_lost)
            }
            _ => Ok(dpop.keys.present().clone()),
        }
    }

    /// Keeps the nonce in a response.
    pub(super) fn observe(&self, request: &EndpointRequest, headers: &HeaderMap) {
        if let Some(dpop) = &self.shared.dpop {
            dpop.proofs.observe(self, dpop, request.url(), headers);
        }
    }
}

/// The nonce with which a refused request is sent again: another one than was sent, in the header of
/// a response that is about the nonce, or says nothing.
pub(super) fn demanded_nonce(request: &EndpointRequest, error: &Error) -> Option<Nonce> {
    let sent = request.proved()?.nonce.as_ref();
    let response = error.response()?;
    let is_about_nonce = match response.code() {
        Some(code) => *code == ErrorCode::UseDpopNonce,
        None => response.status() == Some(StatusCode::UNAUTHORIZED),
    };
    match is_about_nonce {
        true => Nonce::demanded(response.headers(), sent),
        false => None,
    }
}

/// The error about a request that is not sent again, with advice if there is nothing new to send.
pub(super) fn without_nonce(error: Error) -> Error {
    let response = error.response();
    let lacks_nonce = response.is_some_and(|response| {
        response.code() == Some(&ErrorCode::UseDpopNonce) && Nonce::of(response.headers()).is_none()
    });
    error.advised(lacks_nonce.then_some(
        "the response has no header DPoP-Nonce with a nonce to send; a proxy may have removed it",
    ))
}

fn wrong_client() -> Error {
    Error::usage(
        "the login is bound to a DPoP key that the client does not have (dpop_jkt); complete it \
         by a client with that key, add the key by add_dpop_key, or begin a new login",
    )
}
