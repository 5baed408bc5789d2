//! Assertions of the identity provider of a client, and the tokens that others exchange.

use std::time::Duration;

use super::super::{maybe_async, oauth2::OAuth2Client};
use crate::{
    error::{Error, Result},
    oauth2::{
        assertion::expired::expiry,
        grant::id_jag::{IdJag, SecondRequest},
        request::SubjectKind,
        token::Token,
    },
    secret::Secret,
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
        let token = self.ensure_active_token().await?;
        if kind == SubjectKind::AccessToken || !self.has_expired_id_token(&token)? {
            return Ok(token);
        }
        let token = match self.session.live()?.can_renew() {
            true => self.refresh_token().await?,
            false => token,
        };
        match self.has_expired_id_token(&token)? {
            false => Ok(token),
            true => Err(Error::login(
                "the ID token of the client has expired, and a renewal brings no other one; log its \
                 user in again",
            )),
        }
    }
}

impl OAuth2Client {
    fn has_expired_id_token(&self, token: &Token) -> Result<bool> {
        let now = self.session.live()?.shared.settings.clock.unix();
        let id_token = token.id_token();
        let expiry = id_token.and_then(|id_token| expiry(id_token.expose_secret()));
        Ok(expiry.is_some_and(|at| Duration::from_secs(at) <= now))
    }
}
