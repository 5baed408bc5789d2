//! Advice about logins that ask for no scope.

use crate::{
    error::Error,
    oauth2::{request::EndpointRequest, scope::missing_scope},
};

/// The error with advice if the login asks for no scope, in a request that is not signed.
pub(super) fn with_scope_advice(error: Error, request: &EndpointRequest) -> Error {
    let value = |name| request.form().value(name);
    let is_unscoped = value("scope").is_none() && value("request").is_none();
    let code = error.code().filter(|_| is_unscoped);
    let hint = code.and_then(missing_scope);
    error.hinted(hint)
}
