//! Client authentication by secret, and none.
//!
//! [RFC 6749 section 2.3](https://www.rfc-editor.org/rfc/rfc6749#section-2.3)

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, header};
use zeroize::Zeroizing;

use super::{ClientRegistration, EndpointRequest, PrivateKeyJwt};
use crate::{
    encoding::percent_encode,
    error::{BoxError, Error},
    pem,
    secret::Secret,
};

/// How the client says to an endpoint who it is.
///
/// One setting serves all endpoints. It is asked anew for each attempt. Use one of
/// [`ClientSecretBasic`], [`ClientSecretPost`], [`ClientSecretJwt`], [`PrivateKeyJwt`],
/// [`PublicClient`], or a closure of your own:
///
/// ```
/// use oauth_twin::{BoxError, oauth2::{ClientAuth, EndpointRequest}};
///
/// let own = |request: &mut EndpointRequest| -> Result<(), BoxError> {
///     let id = request.client_id().to_owned();
///     request.form_mut().set("app", id);
///     Ok(())
/// };
/// # fn is_client_auth(_: impl ClientAuth) {}
/// # is_client_auth(own);
/// ```
///
/// [RFC 6749 section 2.3](https://www.rfc-editor.org/rfc/rfc6749#section-2.3)
///
/// [`ClientSecretJwt`]: super::ClientSecretJwt
/// [`PrivateKeyJwt`]: super::PrivateKeyJwt
pub trait ClientAuth: Send + Sync {
    /// Adds to `request` what authenticates the client.
    ///
    /// # Errors
    ///
    /// When it cannot, for example for want of a secret; nothing is sent then.
    fn authenticate(&self, request: &mut EndpointRequest) -> Result<(), BoxError>;

    /// Whether it can do with what the client is registered as; the client is not built otherwise.
    ///
    /// # Errors
    ///
    /// What is missing or cannot be sent. Nothing unless told.
    fn check(&self, registration: &ClientRegistration) -> Result<(), BoxError> {
        let _ = registration;
        Ok(())
    }
}

impl<F> ClientAuth for F
where
    F: Fn(&mut EndpointRequest) -> Result<(), BoxError> + Send + Sync,
{
    fn authenticate(&self, request: &mut EndpointRequest) -> Result<(), BoxError> {
        self(request)
    }
}

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
        // "The client identifier is encoded using the "application/x-www-form-urlencoded"
        // encoding algorithm [...]; the client password is encoded using the same algorithm".
        // A space as %20, not +: Authlib's server decodes only that, and every other both.
        let id = percent_encode(request.client_id());
        let secret = Zeroizing::new(percent_encode(required(
            request.client_secret(),
            "client_secret_basic",
        )?));
        basic(request, &id, &secret)
    }

    fn check(&self, registration: &ClientRegistration) -> Result<(), BoxError> {
        identified(registration)?;
        required(registration.client_secret(), "client_secret_basic")?;
        Ok(())
    }
}

/// `client_secret_basic` for servers that do not decode: identifier and secret as they are.
///
/// The two differ only where identifier or secret hold something else than letters, digits and
/// `-._~`. Try this when the server answers `invalid_client` to a secret with other characters.
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
        self.check(request.registration())?;
        let id = request.client_id().to_owned();
        let secret = required(request.client_secret(), "client_secret_basic")?.to_owned();
        basic(request, &id, &Zeroizing::new(secret))
    }

    fn check(&self, registration: &ClientRegistration) -> Result<(), BoxError> {
        identified(registration)?;
        required(registration.client_secret(), "client_secret_basic")?;
        if registration.client_id().contains(':') {
            return Err(Error::usage(
                "a client_id with a colon cannot be sent raw; use ClientSecretBasic",
            )
            .into());
        }
        Ok(())
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
        identify(request);
        request.form_mut().set("client_secret", secret);
        Ok(())
    }

    fn check(&self, registration: &ClientRegistration) -> Result<(), BoxError> {
        identified(registration)?;
        required(registration.client_secret(), "client_secret_post")?;
        Ok(())
    }
}

/// `none`: a client without a secret, which only gives its identifier. The default of a client
/// that has no secret.
///
/// ```
/// # #[cfg(feature = "blocking")] {
/// use oauth_twin::{OAuth2Client, oauth2::PublicClient};
///
/// let builder = OAuth2Client::builder("id").token_endpoint_auth_method(PublicClient);
/// # }
/// ```
///
/// [RFC 6749 section 3.2.1](https://www.rfc-editor.org/rfc/rfc6749#section-3.2.1)
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a name, written as a value")]
pub struct PublicClient;

impl ClientAuth for PublicClient {
    fn authenticate(&self, request: &mut EndpointRequest) -> Result<(), BoxError> {
        identify(request);
        Ok(())
    }

    fn check(&self, registration: &ClientRegistration) -> Result<(), BoxError> {
        Ok(identified(registration)?)
    }
}

/// Says nothing of the client, where a grant says who it is: an assertion of a service account.
/// `AssertionClient` does so unless it has a `client_id`.
///
/// ```
/// use oauth_twin::oauth2::{ServiceAccount, TokenEndpoint, Unidentified};
///
/// # let file = include_bytes!("../../tests/vectors/service_account.json");
/// let account = ServiceAccount::from_json(file)?;
/// let endpoint = TokenEndpoint::new(account.token_uri(), "")?.auth_method(Unidentified);
/// let request = endpoint.request(&account.grant())?;
/// assert!(request.form().value("client_id").is_none());
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 7521 section 4.1](https://www.rfc-editor.org/rfc/rfc7521#section-4.1)
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a name, written as a value")]
pub struct Unidentified;

impl ClientAuth for Unidentified {
    fn authenticate(&self, _request: &mut EndpointRequest) -> Result<(), BoxError> {
        Ok(())
    }
}

/// What a client does that was not told.
///
/// [RFC 7591 section 2](https://www.rfc-editor.org/rfc/rfc7591#section-2)
pub(crate) fn default_client_auth(registration: &ClientRegistration) -> Arc<dyn ClientAuth> {
    match registration {
        client if client.client_secret().is_some() => Arc::new(ClientSecretBasic),
        client if client.external_key().is_some() => Arc::new(PrivateKeyJwt::external()),
        _ => Arc::new(PublicClient),
    }
}

pub(super) fn identify(request: &mut EndpointRequest) {
    let id = request.client_id().to_owned();
    request.form_mut().set("client_id", id);
}

pub(super) fn required<'a>(
    client_secret: Option<&'a Secret>,
    method: &str,
) -> Result<&'a str, Error> {
    match client_secret {
        Some(secret) if pem::contains(secret.expose_secret().as_bytes(), b"-----BEGIN ") => {
            Err(Error::usage(
                "the client_secret is a key in PEM, which is never sent; PrivateKeyJwt signs with it",
            ))
        }
        Some(secret) => Ok(secret.expose_secret()),
        None => Err(Error::usage(format!(
            "{method} needs a client_secret; set one, or use PublicClient"
        ))),
    }
}

/// The client's identifier, which every method but [`Unidentified`] needs.
pub(super) fn identified(registration: &ClientRegistration) -> Result<(), Error> {
    match registration.client_id().is_empty() {
        true => Err(Error::usage("it needs a client_id")),
        false => Ok(()),
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
    use url::Url;

    use super::*;
    use crate::oauth2::{Form, compliance_hook::Message, endpoint::Endpoint};

    fn authenticated(
        auth: impl ClientAuth + 'static,
        id: &str,
        secret: Option<&str>,
    ) -> Result<EndpointRequest, BoxError> {
        let url = Url::parse("https://id.example/token").expect("a URL");
        let mut registration = ClientRegistration::new(id);
        registration.client_secret = secret.map(Secret::from);
        let mut endpoint = Endpoint::new(url, registration);
        endpoint.auth = Some(Arc::new(auth));
        Ok(endpoint.request(Form::new(), Message::Access)?)
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
            assert!(request.form().is_empty());
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
            "client_id=i+d&client_secret=s%26s"
        );
        let request = authenticated(PublicClient, "id", Some("not sent")).expect("a form");
        assert_eq!(request.form().encode().expose_secret(), "client_id=id");
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
