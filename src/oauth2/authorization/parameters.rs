//! Parameters of an authorization request.
//!
//! [RFC 6749 section 4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)

use std::time::Duration;

use crate::{
    error::{Error, Result},
    oauth2::{
        authentication::AuthenticationRequest,
        authorization::{details, openid, request::AuthorizationRequest},
        client::ClientRegistration,
        server::AuthorizationServer,
    },
    secret::Secret,
    wire::form::Form,
};

/// Parameters that have a method of their own.
const RESERVED: [&str; 12] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "dpop_jkt",
    "request",
    "request_uri",
    "authorization_details",
];

/// Values that were made for the request.
pub(super) struct Values<'a> {
    pub(super) state: &'a Secret,
    pub(super) code_verifier: Option<&'a Secret>,
    pub(super) redirect_uri: Option<&'a str>,
    pub(super) now: Duration,
}

/// The parameters of `request`, and what they ask of the ID token.
pub(super) fn parameters(
    request: &AuthorizationRequest,
    server: &AuthorizationServer,
    client: &ClientRegistration,
    values: &Values<'_>,
) -> Result<(Form, AuthenticationRequest)> {
    let scope = request.scope.as_ref().or(client.scope());
    let resource = match request.resource.is_empty() {
        true => client.resource(),
        false => &request.resource,
    };
    let mut form = Form::new();
    form.push("response_type", request.response_type.as_str());
    form.push("client_id", client.client_id());
    if let Some(redirect_uri) = values.redirect_uri {
        form.push("redirect_uri", redirect_uri);
    }
    if let Some(scope) = scope.filter(|scope| !scope.is_empty()) {
        scope.validate()?;
        form.push("scope", scope.as_str());
    }
    form.push("state", values.state);
    if let Some(verifier) = values.code_verifier
        && let Some((method, challenge)) = request.pkce.challenge(verifier)
    {
        form.push("code_challenge", challenge);
        form.push("code_challenge_method", method);
    }
    if let Some(thumbprint) = &request.dpop_thumbprint {
        form.push("dpop_jkt", thumbprint.as_str());
    }
    for resource in resource {
        form.push("resource", resource.as_str());
    }
    details::check(request, server)?;
    let authentication = openid::add_parameters(&mut form, request, scope, server, values.now)?;
    for (name, _) in request.parameters.iter() {
        if RESERVED.contains(&name) {
            return Err(Error::usage(format!(
                "the parameter {name} of an authorization request cannot be set by param; use \
                 its own method"
            )));
        }
    }
    form.extend(&request.parameters);
    Ok((form, authentication))
}
