//! Client authentication by secret.
//!
//! [RFC 6749 section 2.3](https://www.rfc-editor.org/rfc/rfc6749#section-2.3)

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, header};
use zeroize::Zeroizing;

use super::{
    ClientAuth,
    identity::{add_client_id, require_client_id},
};
use crate::{
    encoding::percent_encode,
    error::{BoxError, Error},
    oauth2::{client::ClientRegistration, request::EndpointRequest, server::AuthorizationServer},
    pem,
    secret::Secret,
};

/// `client_secret_basic`: identifier and secret, each form-encoded, in an `Authorization: Basic`
/// header. The default of a client that has a secret.
///
/// ```
/// # #[cfg(feature = "blocking")] {
/// use oauth_twin::{OAuth2Client, oauth2::ClientSecretBasic};
///
/// let builder = OAuth2Client::builder("id")
///     .client_secret("secret")
///     .token_endpoint_auth_method(ClientSecretBasic);
/// # }
/// ```
///
/// [RFC 6749 section 2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1)
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a name, written as a value")]
pub struct ClientSecretBasic;

impl ClientAuth for ClientSecretBasic {
    fn authenticate(&self, request: &mut EndpointRequest) -> Result<(), BoxError> {
        // "The client identifier is encoded using the "application/x-www-form-urlencoded" encoding
        // algorithm [...]; the client password is encoded using the same algorithm". A space
        // becomes %20, not +: Authlib's server decodes only the former, all others decode both.
        let id = percent_encode(request.client_id());
        let secret = Zeroizing::new(percent_encode(required(
            request.client_secret(),
            "client_secret_basic",
        )?));
        let is_plain = id == request.client_id() && !secret.contains('%');
        request.advise(match is_plain {
            true => {
                "check client_id and client_secret; some servers read them only from the body: \
                 ClientSecretPost"
            }
            false => {
                "client_id or client_secret contains characters that are encoded in the header, \
                 and some servers do not decode them: try ClientSecretBasicRaw or ClientSecretPost"
            }
        });
        basic(request, &id, &secret)
    }

    fn check(
        &self,
        registration: &ClientRegistration,
        _server: &AuthorizationServer,
    ) -> Result<(), BoxError> {
        require_client_id(registration)?;
        required(registration.client_secret(), "client_secret_basic")?;
        Ok(())
    }

    fn method(&self) -> Option<&str> {
        Some("client_secret_basic")
    }
}

/// `client_secret_basic` without form-encoding, for servers that do not decode identifier and
/// secret.
///
/// It differs from [`ClientSecretBasic`] only if identifier or secret contain other characters than
/// letters, digits and `-._~`. Try it if the server responds `invalid_client` to such a secret.
///
/// ```
/// # #[cfg(feature = "blocking")] {
/// use oauth_twin::{OAuth2Client, oauth2::ClientSecretBasicRaw};
///
/// let builder = OAuth2Client::builder("id")
///     .client_secret("se+cr/et=")
///     .token_endpoint_auth_method(ClientSecretBasicRaw);
/// # }
/// ```
///
/// [RFC 6749 section 2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1)
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a name, written as a value")]
pub struct ClientSecretBasicRaw;

impl ClientAuth for ClientSecretBasicRaw {
    fn authenticate(&self, request: &mut EndpointRequest) -> Result<(), BoxError> {
        self.check(request.registration(), request.server())?;
        let id = request.client_id().to_owned();
        let secret = required(request.client_secret(), "client_secret_basic")?.to_owned();
        basic(request, &id, &Zeroizing::new(secret))
    }

    fn check(
        &self,
        registration: &ClientRegistration,
        _server: &AuthorizationServer,
    ) -> Result<(), BoxError> {
        require_client_id(registration)?;
        required(registration.client_secret(), "client_secret_basic")?;
        if registration.client_id().contains(':') {
            return Err(Error::usage(
                "the client_id contains a colon, which cannot be sent raw; use ClientSecretBasic",
            )
            .into());
        }
        Ok(())
    }

    fn method(&self) -> Option<&str> {
        Some("client_secret_basic")
    }
}

/// `client_secret_post`: identifier and secret in the body.
///
/// ```
/// # #[cfg(feature = "blocking")] {
/// use oauth_twin::{OAuth2Client, oauth2::ClientSecretPost};
///
/// let builder = OAuth2Client::builder("id")
///     .client_secret("secret")
///     .token_endpoint_auth_method(ClientSecretPost);
/// # }
/// ```
///
/// [RFC 6749 section 2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1)
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a name, written as a value")]
pub struct ClientSecretPost;

impl ClientAuth for ClientSecretPost {
    fn authenticate(&self, request: &mut EndpointRequest) -> Result<(), BoxError> {
        let secret = Secret::from(required(request.client_secret(), "client_secret_post")?);
        add_client_id(request);
        request.advise(
            "check client_id and client_secret; some servers read them only from the header: \
             ClientSecretBasic",
        );
        request.form_mut().set("client_secret", secret);
        Ok(())
    }

    fn check(
        &self,
        registration: &ClientRegistration,
        _server: &AuthorizationServer,
    ) -> Result<(), BoxError> {
        require_client_id(registration)?;
        required(registration.client_secret(), "client_secret_post")?;
        Ok(())
    }

    fn method(&self) -> Option<&str> {
        Some("client_secret_post")
    }
}

pub(crate) fn required<'a>(
    client_secret: Option<&'a Secret>,
    method: &str,
) -> Result<&'a str, Error> {
    match client_secret {
        Some(secret) if pem::contains(secret.expose_secret().as_bytes(), b"-----BEGIN ") => {
            Err(Error::usage(
                "the client_secret is a key in PEM, which is never sent; pass it to PrivateKeyJwt",
            ))
        }
        Some(secret) => Ok(secret.expose_secret()),
        None => Err(Error::usage(format!(
            "{method} needs a client_secret; set one, or use PublicClient"
        ))),
    }
}

fn basic(request: &mut EndpointRequest, id: &str, secret: &str) -> Result<(), BoxError> {
    let pair = Zeroizing::new(format!("{id}:{secret}"));
    let value = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let mut value = HeaderValue::try_from(value.as_str())?;
    value.set_sensitive(true);
    request.headers_mut().insert(header::AUTHORIZATION, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth2::{PublicClient, RevocationEndpoint};

    fn authenticated(
        auth: impl ClientAuth + 'static,
        id: &str,
        secret: Option<&str>,
    ) -> Result<EndpointRequest, BoxError> {
        let server =
            AuthorizationServer::default().with_revocation_endpoint("https://id.example/revoke");
        let mut client = ClientRegistration::new(id);
        if let Some(secret) = secret {
            client = client.with_client_secret(secret);
        }
        let endpoint = RevocationEndpoint::new(&server, &client)?.auth_method(auth);
        Ok(endpoint.request(&"t".into(), None)?)
    }

    fn credentials(request: &EndpointRequest) -> String {
        let value = &request.headers()[header::AUTHORIZATION];
        assert!(value.is_sensitive());
        let value = value.to_str().expect("ASCII");
        let encoded = value.strip_prefix("Basic ").expect("Basic");
        String::from_utf8(STANDARD.decode(encoded).expect("base64")).expect("UTF-8")
    }

    #[test]
    fn basic_encodes_each_half() {
        for (id, secret, expected) in [
            ("id", "secret", "id:secret"),
            ("a:b", "c:d", "a%3Ab:c%3Ad"),
            ("1 +%", "p&=/?~", "1%20%2B%25:p%26%3D%2F%3F~"),
            ("ä", "☃", "%C3%A4:%E2%98%83"),
        ] {
            let request = authenticated(ClientSecretBasic, id, Some(secret)).expect("a header");
            assert_eq!(credentials(&request), expected);
            assert_eq!(request.form().encode().expose_secret(), "token=t");
        }
    }

    #[test]
    fn raw_basic_encodes_nothing_and_refuses_what_it_cannot_say() {
        let request = authenticated(ClientSecretBasicRaw, "1 +%", Some("c:☃")).expect("a header");
        assert_eq!(credentials(&request), "1 +%:c:☃");
        let error = authenticated(ClientSecretBasicRaw, "a:b", Some("s")).expect_err("a colon");
        assert!(error.to_string().contains("colon"));
    }

    #[test]
    fn post_and_none_use_the_body() {
        let request = authenticated(ClientSecretPost, "i d", Some("s&s")).expect("a form");
        assert_eq!(
            request.form().encode().expose_secret(),
            "token=t&client_id=i+d&client_secret=s%26s"
        );
        let request = authenticated(PublicClient, "id", Some("not sent")).expect("a form");
        assert_eq!(
            request.form().encode().expose_secret(),
            "token=t&client_id=id"
        );
        assert!(!request.headers().contains_key(header::AUTHORIZATION));
    }

    #[test]
    fn a_missing_secret_is_named() {
        let pem = "-----BEGIN PRIVATE KEY-----\nMII";
        for auth in [
            authenticated(ClientSecretBasic, "id", Some(pem)),
            authenticated(ClientSecretBasicRaw, "id", Some(pem)),
            authenticated(ClientSecretPost, "id", Some(pem)),
        ] {
            let error = auth.expect_err("a key").to_string();
            assert!(error.contains("is never sent"), "{error}");
        }
        for error in [
            authenticated(ClientSecretBasic, "id", None).expect_err("no secret"),
            authenticated(ClientSecretBasicRaw, "id", None).expect_err("no secret"),
            authenticated(ClientSecretPost, "id", None).expect_err("no secret"),
        ] {
            assert!(error.to_string().contains("client_secret"), "{error}");
        }
    }
}
