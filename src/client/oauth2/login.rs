//! Login of a user: from the authorization URL to the callback.

use std::fmt;

use super::super::{
    boxed, maybe_async,
    oauth2::client::OAuth2Client,
    oidc::id_tokens::ExpectedLogin,
    session::{Live, Session},
};
use crate::{
    error::Result,
    oauth2::{
        authorization::{
            endpoint::AuthorizationUrl, pending::PendingAuthorization,
            request::AuthorizationRequest, response_jwt::check_callback,
        },
        token::Token,
    },
    oidc::id_token::IdToken,
    trace,
};

paired! {
    /// Result of a login: the user's token, and a client for it.
    ///
    /// A web back end stores the token and drops the rest; a script calls [`keep`](Self::keep).
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/login.md"),
        include_str!("../../../docs/examples/async/login.md")
    )]
    ///
    /// [RFC 6749 section 4.1.4](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.4)
    #[non_exhaustive]
    pub struct Login | AsyncLogin {
        /// The user's token, to be stored.
        pub token: Token,
        /// A [`for_token`](OAuth2Client::for_token) child with it.
        pub client: OAuth2Client,
        /// The ID token after all checks, which says who has logged in, if the scope had `openid`.
        pub id_token: Option<IdToken>,
        /// The client that completed the login.
        pub(in super::super) parent: Session,
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(by_mode!("Login", "AsyncLogin"))
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

impl OAuth2Client {
    /// Creates the URL to redirect the user to, and the pending login to be kept. Nothing is sent,
    /// and the client keeps nothing.
    ///
    /// # Errors
    ///
    /// If the server has not been discovered yet, has no `authorization_endpoint` or does not offer
    /// what is requested, or a parameter cannot be sent; or if the client pushes its requests or
    /// has an external key sign them. [`begin_authorization`](Self::begin_authorization) does all
    /// of that.
    ///
    /// [RFC 6749 section 4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)
    #[doc(alias = "login")]
    pub fn create_authorization_url(
        &self,
        request: AuthorizationRequest,
    ) -> Result<AuthorizationUrl> {
        self.session.live()?.authorization_url(request)
    }
}

#[maybe_async]
impl OAuth2Client {
    /// Begins the login of a user: discovers the server if that is still to be done, signs the
    /// request and pushes it if the client does so, and creates the URL to redirect the user to,
    /// and the pending login to be kept. The client keeps nothing.
    ///
    /// Redirect the user at once: the URL of a request that was pushed is good for one use, and
    /// [`expired`](AuthorizationUrl::expired) a minute later or so.
    ///
    /// # Errors
    ///
    /// If the server cannot be discovered, has no `authorization_endpoint` or does not offer what is
    /// requested, or a parameter cannot be sent; the error of the server or of the transport, if
    /// the request is pushed; or that of the `signer`.
    ///
    /// [RFC 6749 section 4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)
    pub async fn begin_authorization(
        &self,
        request: AuthorizationRequest,
    ) -> Result<AuthorizationUrl> {
        let live = boxed(self.session.established()).await?;
        let _passage = live.gate().pass()?;
        live.begin_authorization(request).await
    }
}

#[maybe_async]
impl OAuth2Client {
    /// Completes the login of a user: checks the callback (a URL, a query or a form body) and
    /// exchanges its code. The client itself is unchanged, so that logins can overlap.
    ///
    /// If the scope had `openid`, the ID token is verified; the keys for it are fetched before the
    /// code is sent.
    ///
    /// # Errors
    ///
    /// If the callback does not answer `pending`, before anything is sent; the error of the server,
    /// in the callback or at the token endpoint; or that of the transport.
    /// [`ErrorKind::Answer`](crate::ErrorKind::Answer) if the ID token is missing, or is not what it
    /// has to be or what was asked for.
    ///
    /// [RFC 6749 section 4.1.3](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3)
    #[doc(alias = "login")]
    #[doc(alias = "callback")]
    pub async fn complete_authorization(
        &self,
        pending: PendingAuthorization,
        callback: &str,
    ) -> Result<Login> {
        let live = boxed(self.answered(&pending, callback)).await?;
        let login = self.log_in(&live, pending, callback).await;
        live.report_login(&login);
        login
    }

    /// The state of the client, whose server is discovered if that is still to be done: not for a
    /// callback that anybody may have made up.
    async fn answered(&self, pending: &PendingAuthorization, callback: &str) -> Result<Live> {
        let live = self.session.live()?;
        if live.resource().is_some() {
            let answered = check_callback(pending, callback);
            if answered.is_err() {
                live.report_login(&answered);
            }
            answered?;
        }
        self.session.discovered().await
    }

    async fn log_in(
        &self,
        live: &Live,
        pending: PendingAuthorization,
        callback: &str,
    ) -> Result<Login> {
        let _passage = live.gate().pass()?;
        let parameters = live.callback_parameters(&pending, callback).await?;
        // A resource may demand more later, which is asked for together with this.
        let asked = live.resource().and(pending.scope.clone());
        let grant = pending.code_in(parameters)?;
        let expected = ExpectedLogin::by_code(grant.expected_id_token());
        let (token, id_token) = live.log_in(&grant, &expected, "login").await?;
        live.check_binding(&token)?;
        let token = match asked {
            Some(asked) => token.with_login_scope(&asked.into()),
            None => token,
        };
        self.logged_in(token, id_token)
    }
}

impl OAuth2Client {
    /// The login with a new token.
    pub(in super::super) fn logged_in(
        &self,
        token: Token,
        id_token: Option<IdToken>,
    ) -> Result<Login> {
        let client = self.for_token(token.clone());
        // A child may have the same refresh token already, with an older access token.
        if client.token().is_some_and(|current| current != token) {
            client.set_token(token.clone())?;
        }
        Ok(Login {
            token,
            client,
            id_token,
            parent: self.session.clone(),
        })
    }
}

#[maybe_async]
impl OAuth2Client {
    /// Completes a login that asked for an ID token alone, with
    /// [`ResponseType::IdToken`](crate::oauth2::ResponseType::IdToken): checks the callback and
    /// verifies the ID token. There is no access token.
    ///
    /// # Errors
    ///
    /// If the callback does not answer `pending`; if the ID token is not what it has to be or what
    /// was asked for; or the error of the transport, if the keys cannot be fetched.
    ///
    /// [OpenID Connect Core section 3.2.2.11](https://openid.net/specs/openid-connect-core-1_0.html#ImplicitIDTValidation)
    pub async fn complete_authentication(
        &self,
        pending: PendingAuthorization,
        callback: &str,
    ) -> Result<IdToken> {
        let live = boxed(self.answered(&pending, callback)).await?;
        let _passage = live.gate().pass()?;
        let parameters = live.callback_parameters(&pending, callback).await?;
        let response = pending.id_token_in(parameters)?;
        live.authenticate(response).await
    }
}

#[maybe_async]
impl Login {
    /// Makes the token of this login that of the client that completed it, and of its
    /// `token_store`: the end of a login in a script, whose client has a single user. Returns the
    /// token.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/keep.md"),
        include_str!("../../../docs/examples/async/keep.md")
    )]
    ///
    /// It replaces the token that the client had. The builder's `grant` is not sent again while
    /// this login lasts. If [`client`](Self::client) has renewed the token meanwhile, the renewed
    /// one is kept.
    ///
    /// # Errors
    ///
    /// If the client is closed, or within `update_token`; or if the client cannot send the token, in
    /// which case it keeps its old one. [`ErrorKind::Update`](crate::ErrorKind::Update) if
    /// the new token is in use but `token_store` did not take it.
    #[doc(alias = "session")]
    pub async fn keep(self) -> Result<Token> {
        let token = self.client.token().unwrap_or(self.token);
        self.parent.keep(token).await
    }
}

impl Live {
    /// Emits an event for the outcome of a login.
    pub(in super::super) fn report_login<T>(&self, outcome: &Result<T>) {
        let client = self.shared.settings.name();
        match outcome {
            Ok(_) => trace::login(client),
            Err(error) => trace::login_failed(client, error),
        }
    }
}
