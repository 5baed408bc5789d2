//! Client identifiers in requests.

use crate::{
    error::Error,
    oauth2::{client::ClientRegistration, request::EndpointRequest},
};

pub(crate) fn add_client_id(request: &mut EndpointRequest) {
    let id = request.client_id().to_owned();
    request.form_mut().set("client_id", id);
}

/// Checks that there is a client identifier, which every method except [`NoClientAuthentication`]
/// needs.
pub(crate) fn require_client_id(registration: &ClientRegistration) -> Result<(), Error> {
    match registration.client_id().is_empty() {
        true => Err(Error::usage("it needs a client_id")),
        false => Ok(()),
    }
}
