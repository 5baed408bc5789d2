//! Parameters of a request that are still missing: signatures, assertions, the tokens of others.

use std::{borrow::Cow, sync::Arc};

use super::EndpointRequest;
use crate::{
    error::{BoxError, Error, Result},
    jose::SigningInput,
    secret::Secret,
    wire::response::EndpointResponse,
};

/// Missing parameter that the caller or an external key has to supply, with its name.
#[derive(Clone)]
pub(crate) enum Outstanding {
    /// A token to be signed by an external key.
    Signature(Cow<'static, str>, SigningInput),
    /// An assertion from the caller.
    Assertion(&'static str),
    /// A client assertion from the caller.
    ClientAssertion(&'static str),
    /// An assertion that a platform makes.
    Source(&'static str, Arc<dyn AssertionSource>),
    /// The token of another client, which is exchanged.
    Subject(SubjectKind),
    /// The assertion of the identity provider of another client.
    IdJag(&'static str),
}

/// Token of another client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubjectKind {
    AccessToken,
    IdToken,
}

/// Source of assertions that a platform makes.
#[allow(dead_code, reason = "only the clients read sources")]
pub(crate) trait AssertionSource: Send + Sync {
    /// The assertion, or the request for it. It may block, for no longer than a minute.
    fn read(&self) -> Result<SourceRead, BoxError>;

    /// The assertion in the response to that request.
    fn read_response(
        &self,
        request: &EndpointRequest,
        response: &EndpointResponse,
    ) -> Result<Secret>;
}

/// What a source has.
#[allow(clippy::large_enum_variant, reason = "it is matched at once")]
pub(crate) enum SourceRead {
    Assertion(Secret),
    Request(EndpointRequest),
}

/// What a token that is exchanged has to be.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// The type that was asked for.
    pub(crate) requested: Option<String>,
    /// The expiry of the subject, in seconds since 1970.
    pub(crate) latest_expiry: Option<u64>,
}

impl EndpointRequest {
    /// Adds a token as the parameter `name`, to be signed by the
    /// [`external_key`](crate::oauth2::ClientRegistration::external_key).
    pub fn sign_externally(&mut self, name: impl Into<Cow<'static, str>>, input: SigningInput) {
        self.outstanding
            .push_back(Outstanding::Signature(name.into(), input));
    }

    /// The next input to be signed externally before the request can be sent. Clients do so with
    /// their `signer`. With another HTTP library, pass each signature to [`sign`](Self::sign) until
    /// this returns none.
    pub fn unsigned(&self) -> Option<&SigningInput> {
        match self.outstanding()? {
            Outstanding::Signature(_, input) => Some(input),
            _ => None,
        }
    }

    /// Adds the signature of the input that [`unsigned`](Self::unsigned) returns.
    ///
    /// # Errors
    ///
    /// If it is not a signature by the algorithm of the external key.
    pub fn sign(&mut self, signature: &[u8]) -> Result<()> {
        let Some(Outstanding::Signature(name, input)) = self.outstanding.front() else {
            return Ok(());
        };
        let signature = match self.registration.external_key() {
            Some(key) => key.signature(signature)?,
            None => signature.to_vec(),
        };
        self.form
            .set(name.clone(), input.with_signature(&signature));
        self.outstanding.pop_front();
        Ok(())
    }

    /// Adds an assertion from the caller, from a platform or from another server.
    #[allow(dead_code, reason = "only the clients complete requests")]
    pub(crate) fn assert(&mut self, assertion: Secret) -> Result<()> {
        if assertion.is_empty() {
            return Err(Error::usage(
                "the assertion that the callback returned is empty",
            ));
        }
        let outstanding = self.outstanding.pop_front();
        self.has_foreign_assertion |= !matches!(outstanding, Some(Outstanding::Assertion(_)));
        match outstanding {
            Some(
                Outstanding::Assertion(name)
                | Outstanding::ClientAssertion(name)
                | Outstanding::Source(name, _)
                | Outstanding::IdJag(name),
            ) => self.form.set(name, assertion),
            Some(Outstanding::Signature(..) | Outstanding::Subject(_)) | None => {}
        }
        Ok(())
    }

    /// Whether a platform or another server has made an assertion of the request, by its own clock.
    #[allow(dead_code, reason = "only the clients correct their clocks")]
    pub(crate) fn has_foreign_assertion(&self) -> bool {
        self.has_foreign_assertion
    }

    /// Whether no user can help if the server refuses the grant, which is an assertion of a platform
    /// or of a key.
    pub(crate) fn is_unattended(&self) -> bool {
        self.is_unattended
    }

    pub(crate) fn set_unattended(&mut self) {
        self.is_unattended = true;
    }

    /// Adds the token of another client, which expires at that time.
    #[allow(dead_code, reason = "only the clients exchange each other's tokens")]
    pub(crate) fn set_subject(&mut self, subject: Secret, expires_at: Option<u64>) {
        self.outstanding.pop_front();
        self.form.set("subject_token", subject);
        if let Some(exchange) = &mut self.exchange {
            exchange.latest_expiry = expires_at;
        }
    }

    pub(crate) fn outstanding(&self) -> Option<&Outstanding> {
        self.outstanding.front()
    }

    pub(crate) fn complete_later(&mut self, outstanding: Outstanding) {
        self.outstanding.push_back(outstanding);
    }

    /// What the token in the response has to be, if it is exchanged.
    pub(crate) fn exchange(&self) -> Option<&Exchange> {
        self.exchange.as_deref()
    }

    pub(crate) fn expect_exchanged(&mut self, exchange: Exchange) {
        self.exchange = Some(Box::new(exchange));
    }
}
