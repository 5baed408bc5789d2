//! The settings of clients: what builders collect, each with its methods, and what sessions work
//! with.

mod http;
mod problems;
mod session;
mod token;

pub(super) use {
    http::{HttpSettings, http_settings},
    problems::Problems,
    session::{Authentication, Identity, Settings},
    token::{TokenSettings, token_settings},
};
