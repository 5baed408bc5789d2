//! ID tokens of renewals, which cost no token.

use super::{
    super::{documents::SHARE, maybe_async, session::Live, waiting::Deadline},
    id_tokens::unverifiable,
};
use crate::{
    error::Result,
    oauth2::{grant::authorization_code::ExpectedIdToken, token::Token},
    oidc::{
        id_token::IdToken,
        id_token_verifier::{IdTokenVerifier, missing},
    },
    secret::Secret,
    trace,
};

#[maybe_async]
impl Live {
    /// Fetches the keys before a refresh whose answer may have an ID token, so that the new refresh
    /// token does not wait for them. If that fails, the ID token is dropped later.
    pub(in super::super) async fn prepare_renewal(&self, old: &Token) {
        let settings = &self.shared.settings;
        let verified_by = settings.openid.verified_by;
        if let Some(id_tokens) = verified_by.filter(|_| old.id_token().is_some())
            && let Err(error) = id_tokens.prepare_renewal(self).await
        {
            trace::id_token_dropped(settings.name(), &error);
        }
    }

    pub(super) async fn fetch_keys_for_renewal(&self) -> Result<()> {
        let settings = &self.shared.settings;
        let limit = Deadline::after(settings.timeout / SHARE);
        // A server that cannot be discovered fails the renewal itself.
        let Ok(server) = self.shared.fetch_server(limit.left()).await else {
            return Ok(());
        };
        let verifier = settings.id_token_verifier(&server);
        let needs_keys = verifier.is_ok_and(|verifier| verifier.needs_keys());
        match needs_keys && settings.can_verify_id_tokens(&server) {
            true => self.keys(limit).await.map(drop),
            false => Ok(()),
        }
    }

    /// The token of a refresh, without an ID token that cannot be verified.
    ///
    /// It is an error if the ID token is about another end-user: then these are the tokens of that
    /// one, and none of them is used.
    pub(in super::super) async fn renewed(
        &self,
        token: Token,
        old: Option<&Token>,
    ) -> Result<Token> {
        let settings = &self.shared.settings;
        let server = self.shared.known_or_fetched_server().await;
        let (Some(id_token), Ok(server)) = (token.id_token(), server) else {
            return Ok(token);
        };
        let Ok(verifier) = settings.id_token_verifier(&server) else {
            return Ok(token);
        };
        let first = old.and_then(Token::id_token);
        let can_verify = settings.can_verify_id_tokens(&server);
        // For another end-user no keys are needed, which the metadata may name no more.
        if can_verify || first.is_some() {
            verifier.check_identity(id_token, first)?;
        }
        if !can_verify {
            return Ok(token);
        }
        let verified = match settings.openid.verified_by {
            Some(id_tokens) => id_tokens.renewed(self, &verifier, &token, first).await,
            None => Err(unverifiable()),
        };
        match verified {
            Ok(_) => Ok(token),
            Err(error) => {
                trace::id_token_dropped(settings.name(), &error);
                Ok(token.without_id_token())
            }
        }
    }

    pub(super) async fn renewed_id_token(
        &self,
        verifier: &IdTokenVerifier,
        renewed: &Token,
        first: Option<&Secret>,
    ) -> Result<IdToken> {
        let limit = Deadline::after(self.shared.settings.timeout / SHARE);
        let id_token = renewed.id_token().ok_or_else(missing)?;
        let jws = verifier.parse(id_token)?;
        let claims = self.signed_claims(verifier, &jws, limit).await?;
        verifier.check_renewed(&jws, claims, renewed, first)
    }

    /// The token of a grant that is sent again, without an ID token that cannot be verified: there may
    /// be nobody who could log in.
    pub(in super::super) async fn granted(&self, token: Token) -> Token {
        if token.id_token().is_none() {
            return token;
        }
        let settings = &self.shared.settings;
        let expected = ExpectedIdToken::default();
        let verified = match settings.openid.verified_by {
            Some(id_tokens) => id_tokens.issued(self, token.clone(), &expected).await,
            None => self.unverified(token.clone()).map(|token| (token, None)),
        };
        match verified {
            Ok((token, _verified)) => token,
            Err(error) => {
                trace::id_token_dropped(settings.name(), &error);
                token.without_id_token()
            }
        }
    }
}
