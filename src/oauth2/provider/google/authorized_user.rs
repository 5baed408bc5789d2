//! Authorized users: the login of `gcloud auth application-default login`.
//!
//! [AIP-4113](https://google.aip.dev/auth/4113)

use serde_json::{Map, Value};
use url::Url;

use super::{
    credentials::{Wanted, required, token_endpoint},
    hosts::google_url,
    journal::{Journal, Outgoing, Paused},
};
use crate::{
    error::{Error, Result},
    oauth2::{
        client::ClientRegistration, client_auth::secret::ClientSecretPost,
        endpoint::token_response, grant::refresh_token::RefreshToken, token::Token,
    },
    secret::Secret,
};

/// Login of a user.
#[derive(Clone, Debug)]
pub(super) struct AuthorizedUser {
    client: ClientRegistration,
    refresh_token: Secret,
    token_url: Url,
}

impl AuthorizedUser {
    pub(super) fn from_members(members: &Map<String, Value>, universe: &str) -> Result<Self> {
        let [id, secret, refresh_token] =
            required(members, ["client_id", "client_secret", "refresh_token"])?;
        let url = match members.get("token_uri").and_then(Value::as_str) {
            Some(url) => google_url("token_uri", url, "oauth2", universe)?,
            None => {
                let url = format!("https://oauth2.{universe}/token");
                google_url("universe_domain", &url, "oauth2", universe)?
            }
        };
        Ok(Self {
            client: ClientRegistration::new(id).with_client_secret(secret),
            refresh_token: refresh_token.into(),
            token_url: url,
        })
    }

    pub(super) fn token(&self, wanted: &Wanted<'_>, journal: &mut Journal) -> Paused<Token> {
        wanted.refuse_id_token("the login of a user")?;
        let (sent, response) = journal.send(|| self.refresh(wanted))?;
        let Outgoing::Endpoint(request) = sent else {
            return Err(Error::usage("the request is not a refresh").into());
        };
        let read = token_response::read(&request, &response, wanted.clock.unix());
        let (token, _) = read.map_err(|error| match error.needs_login() {
            true => error.advised(Some("log in again: gcloud auth application-default login")),
            false => error,
        })?;
        // The credential file keeps the refresh token.
        Ok(token.with_access_token_alone())
    }

    fn refresh(&self, wanted: &Wanted<'_>) -> Result<Outgoing> {
        let mut grant = RefreshToken::new(self.refresh_token.clone());
        // Without any, all that the user has granted.
        if let Some(scopes) = wanted.asked_scopes() {
            grant = grant.scope(scopes.collect::<Vec<_>>());
        }
        let endpoint = token_endpoint(&self.token_url, &self.client, wanted)?;
        let request = endpoint.auth_method(ClientSecretPost).request(&grant)?;
        Ok(Outgoing::Endpoint(Box::new(request)))
    }
}
