//! Assertions of the identity provider of a client, and the tokens that others exchange.

use std::time::Duration;

use super::super::{maybe_async, oauth2::OAuth2Client, session::Live};
use crate::{
    error::{Error, ErrorKind, Result},
    lifecycle::single_flight::Need,
    oauth2::{
        assertion::expired::expiry,
        grant::id_jag::{IdJag, SecondRequest},
        request::SubjectKind,
        token::{Token, refresh::RefreshPolicy},
    },
    secret::Secret,
    trace,
};

#[maybe_async]
impl OAuth2Client {
    /// An assertion of this client's server about its user, for the server of the second request.
    pub(in super::super::super) async fn identity_assertion(
        &self,
        grant: IdJag,
        second: SecondRequest,
    ) -> Result<Secret> {
        let id_token = match grant.subject() {
            Some(id_token) => id_token.clone(),
            None => {
                let token = self.subject(SubjectKind::IdToken).await?;
                token.id_token().cloned().ok_or_else(|| {
                    Error::usage(
                        "the client of the identity provider has no ID token; ask for the scope \
                         openid when its user logs in",
                    )
                })?
            }
        };
        let exchange = grant.exchange_for(id_token, &second)?;
        let token = self.exchange(exchange).await?;
        IdJag::read_assertion(&token)
    }

    /// The client's token, whose part of this kind can be exchanged: an ID token expires by itself.
    pub(in super::super::super) async fn subject(&self, kind: SubjectKind) -> Result<Token> {
        let mut token = self.ensure_active_token().await?;
        if kind == SubjectKind::AccessToken {
            return Ok(token);
        }
        let live = self.session.live()?;
        // What another process has stored may be as old.
        for _ in 0..2 {
            if !live.renews_id_token_of(&token) {
                break;
            }
            token = self.renewed_for_id_token(&live, token).await?;
        }
        match live.has_live_id_token(&token) {
            true => Ok(token),
            false => Err(Error::login(
                "the ID token of the client has expired, and a renewal brings no other one; log its \
                 user in again",
            )),
        }
    }

    /// Another token than this one, or the same if there is no other.
    async fn renewed_for_id_token(&self, live: &Live, token: Token) -> Result<Token> {
        let Some(published) = live.slot.published() else {
            return Ok(token);
        };
        if !live.renews_id_token_of(&published.token) {
            return Ok(published.token.clone());
        }
        // Not a forced renewal: another process may have stored another token.
        let other = Need::Other(published);
        match self.session.obtain(other, live.deadline()).await {
            Ok(obtained) => Ok(obtained.for_request().token.clone()),
            // The access token is good, so that it is no news that there is no other one.
            Err(error) if error.kind() == ErrorKind::Token => Ok(token),
            Err(error) if live.has_live_id_token(&token) => {
                trace::renewal_failed(live.shared.settings.name(), &error);
                Ok(token)
            }
            Err(error) => Err(error),
        }
    }
}

impl Live {
    fn has_live_id_token(&self, token: &Token) -> bool {
        let now = self.shared.settings.clock.unix();
        id_token_expiry(token).is_none_or(|at| now < at)
    }

    /// Whether the ID token has expired, or nearly, and a renewal may bring another one: not if the last
    /// one has brought none.
    fn renews_id_token_of(&self, token: &Token) -> bool {
        let settings = &self.shared.settings;
        let Some(expiry) = id_token_expiry(token) else {
            return false;
        };
        let (now, issued) = (settings.clock.unix(), token.issued_at_unix());
        let is_due = |at: Duration| {
            let is_older = |issued| Duration::from_secs(issued) < at;
            now >= at && issued.is_none_or(is_older)
        };
        let is_due = is_due(expiry.saturating_sub(settings.rules.leeway)) || is_due(expiry);
        is_due && settings.rules.policy != RefreshPolicy::Never
    }
}

fn id_token_expiry(token: &Token) -> Option<Duration> {
    let id_token = token.id_token()?;
    expiry(id_token.expose_secret()).map(Duration::from_secs)
}
