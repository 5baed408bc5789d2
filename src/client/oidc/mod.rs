//! OpenID Connect in the clients.

mod id_tokens;
