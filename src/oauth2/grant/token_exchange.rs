//! Token exchange.
//!
//! [RFC 8693](https://www.rfc-editor.org/rfc/rfc8693)

use crate::{
    error::{BoxError, Error},
    oauth2::{
        client::ClientRegistration,
        grant::{
            Grant,
            options::{GrantOptions, grant_options},
            token_type::TokenTypeIdentifier,
        },
        request::{Exchange, Outstanding, SubjectKind, TokenRequest},
        server::AuthorizationServer,
        token::Token,
    },
    secret::Secret,
    wire::form::Form,
};

pub(crate) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// Token exchange: a token for another one, for another audience, or to act for someone.
///
/// ```
/// use oauth_twin::{Token, oauth2::{
///     AuthorizationServer, ClientRegistration, TokenEndpoint, TokenExchange, TokenTypeIdentifier,
/// }};
///
/// # let users_token = Token::new("accVkjcJyb4BWCxGsndESCJQbdFMogUC5PbRDqceLTC");
/// let exchange = TokenExchange::of_token(&users_token)
///     .audience("orders")
///     .audience("billing")
///     .resource("https://api.example.com/orders")
///     .requested_token_type(TokenTypeIdentifier::AccessToken);
/// let server = AuthorizationServer::default().with_token_endpoint("https://id.example.com/token");
/// let endpoint = TokenEndpoint::new(&server, &ClientRegistration::new("gateway"))?;
/// let request = endpoint.request(&exchange)?;
/// assert_eq!(request.form().value("audience").unwrap().expose_secret(), "orders");
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// A client whose token is exchanged from that of another client has
/// [`of_client`](Self::of_client), by `exchanged_from` of its builder.
///
/// The response has to name the `issued_token_type`: the one that was asked for, if one was. The new
/// token never outlives a subject token whose expiry is known.
///
/// [RFC 8693 section 2.1](https://www.rfc-editor.org/rfc/rfc8693#section-2.1)
#[derive(Clone, Debug)]
pub struct TokenExchange {
    subject: Subject,
    actor: Option<(Secret, TokenTypeIdentifier)>,
    requested: Option<TokenTypeIdentifier>,
    options: GrantOptions,
    /// Whether the new token is for another server, which the client's own scope and resources do
    /// not concern.
    is_for_another_server: bool,
}

#[derive(Clone, Debug)]
enum Subject {
    Given {
        token: Secret,
        token_type: TokenTypeIdentifier,
        /// Seconds since 1970.
        expires_at: Option<u64>,
    },
    /// The token of the client that it is exchanged from.
    OfClient(SubjectKind),
}

impl TokenExchange {
    /// Makes the exchange of a token of this type.
    pub fn new(
        subject_token: impl Into<Secret>,
        subject_token_type: impl Into<TokenTypeIdentifier>,
    ) -> Self {
        Self::with(Subject::Given {
            token: subject_token.into(),
            token_type: subject_token_type.into(),
            expires_at: None,
        })
    }

    /// Makes the exchange of an access token, whose expiry limits that of the new one.
    pub fn of_token(subject: &Token) -> Self {
        Self::with(Subject::Given {
            token: subject.access_token().clone(),
            token_type: TokenTypeIdentifier::AccessToken,
            expires_at: subject.expires_at_unix(),
        })
    }

    /// Makes the exchange of the access token of another client, as it is whenever a token is
    /// needed: for `exchanged_from` of a builder.
    pub fn of_client() -> Self {
        Self::with(Subject::OfClient(SubjectKind::AccessToken))
    }

    /// The same for the ID token of the other client, whose own expiry limits that of the new token.
    /// One that has expired is renewed first.
    pub fn of_id_token() -> Self {
        Self::with(Subject::OfClient(SubjectKind::IdToken))
    }

    fn with(subject: Subject) -> Self {
        Self {
            subject,
            actor: None,
            requested: None,
            options: GrantOptions::default(),
            is_for_another_server: false,
        }
    }

    /// Makes the exchange of one for a token for another server.
    pub(crate) fn for_another_server(mut self) -> Self {
        self.is_for_another_server = true;
        self
    }

    /// Sets the token of the one who acts for the subject.
    ///
    /// [RFC 8693 section 2.1](https://www.rfc-editor.org/rfc/rfc8693#section-2.1)
    #[must_use]
    pub fn actor(
        mut self,
        actor_token: impl Into<Secret>,
        actor_token_type: impl Into<TokenTypeIdentifier>,
    ) -> Self {
        self.actor = Some((actor_token.into(), actor_token_type.into()));
        self
    }

    /// Sets the type of the new token. By default the server chooses it.
    ///
    /// [RFC 8693 section 2.1](https://www.rfc-editor.org/rfc/rfc8693#section-2.1)
    #[must_use]
    pub fn requested_token_type(mut self, requested: impl Into<TokenTypeIdentifier>) -> Self {
        self.requested = Some(requested.into());
        self
    }

    /// Adds the name of a service that the token is for, as the server knows it.
    ///
    /// [RFC 8693 section 2.1](https://www.rfc-editor.org/rfc/rfc8693#section-2.1)
    #[must_use]
    pub fn audience(self, audience: impl Into<String>) -> Self {
        self.param("audience", audience.into())
    }

    /// Whether the subject is the token of another client.
    #[allow(dead_code, reason = "only the clients exchange each other's tokens")]
    pub(crate) fn is_of_client(&self) -> bool {
        matches!(self.subject, Subject::OfClient(_))
    }

    /// Identifies the token that the exchange makes: by the subject, the actor, and all that is asked
    /// for.
    #[allow(dead_code, reason = "only the clients keep exchanged tokens")]
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        let mut form = Form::default();
        if let Subject::Given {
            token, token_type, ..
        } = &self.subject
        {
            form.push("subject_token", token);
            form.push("subject_token_type", token_type.as_str());
        }
        if let Some((token, token_type)) = &self.actor {
            form.push("actor_token", token);
            form.push("actor_token_type", token_type.as_str());
        }
        if let Some(requested) = &self.requested {
            form.push("requested_token_type", requested.as_str());
        }
        if let Some(scope) = &self.options.scope {
            form.push("scope", scope.as_str());
        }
        form.extend(&self.options.parameters);
        form.encode().digest()
    }
}

grant_options!(TokenExchange);

impl Grant for TokenExchange {
    fn grant_type(&self) -> &str {
        TOKEN_EXCHANGE
    }

    fn add_parameters(&self, request: &mut TokenRequest<'_>) -> Result<(), BoxError> {
        self.check(request.registration(), request.server())?;
        let requested = self.requested.as_ref().map(|it| it.as_str().to_owned());
        let mut latest_expiry = None;
        match &self.subject {
            Subject::Given {
                token,
                token_type,
                expires_at,
            } => {
                request.push("subject_token", token);
                request.push("subject_token_type", token_type.as_str());
                latest_expiry = *expires_at;
            }
            Subject::OfClient(kind) => {
                let token_type = match kind {
                    SubjectKind::AccessToken => TokenTypeIdentifier::AccessToken,
                    SubjectKind::IdToken => TokenTypeIdentifier::IdToken,
                };
                request.push("subject_token_type", token_type.as_str());
                request.complete_later(Outstanding::Subject(*kind));
            }
        }
        if let Some((token, token_type)) = &self.actor {
            request.push("actor_token", token);
            request.push("actor_token_type", token_type.as_str());
        }
        if let Some(requested) = &requested {
            request.push("requested_token_type", requested.as_str());
        }
        request.extend(&self.options.parameters);
        match self.is_for_another_server {
            true => request.push_scope(self.options.scope.as_ref()),
            false => request.push_scope_and_resource(self.options.scope.as_ref()),
        }
        request.expect_exchanged(Exchange {
            requested,
            latest_expiry,
        });
        Ok(())
    }

    fn replayable(&self) -> bool {
        matches!(self.subject, Subject::OfClient(_))
    }

    fn check(
        &self,
        _registration: &ClientRegistration,
        _server: &AuthorizationServer,
    ) -> Result<(), BoxError> {
        if let Subject::Given { token, .. } = &self.subject
            && token.is_empty()
        {
            return Err(Error::usage("the subject token is empty").into());
        }
        if let Some((token, _)) = &self.actor
            && token.is_empty()
        {
            return Err(Error::usage("the actor token is empty").into());
        }
        Ok(())
    }

    fn refresh_parameters(&self) -> Form {
        self.options.parameters.clone()
    }
}

#[cfg(test)]
mod tests;
