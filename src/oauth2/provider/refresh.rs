//! Requirements of providers for refreshes.

use url::Url;

use crate::oauth2::provider::quirks::NEEDS_SCOPE;

/// Whether refreshes at this token endpoint have to include the granted scope. The clients of this
/// crate also try the opposite if a server responds that the scope is wrong.
///
/// ```
/// use oauth_twin::{oauth2::refresh_needs_scope, url::Url};
///
/// let entra = Url::parse("https://login.microsoftonline.com/common/oauth2/v2.0/token")?;
/// assert!(refresh_needs_scope(&entra));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [RFC 6749 section 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)
pub fn refresh_needs_scope(token_endpoint: &Url) -> bool {
    let host = token_endpoint.host_str();
    host.is_some_and(|host| NEEDS_SCOPE.contains(&host))
}
