//! The revocation endpoint.
//!
//! [RFC 7009](https://www.rfc-editor.org/rfc/rfc7009)

use crate::{
    error::{Error, ErrorKind, Result},
    oauth2::{
        endpoint::{
            authenticated::{Endpoint, authenticated_endpoint},
            introspection::TokenTypeHint,
            token_response::answer,
        },
        hook::Message,
        request::EndpointRequest,
        response::EndpointResponse,
    },
    secret::Secret,
    wire::form::Form,
};

/// Revocation endpoint of a server, for one client. It builds requests and reads responses, which you send and
/// receive with any HTTP library. The clients of this crate use it themselves.
///
/// ```
/// use http::{HeaderMap, StatusCode};
/// use oauth_twin::oauth2::{
///     AuthorizationServer, ClientRegistration, EndpointResponse, RevocationEndpoint, TokenTypeHint,
/// };
///
/// let server =
///     AuthorizationServer::default().with_revocation_endpoint("https://id.example.com/revoke");
/// let endpoint = RevocationEndpoint::new(&server, &ClientRegistration::new("id"))?;
/// let token = "45ghiukldjahdnhzdauz".into();
/// let request = endpoint.request(&token, Some(&TokenTypeHint::RefreshToken))?;
/// assert_eq!(
///     request.form().encode().expose_secret(),
///     "token=45ghiukldjahdnhzdauz&token_type_hint=refresh_token&client_id=id",
/// );
/// let response = EndpointResponse::new(StatusCode::OK, HeaderMap::new(), "");
/// endpoint.read_response(&request, response)?;
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 7009 section 2](https://www.rfc-editor.org/rfc/rfc7009#section-2)
#[derive(Clone, Debug)]
pub struct RevocationEndpoint(Endpoint);

authenticated_endpoint!(RevocationEndpoint at "revocation_endpoint");

impl RevocationEndpoint {
    /// Builds an authenticated request to revoke `token`.
    ///
    /// # Errors
    ///
    /// If a hook or the client authentication fails.
    ///
    /// [RFC 7009 section 2.1](https://www.rfc-editor.org/rfc/rfc7009#section-2.1)
    pub fn request(&self, token: &Secret, hint: Option<&TokenTypeHint>) -> Result<EndpointRequest> {
        self.0.request(form(token, hint), Message::Revocation)
    }

    /// Reads the response.
    ///
    /// # Errors
    ///
    /// The server's own error.
    ///
    /// [RFC 7009 section 2.2](https://www.rfc-editor.org/rfc/rfc7009#section-2.2)
    pub fn read_response(
        &self,
        request: &EndpointRequest,
        response: EndpointResponse,
    ) -> Result<()> {
        match answer(request, &response) {
            Err(error) if error.kind() == ErrorKind::Server => Err(error),
            // "The content of the response body is ignored by the client as all necessary
            // information is conveyed in the response code."
            _ if response.status().is_success() => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(
                Error::answer("the response is not final", response.status())
                    .of_call(&request.call()),
            ),
        }
    }
}

/// The form parameters that name a token.
pub(crate) fn form(token: &Secret, hint: Option<&TokenTypeHint>) -> Form {
    let mut form = Form::new();
    form.push("token", token);
    if let Some(hint) = hint {
        form.push("token_type_hint", hint.as_str());
    }
    form
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::{
        error::ErrorCode,
        oauth2::{AuthorizationServer, ClientRegistration},
    };

    fn answered(status: u16, body: &str) -> Result<()> {
        let server =
            AuthorizationServer::default().with_revocation_endpoint("https://id.example/revoke");
        let endpoint = RevocationEndpoint::new(&server, &ClientRegistration::new("id"));
        let endpoint = endpoint.expect("a URL");
        let request = endpoint.request(&"t".into(), None).expect("a request");
        let status = StatusCode::from_u16(status).expect("a status");
        endpoint.read_response(
            &request,
            EndpointResponse::new(status, HeaderMap::new(), body),
        )
    }

    #[test]
    fn only_the_status_counts_unless_the_body_says_error() {
        for (status, body) in [
            (200, ""),
            (200, "ok"),
            (200, "{}"),
            (204, ""),
            (200, "<html>"),
        ] {
            assert!(answered(status, body).is_ok(), "{status} {body}");
        }
        let error = answered(400, r#"{"error":"unsupported_token_type"}"#).expect_err("an error");
        assert_eq!(error.code(), Some(&ErrorCode::UnsupportedTokenType));
        let error = answered(200, r#"{"error":"invalid_client"}"#).expect_err("an error");
        assert_eq!(error.code(), Some(&ErrorCode::InvalidClient));
        assert!(answered(503, "").expect_err("an error").is_transient());
        assert_eq!(
            answered(302, "").expect_err("an error").kind(),
            ErrorKind::Answer
        );
    }
}
