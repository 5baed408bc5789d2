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

    /// The same for the ID token of the other client.
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
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use http::{HeaderMap, StatusCode};
    use proptest::prelude::*;

    use super::*;
    use crate::{
        clock::Clock,
        error::{ErrorKind, Result},
        oauth2::{EndpointResponse, TokenEndpoint},
    };

    const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

    fn endpoint() -> TokenEndpoint {
        let server = AuthorizationServer::default().with_token_endpoint("https://id.example/token");
        let client = ClientRegistration::new("id").with_scope("all");
        let endpoint = TokenEndpoint::new(&server, &client).expect("a URL");
        endpoint.clock(Clock::from_fn(|| UNIX_EPOCH + Duration::from_secs(1000)))
    }

    fn read(exchange: &TokenExchange, body: &str) -> Result<Token> {
        let request = endpoint().request(exchange).expect("a request");
        let response = EndpointResponse::new(StatusCode::OK, HeaderMap::new(), body);
        endpoint().read_response(&request, response)
    }

    fn exchange() -> TokenExchange {
        TokenExchange::new("hunter2", TokenTypeIdentifier::AccessToken)
    }

    #[test]
    fn every_parameter_is_sent() {
        let exchange = exchange()
            .actor("a", TokenTypeIdentifier::Jwt)
            .requested_token_type(JWT)
            .audience("one")
            .audience("two")
            .resource("https://a.example/")
            .resource("https://b.example/")
            .scope("x y");
        let request = endpoint().request(&exchange).expect("a request");
        assert_eq!(
            request.form().encode().expose_secret(),
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange\
             &subject_token=hunter2\
             &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token\
             &actor_token=a&actor_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt\
             &requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt\
             &audience=one&audience=two&resource=https%3A%2F%2Fa.example%2F\
             &resource=https%3A%2F%2Fb.example%2F&scope=x+y&client_id=id"
        );
        assert!(!exchange.replayable(), "the subject is used up some day");
        for empty in [
            TokenExchange::new("", JWT),
            TokenExchange::new("s", JWT).actor("", JWT),
        ] {
            assert!(endpoint().request(&empty).is_err());
        }
    }

    #[test]
    fn the_issued_token_type_is_required_and_as_asked() {
        let asked = exchange().requested_token_type(TokenTypeIdentifier::Jwt);
        let good = format!(r#"{{"access_token":"t","issued_token_type":"{JWT}"}}"#);
        assert!(read(&asked, &good).is_ok());
        assert!(read(&exchange(), &good).is_ok(), "none was asked for");
        for (body, word) in [
            (r#"{"access_token":"t"}"#.to_owned(), "no issued_token_type"),
            (
                r#"{"access_token":"t","issued_token_type":""}"#.to_owned(),
                "no issued_token_type",
            ),
            (
                r#"{"access_token":"t","issued_token_type":7}"#.to_owned(),
                "no issued_token_type",
            ),
            (good.replace(":jwt", ":access_token"), "another type"),
            (good.replace(":jwt", ":JWT"), "another type"),
        ] {
            let error = read(&asked, &body).expect_err(word);
            assert_eq!(error.kind(), ErrorKind::Answer, "{body}");
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    /// As a Go provider answers.
    #[test]
    fn an_empty_token_is_none_and_the_error_says_what_was_asked_for() {
        let asked = exchange().requested_token_type(JWT);
        let body = format!(r#"{{"access_token":"","issued_token_type":"{JWT}","token_type":""}}"#);
        let error = read(&asked, &body).expect_err("empty").to_string();
        assert!(error.contains(JWT), "{error}");
        assert!(!error.contains("hunter2"));
    }

    #[test]
    fn a_token_of_the_type_not_applicable_is_never_sent() {
        for token_type in ["N_A", "n_a", "N_a"] {
            let body = format!(
                r#"{{"access_token":"t","issued_token_type":"{JWT}","token_type":"{token_type}"}}"#
            );
            let token = read(&exchange(), &body).expect("a token");
            assert_eq!(token.access_token().expose_secret(), "t");
            assert!(token.authorization_header().is_err(), "{token_type}");
            let mut url = url::Url::parse("https://api.example/").expect("a URL");
            assert!(token.add_to_query(&mut url).is_err());
            assert!(token.add_to_form(&mut Vec::new()).is_err());
        }
    }

    #[test]
    fn the_new_token_does_not_outlive_its_subject() {
        let body =
            |more: &str| format!(r#"{{"access_token":"t","issued_token_type":"{JWT}"{more}}}"#);
        let subject = |seconds| {
            let at = UNIX_EPOCH + Duration::from_secs(seconds);
            TokenExchange::of_token(&Token::new("s").with_expires_at(at))
        };
        for (exchange, more, expiry) in [
            (subject(1100), r#","expires_in":600"#, Some(1100)),
            (subject(1100), r#","expires_in":60"#, Some(1060)),
            (subject(1100), "", Some(1100)),
            (exchange(), r#","expires_in":600"#, Some(1600)),
            (
                TokenExchange::of_token(&Token::new("s")),
                r#","expires_in":600"#,
                Some(1600),
            ),
            (exchange(), "", None),
        ] {
            let token = read(&exchange, &body(more)).expect("a token");
            assert_eq!(token.expires_at_unix(), expiry, "{more}");
        }
    }

    #[test]
    fn debug_tells_no_secret() {
        let exchange = exchange().actor("hunter2", JWT);
        assert!(!format!("{exchange:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn no_answer_panics(issued in ".*", text in ".*") {
            let body = serde_json::json!({
                "access_token": text, "issued_token_type": issued, "token_type": issued,
            });
            let _ = read(&exchange(), &body.to_string());
        }
    }
}
