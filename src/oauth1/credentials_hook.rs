//! Compliance hooks, for servers that deviate from the RFC.

use std::{fmt, sync::Arc};

use crate::{
    error::{BoxError, Error, Result},
    wire::response::EndpointResponse,
};

/// Compliance hook of an OAuth 1.0 client: a function that changes the response of one of the two
/// endpoints before it is read. It is the same in both modes.
///
/// ```
/// # #[cfg(feature = "blocking")] {
/// use oauth_twin::{OAuth1Client, oauth1::CredentialsHook};
///
/// // A server that wraps its credentials in JSON.
/// let hook = CredentialsHook::token_credentials_response(|response| {
///     let members = response.json().unwrap_or_default();
///     if let Some(inner) = members.get("credentials").and_then(|inner| inner.as_object()) {
///         response.set_json(inner);
///     }
///     Ok(())
/// });
/// let builder = OAuth1Client::builder("key").compliance_hook(hook);
/// # }
/// ```
///
/// [RFC 5849 section 2](https://www.rfc-editor.org/rfc/rfc5849#section-2)
#[derive(Clone)]
pub struct CredentialsHook {
    endpoint: CredentialsEndpoint,
    hook: OnCredentials,
}

type OnCredentials = Arc<dyn Fn(&mut EndpointResponse) -> Result<(), BoxError> + Send + Sync>;

/// Endpoint whose responses a hook applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CredentialsEndpoint {
    Temporary,
    Token,
}

impl CredentialsHook {
    /// Makes a hook that runs before the response to a request for temporary credentials is read.
    ///
    /// [RFC 5849 section 2.1](https://www.rfc-editor.org/rfc/rfc5849#section-2.1)
    pub fn temporary_credentials_response(
        hook: impl Fn(&mut EndpointResponse) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            endpoint: CredentialsEndpoint::Temporary,
            hook: Arc::new(hook),
        }
    }

    /// Makes a hook that runs before the response to a request for token credentials is read, or to
    /// their renewal.
    ///
    /// [RFC 5849 section 2.3](https://www.rfc-editor.org/rfc/rfc5849#section-2.3)
    pub fn token_credentials_response(
        hook: impl Fn(&mut EndpointResponse) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            endpoint: CredentialsEndpoint::Token,
            hook: Arc::new(hook),
        }
    }

    /// Applies the hook to the response to a request for temporary credentials.
    #[allow(dead_code, reason = "only the clients need it")]
    pub(crate) fn on_temporary_credentials(&self, response: &mut EndpointResponse) -> Result<()> {
        self.apply(CredentialsEndpoint::Temporary, response)
    }

    /// Applies the hook to the response to a request for token credentials.
    #[allow(dead_code, reason = "only the clients need it")]
    pub(crate) fn on_token_credentials(&self, response: &mut EndpointResponse) -> Result<()> {
        self.apply(CredentialsEndpoint::Token, response)
    }

    fn apply(&self, to: CredentialsEndpoint, response: &mut EndpointResponse) -> Result<()> {
        match self.endpoint == to {
            true => {
                (self.hook)(response).map_err(|error| Error::refused_by("a compliance hook", error))
            }
            false => Ok(()),
        }
    }
}

impl fmt::Debug for CredentialsHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "CredentialsHook({:?} credentials response)",
            self.endpoint
        )
    }
}
