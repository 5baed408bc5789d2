//! Google's credentials.
//!
//! [AIP-4110](https://google.aip.dev/auth/4110)

pub(crate) mod application_default;
mod authorized_user;
mod aws;
mod credentials;
mod executable;
mod external_account;
pub(crate) mod hosts;
mod impersonation;
pub(crate) mod journal;
mod location;
mod metadata_server;
mod service_account;
mod subject_token;

pub use application_default::ApplicationDefault;
pub use service_account::ServiceAccount;
