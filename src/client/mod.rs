//! The clients: the one code path, written as async code and compiled once per mode.
//!
//! Everything that differs between the modes comes from the parent, under the same names. The
//! decisions are made in `lifecycle`, without I/O; the clients carry them out.

use super::{
    Assert, FetchAssertion, FetchSubject, Led, LogIn, LogoutTokenIds, Sign, Store, UpdateHook,
    UserStore, Visit, boxed, execute, http, http_client, identity_source, in_callback, in_span,
    is_in_callback, limit_by_itself, login_method, maybe_async, read_capped, require_runtime,
    run_blocking, run_detached_for, run_in_background, run_to_completion, side_by_side, sleep,
    spawn_and_forget, subject_source, wait_for, with_stall_limit, with_timeout,
    with_timeout_of_calls, within,
};

mod assertion;
mod authorizer;
mod calls;
mod delivery;
mod documents;
mod dpop;
mod endpoint_call;
mod exchange;
mod gate;
#[cfg(feature = "login")]
pub(crate) mod interactive;
mod keys;
mod oauth1;
mod oauth2;
mod obtain;
mod oidc;
mod protected_resource;
mod registration;
mod renewal;
mod request;
mod server;
mod session;
mod settings;
mod shared;
mod store_sync;
#[cfg(feature = "redis")]
pub(crate) mod stores;
mod transport;
mod users;
mod waiting;

// What a setting brings along: the rooms below hold it, and lead through it to those above.
pub(super) use delivery::UpdateDelivery;
pub(super) use endpoint_call::completion::{ByCallbacks, RequestCompletion};
use registration::anew::{OwnRegistrations, RegistrationCalls};
pub(super) use renewal::{StoreCalls, StoredTokens};
use {
    endpoint_call::{
        google::TokenInSteps,
        proof::{CallProofs, KeyProofs},
    },
    oidc::id_tokens::IdTokens,
    server::Discovers,
};

pub(super) use session::Session;
pub use {assertion::*, oauth1::*, oauth2::*, request::*};
