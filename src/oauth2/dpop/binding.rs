//! The key of a message, before and after its proof is made.

use super::nonce::Nonce;

/// Binding of something that is exchanged for a token.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub(crate) thumbprint: Box<str>,
    /// The nonce that was kept with it.
    pub(crate) nonce: Option<Box<str>>,
    /// The time from which that nonce is, in seconds since 1970.
    pub(crate) received: u64,
    /// Whether it is of no use with another key, whatever the client.
    pub(crate) is_required: bool,
}

impl Binding {
    /// The binding of an authorization code.
    pub(crate) fn required(thumbprint: impl Into<Box<str>>) -> Self {
        Self {
            thumbprint: thumbprint.into(),
            nonce: None,
            received: 0,
            is_required: true,
        }
    }
}

/// Proof of an endpoint request.
#[derive(Clone, Debug)]
pub(crate) struct Proved {
    pub(crate) thumbprint: Box<str>,
    pub(crate) nonce: Option<Nonce>,
}
