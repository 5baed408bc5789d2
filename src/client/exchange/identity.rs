//! Assertions of the identity provider of a client.

use super::super::{maybe_async, oauth2::OAuth2Client};
use crate::{
    error::{Error, Result},
    oauth2::grant::id_jag::{IdJag, SecondRequest},
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
                let token = self.ensure_active_token().await?;
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
}
