//! Life of a token: a state machine without I/O, which the clients carry out.
//!
//! [`TokenState`] decides what to do with a token, for programs that send requests without the
//! clients of this crate.
//!
//! Inside, a slot holds the token that is in use. Callers say what they need and get an action: use
//! the token, wait, renew it, or fail. The caller that renews holds a claim. The new token is
//! published in the table of slots, which finds each by its refresh token, and is then delivered to
//! the token store and to `update_token`.
//!
//! A client whose registration is of no use is registered anew in the same way: by one caller for all.

pub(crate) mod action;
pub(crate) mod decision;
pub(crate) mod now;
pub(crate) mod outbox;
pub(crate) mod pacing;
#[cfg(test)]
mod properties;
pub(crate) mod published;
pub(crate) mod reconcile;
pub(crate) mod registry;
pub(crate) mod reregistration;
pub(crate) mod single_flight;
pub(crate) mod slot;
pub(crate) mod slots;
pub(crate) mod table;
#[cfg(test)]
mod testing;
pub(crate) mod update;

pub use decision::{Decision, Lifetime, TokenState};
