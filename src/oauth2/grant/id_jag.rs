//! Identity assertion grants: the identity provider of an organization vouches for a user at the
//! server of a resource.
//!
//! [Identity Assertion Authorization Grant](https://datatracker.ietf.org/doc/html/draft-ietf-oauth-identity-assertion-authz-grant)

use crate::{
    error::{BoxError, Error, Result},
    oauth2::{
        client::ClientRegistration,
        grant::{
            Grant,
            jwt_bearer::JWT_BEARER,
            options::{GrantOptions, grant_options},
            token_exchange::TokenExchange,
            token_type::TokenTypeIdentifier,
        },
        request::{EndpointRequest, Outstanding, TokenRequest},
        server::AuthorizationServer,
        token::Token,
    },
    secret::Secret,
    wire::form::Form,
};

/// Identity assertion grant (ID-JAG) for the server of a resource: the client of an identity provider
/// exchanges the ID token of its user for an assertion, which the server of the resource exchanges
/// for an access token.
///
/// ```
/// # #[cfg(feature = "blocking")]
/// # fn main() -> oauth_twin::Result<()> {
/// use oauth_twin::{OAuth2Client, oauth2::IdJag};
///
/// // The user has logged in at the provider of the organization.
/// let provider = OAuth2Client::builder("client-id-at-the-provider")
///     .issuer("https://idp.example.com")
///     .token_endpoint("https://idp.example.com/token")
///     .build()?;
/// let chat = OAuth2Client::builder("client-id-at-the-chat")
///     .client_secret("client-secret")
///     .issuer("https://chat.example.com")
///     .token_endpoint("https://chat.example.com/token")
///     .id_jag_from(&provider, IdJag::of_client().resource("https://chat.example.com/api"))
///     .build()?;
/// # Ok(()) }
/// # #[cfg(not(feature = "blocking"))] fn main() {}
/// ```
///
/// The assertion is opaque to the client, is made anew for each token, and is never sent to a
/// resource. A refresh token beside it is ignored.
///
/// [Identity Assertion Authorization Grant section 4](https://datatracker.ietf.org/doc/html/draft-ietf-oauth-identity-assertion-authz-grant#section-4)
#[derive(Clone, Debug)]
pub struct IdJag {
    /// The ID token, unless it is that of the provider's client.
    subject: Option<Secret>,
    audience: Option<String>,
    options: GrantOptions,
}

/// What the assertion has to permit: what the second of the two requests asks for.
#[allow(dead_code, reason = "only the clients make both requests")]
pub(crate) struct SecondRequest {
    issuer: Option<String>,
    scope: Option<Secret>,
    resources: Vec<Secret>,
}

impl SecondRequest {
    #[allow(dead_code, reason = "only the clients make both requests")]
    pub(crate) fn of(request: &EndpointRequest) -> Self {
        let values = |name: &str| {
            let named = request.form().iter().filter(move |(it, _)| *it == name);
            named.map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        Self {
            issuer: request.server().issuer().map(str::to_owned),
            scope: values("scope").pop(),
            resources: values("resource"),
        }
    }
}

impl IdJag {
    /// Makes the grant of the user of the identity provider's client, by its ID token as it is
    /// whenever a token is needed.
    pub fn of_client() -> Self {
        Self {
            subject: None,
            audience: None,
            options: GrantOptions::default(),
        }
    }

    /// Makes the grant of the user of this ID token.
    pub fn new(id_token: impl Into<Secret>) -> Self {
        Self {
            subject: Some(id_token.into()),
            ..Self::of_client()
        }
    }

    /// Sets the audience of the assertion. Defaults to the issuer of the server of the resource.
    #[must_use]
    pub fn audience(mut self, issuer: impl Into<String>) -> Self {
        self.audience = Some(issuer.into());
        self
    }

    /// The exchange at the identity provider, for the server with this issuer: the first of the two
    /// requests. Nothing but the `access_token` of its response is used, as the assertion of a
    /// [`JwtBearer`](crate::oauth2::JwtBearer) grant.
    ///
    /// # Errors
    ///
    /// If neither the issuer nor an [`audience`](Self::audience) is known.
    ///
    /// [Identity Assertion Authorization Grant section 4.3](https://datatracker.ietf.org/doc/html/draft-ietf-oauth-identity-assertion-authz-grant#section-4.3)
    pub fn exchange(
        &self,
        id_token: impl Into<Secret>,
        issuer: Option<&str>,
    ) -> Result<TokenExchange> {
        let audience = self.audience.as_deref().or(issuer).ok_or_else(|| {
            Error::usage("the issuer of the server is the audience of the assertion; set issuer")
        })?;
        let mut exchange = TokenExchange::new(id_token, TokenTypeIdentifier::IdToken)
            .requested_token_type(TokenTypeIdentifier::IdJag)
            .audience(audience)
            .for_another_server();
        for (name, value) in self.options.parameters.iter() {
            exchange = exchange.param(name.to_owned(), value);
        }
        if let Some(scope) = &self.options.scope {
            exchange = exchange.scope(scope.clone());
        }
        Ok(exchange)
    }

    /// The exchange for the second request, which is the one to the server of the resource.
    #[allow(dead_code, reason = "only the clients make both requests")]
    pub(crate) fn exchange_for(
        &self,
        id_token: Secret,
        second: &SecondRequest,
    ) -> Result<TokenExchange> {
        let mut exchange = self.exchange(id_token, second.issuer.as_deref())?;
        if let (None, Some(scope)) = (&self.options.scope, &second.scope) {
            exchange = exchange.scope(scope.expose_secret());
        }
        if self.options.parameters.value("resource").is_none() {
            for resource in &second.resources {
                exchange = exchange.resource(resource.expose_secret());
            }
        }
        Ok(exchange)
    }

    /// The assertion in the response to that exchange.
    ///
    /// # Errors
    ///
    /// If the response says that the token is another kind of token: "the value of this response
    /// parameter MUST be `N_A`".
    pub fn read_assertion(token: &Token) -> Result<Secret> {
        match token.is_applicable() {
            true => Err(Error::untrusted(
                "the identity assertion grant of the provider has another token_type than N_A",
            )),
            false => Ok(token.access_token().clone()),
        }
    }

    /// The subject, unless it is that of the provider's client.
    #[allow(dead_code, reason = "only the clients make both requests")]
    pub(crate) fn subject(&self) -> Option<&Secret> {
        self.subject.as_ref()
    }
}

grant_options!(IdJag);

impl Grant for IdJag {
    fn grant_type(&self) -> &str {
        JWT_BEARER
    }

    fn add_parameters(&self, request: &mut TokenRequest<'_>) -> Result<(), BoxError> {
        self.check(request.registration(), request.server())?;
        request.extend(&self.options.parameters);
        request.push_scope_and_resource(self.options.scope.as_ref());
        request.complete_later(Outstanding::IdJag("assertion"));
        Ok(())
    }

    fn replayable(&self) -> bool {
        true
    }

    fn check(
        &self,
        _registration: &ClientRegistration,
        _server: &AuthorizationServer,
    ) -> Result<(), BoxError> {
        match &self.subject {
            Some(token) if token.is_empty() => Err(Error::usage("the ID token is empty").into()),
            _ => Ok(()),
        }
    }

    fn refresh_parameters(&self) -> Form {
        self.options.parameters.clone()
    }
}
