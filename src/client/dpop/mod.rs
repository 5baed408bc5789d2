//! DPoP of a client: its keys, what signs with them, and the nonces of servers.

mod external;
mod proofs;

pub(super) use {
    external::external_signature,
    proofs::{Dpop, DpopSettings},
};
