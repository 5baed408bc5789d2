//! OpenID Connect without I/O.
//!
//! [OpenID Connect Core](https://openid.net/specs/openid-connect-core-1_0.html)

pub(crate) mod key_set;

pub use key_set::{KeyDecision, KeySet};
