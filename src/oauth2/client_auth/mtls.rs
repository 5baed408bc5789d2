//! Client authentication by TLS certificate.
//!
//! [RFC 8705 section 2](https://www.rfc-editor.org/rfc/rfc8705#section-2)

use super::{
    ClientAuth,
    identity::{add_client_id, require_client_id},
};
use crate::{
    error::BoxError,
    oauth2::{client::ClientRegistration, request::EndpointRequest, server::AuthorizationServer},
};

/// The methods that authenticate by the certificate of the connection.
const METHODS: [&str; 2] = ["tls_client_auth", "self_signed_tls_client_auth"];

/// Whether the method authenticates by the certificate of the connection.
#[allow(dead_code, reason = "the builders of clients ask")]
pub(crate) fn is_mutual_tls(auth: &dyn ClientAuth) -> bool {
    auth.method()
        .is_some_and(|method| METHODS.contains(&method))
}

/// `tls_client_auth`: the client's certificate, by an authority that the server trusts. Its subject
/// is registered at the server.
///
/// The certificate is the client's `client_certificate`; [`ClientCertificate`] has an example. The
/// request names the client by its identifier.
///
/// ```
/// # #[cfg(feature = "blocking")]
/// # fn configure(certificate: oauth_twin::oauth2::ClientCertificate) {
/// use oauth_twin::{OAuth2Client, oauth2::TlsClientAuth};
///
/// let builder = OAuth2Client::builder("client-id")
///     .client_certificate(certificate)
///     .token_endpoint_auth_method(TlsClientAuth);
/// # }
/// ```
///
/// [RFC 8705 section 2.1](https://www.rfc-editor.org/rfc/rfc8705#section-2.1)
///
/// [`ClientCertificate`]: crate::oauth2::ClientCertificate
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a name, written as a value")]
pub struct TlsClientAuth;

/// `self_signed_tls_client_auth`: the client's certificate, which is itself registered at the
/// server, in the client's JWK Set.
///
/// Everything else is as for [`TlsClientAuth`].
///
/// ```
/// # #[cfg(feature = "blocking")]
/// # fn configure(certificate: oauth_twin::oauth2::ClientCertificate) {
/// use oauth_twin::{OAuth2Client, oauth2::SelfSignedTlsClientAuth};
///
/// let builder = OAuth2Client::builder("client-id")
///     .client_certificate(certificate)
///     .token_endpoint_auth_method(SelfSignedTlsClientAuth);
/// # }
/// ```
///
/// [RFC 8705 section 2.2](https://www.rfc-editor.org/rfc/rfc8705#section-2.2)
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a name, written as a value")]
pub struct SelfSignedTlsClientAuth;

macro_rules! by_certificate {
    ($auth:ident, $method:literal, $advice:literal) => {
        impl ClientAuth for $auth {
            fn authenticate(&self, request: &mut EndpointRequest) -> Result<(), BoxError> {
                // "For all requests to the authorization server utilizing mutual-TLS client
                // authentication, the client MUST include the "client_id" parameter".
                add_client_id(request);
                request.advise($advice);
                Ok(())
            }

            fn check(
                &self,
                registration: &ClientRegistration,
                _server: &AuthorizationServer,
            ) -> Result<(), BoxError> {
                Ok(require_client_id(registration)?)
            }

            fn method(&self) -> Option<&str> {
                Some($method)
            }
        }
    };
}

by_certificate!(
    TlsClientAuth,
    "tls_client_auth",
    "the subject of the client certificate has to be the registered one, and the server has to \
     trust its authority; a server may accept certificates only at its mtls_endpoint_aliases"
);
by_certificate!(
    SelfSignedTlsClientAuth,
    "self_signed_tls_client_auth",
    "the client certificate itself has to be registered, in the client's JWK Set; a server may \
     accept certificates only at its mtls_endpoint_aliases"
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth2::{ClientSecretPost, PrivateKeyJwt, PublicClient, RevocationEndpoint};

    #[test]
    fn the_request_names_the_client_and_has_no_secret() {
        let server =
            AuthorizationServer::default().with_revocation_endpoint("https://id.example/revoke");
        let client = ClientRegistration::new("id").with_client_secret("not sent");
        let endpoint = RevocationEndpoint::new(&server, &client).expect("a URL");
        for endpoint in [
            endpoint.clone().auth_method(TlsClientAuth),
            endpoint.auth_method(SelfSignedTlsClientAuth),
        ] {
            let request = endpoint.request(&"t".into(), None).expect("a request");
            assert_eq!(
                request.form().encode().expose_secret(),
                "token=t&client_id=id"
            );
            assert!(!request.headers().contains_key(http::header::AUTHORIZATION));
        }
    }

    #[test]
    fn a_client_without_an_identifier_is_refused() {
        let server = AuthorizationServer::default();
        let nameless = ClientRegistration::default();
        assert!(TlsClientAuth.check(&nameless, &server).is_err());
        assert!(SelfSignedTlsClientAuth.check(&nameless, &server).is_err());
    }

    #[test]
    fn the_methods_are_told_from_others() {
        assert!(is_mutual_tls(&TlsClientAuth));
        assert!(is_mutual_tls(&SelfSignedTlsClientAuth));
        for auth in [
            &PublicClient as &dyn ClientAuth,
            &ClientSecretPost,
            &PrivateKeyJwt::external(),
            &|_: &mut EndpointRequest| -> Result<(), BoxError> { Ok(()) },
        ] {
            assert!(!is_mutual_tls(auth));
        }
    }
}
