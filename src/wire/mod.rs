//! What OAuth 1.0 and OAuth 2.0 both send and read, and what knows neither.

pub(crate) mod callback;
pub(crate) mod challenge;
pub(crate) mod form;
pub(crate) mod redaction;
pub(crate) mod response;
pub(crate) mod secure_url;
