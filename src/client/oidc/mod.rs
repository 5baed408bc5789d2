//! OpenID Connect in the clients.

pub(super) mod id_tokens;
mod renewed;
