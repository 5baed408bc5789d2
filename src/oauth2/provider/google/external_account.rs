//! External accounts: workload and workforce identity federation.
//!
//! [AIP-4117](https://google.aip.dev/auth/4117)

use serde_json::{Map, Value, json};
use url::Url;

use super::{
    credentials::{CLOUD_PLATFORM, Wanted, required, token_endpoint},
    executable::Account,
    hosts::google_url,
    impersonation::Impersonation,
    journal::{Journal, Outgoing, Paused},
    subject_token::SubjectTokenSource,
};
use crate::{
    error::{Error, Result},
    oauth2::{
        client::ClientRegistration,
        client_auth::{none::NoClientAuthentication, secret::ClientSecretBasic},
        endpoint::token_response,
        grant::extension::ExtensionGrant,
        token::Token,
    },
    secret::Secret,
};

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// The audiences of workforce pools.
const WORKFORCE: &str = "//iam.googleapis.com/locations/";

/// Account of another provider, whose tokens are exchanged for Google's.
#[derive(Clone, Debug)]
pub(super) struct ExternalAccount {
    audience: String,
    subject_token_type: String,
    token_url: Url,
    source: SubjectTokenSource,
    client: Option<(String, Secret)>,
    workforce_project: Option<String>,
    pub(super) impersonation: Option<Impersonation>,
}

impl ExternalAccount {
    pub(super) fn from_members(members: &Map<String, Value>, universe: &str) -> Result<Self> {
        let [audience, subject_token_type, token_url] =
            required(members, ["audience", "subject_token_type", "token_url"])?;
        let text = |name| {
            members
                .get(name)
                .and_then(Value::as_str)
                .filter(|it| !it.is_empty())
        };
        let source = members.get("credential_source").and_then(Value::as_object);
        let source = source.ok_or_else(|| {
            Error::usage("the credential file lacks credential_source, or it is no object")
        })?;
        let workforce_project = text("workforce_pool_user_project");
        if workforce_project.is_some() && !audience.starts_with(WORKFORCE) {
            return Err(Error::usage(
                "the credential file has a workforce_pool_user_project, and its audience is not \
                 that of a workforce pool",
            ));
        }
        Ok(Self {
            audience: audience.to_owned(),
            subject_token_type: subject_token_type.to_owned(),
            token_url: google_url("token_url", token_url, "sts", universe)?,
            source: SubjectTokenSource::from_members(source)?,
            client: text("client_id").map(|id| {
                let secret = text("client_secret").unwrap_or_default();
                (id.to_owned(), secret.into())
            }),
            workforce_project: workforce_project.map(str::to_owned),
            impersonation: Impersonation::from_members(members, universe)?,
        })
    }

    pub(super) fn token(&self, wanted: &Wanted<'_>, journal: &mut Journal) -> Paused<Token> {
        let Some(impersonation) = &self.impersonation else {
            wanted.refuse_id_token("an external account without impersonation")?;
            return self.federated(wanted, wanted.scopes(), journal);
        };
        // "The cloud platform or IAM scope should be passed to STS, and the customer provided scopes
        // in the IamCredentials call."
        let own = self.federated(wanted, [CLOUD_PLATFORM].into_iter(), journal)?;
        impersonation.token(&own, wanted, journal)
    }

    fn federated<'a>(
        &self,
        wanted: &Wanted<'_>,
        scopes: impl Iterator<Item = &'a str>,
        journal: &mut Journal,
    ) -> Paused<Token> {
        let account = Account {
            audience: &self.audience,
            subject_token_type: &self.subject_token_type,
            impersonated_email: self.impersonation.as_ref().and_then(Impersonation::email),
        };
        let subject = self.source.subject_token(&account, wanted, journal)?;
        let (sent, response) = journal.send(|| self.exchange(wanted, scopes, &subject))?;
        let Outgoing::Endpoint(request) = sent else {
            return Err(Error::usage("the request is not a token exchange").into());
        };
        let read = token_response::read(&request, &response, wanted.clock.unix());
        let (token, _) = read.map_err(Error::unattended)?;
        // "REQUIRED. An identifier for the representation of the issued security token."
        let issued = token.get("issued_token_type").and_then(Value::as_str);
        if issued != Some(ACCESS_TOKEN) {
            return Err(Error::answer(
                format!("the token exchange issued no token of the type {ACCESS_TOKEN}"),
                response.status(),
            )
            .into());
        }
        Ok(token)
    }

    fn exchange<'a>(
        &self,
        wanted: &Wanted<'_>,
        scopes: impl Iterator<Item = &'a str>,
        subject: &Secret,
    ) -> Result<Outgoing> {
        let mut grant = ExtensionGrant::new(TOKEN_EXCHANGE)
            .scope(scopes.collect::<Vec<_>>())
            .param("audience", self.audience.as_str())
            .param("requested_token_type", ACCESS_TOKEN)
            .param("subject_token", subject.clone())
            .param("subject_token_type", self.subject_token_type.as_str());
        // With client authentication, the project of the client counts.
        if let (Some(project), None) = (&self.workforce_project, &self.client) {
            let options = json!({"userProject": project}).to_string();
            grant = grant.param("options", options);
        }
        let endpoint = |client| token_endpoint(&self.token_url, &client, wanted);
        let endpoint = match &self.client {
            Some((id, secret)) => {
                let client = ClientRegistration::new(id).with_client_secret(secret.clone());
                endpoint(client)?.auth_method(ClientSecretBasic)
            }
            None => endpoint(ClientRegistration::default())?.auth_method(NoClientAuthentication),
        };
        Ok(Outgoing::Endpoint(Box::new(endpoint.request(&grant)?)))
    }
}
