//! Interactive logins that a protected resource demands.

use super::super::{
    login_method, maybe_async,
    oauth2::{OAuth2Client, OAuth2ClientBuilder},
    session::Session,
};
use crate::{
    error::Result,
    login::settings::InteractiveLogin,
    oauth2::{authorization::request::AuthorizationRequest, token::Token},
};

impl OAuth2ClientBuilder {
    /// Logs the user in when the resource demands a login, or more scope, as
    /// [`login`](OAuth2Client::login) does. The scope and the resource of the login are those that
    /// are demanded.
    ///
    /// It is a setting of clients that are [for a resource](OAuth2Client::for_resource). The time
    /// that the user takes is not part of a request's own timeout.
    ///
    /// [RFC 8252](https://www.rfc-editor.org/rfc/rfc8252)
    pub fn interactive_login(self, login: InteractiveLogin) -> Self {
        let limit = login.longest();
        let log_in =
            login_method(move |session, request| interactively(session, request, login.clone()));
        self.with_login("interactive_login", log_in, limit)
    }
}

#[maybe_async]
async fn interactively(
    session: Session,
    request: AuthorizationRequest,
    login: InteractiveLogin,
) -> Result<Token> {
    let client = OAuth2Client { session };
    let login = login.of_request(&request);
    // Another process may log the user in at the same time. A token that is there was refused.
    if client.token().is_none() {
        return client.ensure_login_once(&login).await;
    }
    let login = client.login_once(&login).await?;
    Ok(login.token)
}
