//! Messages that OAuth 1.0 and OAuth 2.0 have in common, and their encodings.

pub(crate) mod callback;
pub(crate) mod challenge;
pub(crate) mod document;
pub(crate) mod form;
mod hint;
pub(crate) mod redaction;
pub(crate) mod response;
pub(crate) mod secure_url;
