//! Credential files, of all types.
//!
//! [AIP-4110](https://google.aip.dev/auth/4110)

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};
use url::Url;

use super::{
    ServiceAccount,
    authorized_user::AuthorizedUser,
    external_account::ExternalAccount,
    hosts::GOOGLE,
    impersonation::Impersonation,
    journal::{Journal, Outgoing, Paused},
    metadata_server::MetadataServer,
};
use crate::{
    clock::Clock,
    error::{Error, Result},
    jose::{Claims, Jws},
    json::Members,
    oauth2::{
        client::ClientRegistration,
        client_auth::none::NoClientAuthentication,
        endpoint::{token::TokenEndpoint, token_response},
        scope::Scope,
        server::AuthorizationServer,
        token::Token,
    },
    secret::Secret,
};

/// The scope of a client without one.
pub(super) const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Lifetime of a self-signed token.
const HOUR: Duration = Duration::from_secs(60 * 60);

/// What a token is wanted for, and by what it is made.
pub(crate) struct Wanted<'a> {
    /// The scope of the client, if it has one.
    pub(crate) scope: Option<&'a Scope>,
    /// The audience of an ID token, if one is wanted.
    pub(crate) audience: Option<&'a str>,
    pub(crate) clock: &'a Clock,
    /// Reads an environment variable.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Wanted<'_> {
    /// The scopes that were asked for, if any were.
    pub(super) fn asked_scopes(&self) -> Option<impl Iterator<Item = &str>> {
        let scope = self.scope.filter(|scope| !scope.is_empty());
        scope.map(|scope| scope.as_str().split_ascii_whitespace())
    }

    /// The scopes of the token.
    pub(super) fn scopes(&self) -> impl Iterator<Item = &str> {
        let scope = self.scope.filter(|scope| !scope.is_empty());
        scope
            .map_or(CLOUD_PLATFORM, Scope::as_str)
            .split_ascii_whitespace()
    }

    pub(super) fn refuse_id_token(&self, of: &str) -> Result<()> {
        match self.audience {
            None => Ok(()),
            Some(_) => Err(Error::usage(format!(
                "{of} has no ID tokens for other audiences; impersonate a service account"
            ))),
        }
    }
}

/// Credentials of one kind.
#[derive(Clone, Debug)]
pub(super) enum Credentials {
    ServiceAccount(Box<ServiceAccount>),
    /// Of a universe without a token endpoint for service accounts.
    SelfSigned(Box<ServiceAccount>),
    AuthorizedUser(Box<AuthorizedUser>),
    ExternalAccount(Box<ExternalAccount>),
    Impersonated(Box<Self>, Box<Impersonation>),
    MetadataServer(MetadataServer),
}

/// Content of a credential file.
pub(super) struct CredentialFile {
    pub(super) credentials: Credentials,
    pub(super) quota_project: Option<String>,
    pub(super) universe: Option<String>,
}

impl CredentialFile {
    pub(super) fn from_json(json: &[u8]) -> Result<Self> {
        let members = Members::from_slice(json).map_err(|_| {
            Error::usage("the credential file is not a JSON object, or has a duplicate member")
        })?;
        let text = |name| {
            members
                .get(name)
                .and_then(Value::as_str)
                .filter(|it| !it.is_empty())
        };
        let universe = text("universe_domain");
        if universe.is_some_and(|universe| !is_domain(universe)) {
            return Err(Error::usage(
                "the universe_domain of the credential file is no domain",
            ));
        }
        Ok(Self {
            credentials: Credentials::from_members(&members, universe.unwrap_or(GOOGLE), true)?,
            quota_project: text("quota_project_id").map(str::to_owned),
            universe: universe.map(str::to_owned),
        })
    }
}

impl Credentials {
    fn from_members(
        members: &Map<String, Value>,
        universe: &str,
        may_impersonate: bool,
    ) -> Result<Self> {
        let refused = |problem: &str| Error::usage(format!("the credential file {problem}"));
        match members.get("type").and_then(Value::as_str) {
            Some("service_account") => {
                let json = Secret::new(Value::from(members.clone()).to_string());
                let account = Box::new(ServiceAccount::from_json(json.expose_secret())?);
                Ok(match universe {
                    GOOGLE => Self::ServiceAccount(account),
                    _ => Self::SelfSigned(account),
                })
            }
            Some("authorized_user") => {
                let user = AuthorizedUser::from_members(members, universe)?;
                Ok(Self::AuthorizedUser(Box::new(user)))
            }
            Some("external_account") => {
                let account = ExternalAccount::from_members(members, universe)?;
                Ok(Self::ExternalAccount(Box::new(account)))
            }
            Some("impersonated_service_account") if may_impersonate => {
                let source = members.get("source_credentials").and_then(Value::as_object);
                let source = source
                    .ok_or_else(|| refused("lacks source_credentials, or they are no object"))?;
                let impersonation = Impersonation::from_members(members, universe)?;
                let impersonation = impersonation
                    .ok_or_else(|| refused("lacks service_account_impersonation_url"))?;
                let source = Self::from_members(source, universe, false)?;
                Ok(Self::Impersonated(
                    Box::new(source),
                    Box::new(impersonation),
                ))
            }
            Some("impersonated_service_account") => Err(refused(
                "impersonates by an account that impersonates another",
            )),
            Some("external_account_authorized_user") => Err(refused(
                "is of the type external_account_authorized_user, the login of a workforce user, \
                 which is not supported; use external_account, or OAuth2Client with its \
                 refresh_token",
            )),
            Some("gdch_service_account") => Err(refused(
                "is of the type gdch_service_account, that of Google Distributed Cloud; use \
                 AssertionClient::builder with its key and its token_uri",
            )),
            None if members.contains_key("installed") || members.contains_key("web") => {
                Err(refused("is that of an OAuth client; use OAuth2Client"))
            }
            Some(_) | None => Err(refused("has no known type")),
        }
    }

    pub(super) fn metadata_server(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        MetadataServer::new(variable).map(Self::MetadataServer)
    }

    /// The kind, for logs.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::ServiceAccount(_) | Self::SelfSigned(_) => "service_account",
            Self::AuthorizedUser(_) => "authorized_user",
            Self::ExternalAccount(_) => "external_account",
            Self::Impersonated(..) => "impersonated_service_account",
            Self::MetadataServer(_) => "metadata_server",
        }
    }

    /// The token, after as many steps as it needs.
    pub(super) fn token(&self, wanted: &Wanted<'_>, journal: &mut Journal) -> Paused<Token> {
        match self {
            Self::ServiceAccount(account) => service_account(account, wanted, journal),
            Self::SelfSigned(account) => Ok(self_signed(account, wanted)?),
            Self::AuthorizedUser(user) => user.token(wanted, journal),
            Self::ExternalAccount(account) => account.token(wanted, journal),
            Self::MetadataServer(server) => server.token(wanted, journal),
            Self::Impersonated(source, impersonation) => {
                let cloud_platform = Scope::from(CLOUD_PLATFORM);
                let own = Wanted {
                    scope: Some(&cloud_platform),
                    audience: None,
                    clock: wanted.clock,
                    variable: wanted.variable,
                };
                let own = source.token(&own, journal)?;
                impersonation.token(&own, wanted, journal)
            }
        }
    }
}

fn service_account(
    account: &ServiceAccount,
    wanted: &Wanted<'_>,
    journal: &mut Journal,
) -> Paused<Token> {
    let request = || {
        let url = Url::parse(account.token_uri())
            .map_err(|_| Error::usage("the token_uri of the service account file is not a URL"))?;
        let endpoint = token_endpoint(&url, &ClientRegistration::default(), wanted)?;
        let grant = match wanted.audience {
            None => account.grant().scope(wanted.scopes().collect::<Vec<_>>()),
            Some(audience) => account.grant().claim("target_audience", audience),
        };
        let request = endpoint
            .auth_method(NoClientAuthentication)
            .request(&grant)?;
        Ok(Outgoing::Endpoint(Box::new(request)))
    };
    let (sent, response) = journal.send(request)?;
    let Outgoing::Endpoint(request) = sent else {
        return Err(Error::usage("the request is not one of a service account").into());
    };
    if wanted.audience.is_none() {
        let read = token_response::read(&request, &response, wanted.clock.unix());
        return Ok(read.map_err(Error::unattended)?.0);
    }
    let members = token_response::answer(&request, &response).map_err(Error::unattended)?;
    match members.get("id_token").and_then(Value::as_str) {
        Some(token) => Ok(id_token(&token.into(), wanted.clock)?),
        None => Err(Error::answer("the response has no id_token", response.status()).into()),
    }
}

/// A token that the key of the account signs, which the APIs of other universes take.
///
/// [AIP-4111](https://google.aip.dev/auth/4111)
fn self_signed(account: &ServiceAccount, wanted: &Wanted<'_>) -> Result<Token> {
    wanted.refuse_id_token("a service account of another universe domain")?;
    let now = wanted.clock.now();
    let expiry = now + HOUR;
    let scopes: Vec<_> = wanted.scopes().collect();
    let claims = Claims::new()
        .with_issuer(account.client_email())
        .with_subject(account.client_email())
        .with("scope", scopes.join(" "))
        .with_issued_at(now)
        .with_expires_at(expiry);
    let token = claims.sign(account.signing_key())?;
    Ok(Token::new(token)
        .with_issued_at(now)
        .with_expires_at(expiry))
}

/// An ID token in the place of an access token. Its signature is the business of who receives it.
pub(super) fn id_token(token: &Secret, clock: &Clock) -> Result<Token> {
    let unreadable = || Error::untrusted("the ID token is not a JWT with an expiry");
    let jws = Jws::parse(token.expose_secret()).map_err(|_| unreadable())?;
    let claims = Claims::from_slice(jws.unverified_payload()).map_err(|_| unreadable())?;
    let expiry: SystemTime = claims.expires_at().ok_or_else(unreadable)?;
    let issued = clock.now().max(UNIX_EPOCH);
    Ok(Token::new(token.clone())
        .with_issued_at(issued)
        .with_expires_at(expiry))
}

/// The token endpoint at `url`.
pub(super) fn token_endpoint(
    url: &Url,
    client: &ClientRegistration,
    wanted: &Wanted<'_>,
) -> Result<TokenEndpoint> {
    let server = AuthorizationServer::default().with_token_endpoint(url.as_str());
    let endpoint = TokenEndpoint::new(&server, client)?;
    Ok(endpoint.clock(wanted.clock.clone()))
}

/// The texts of these members.
pub(super) fn required<'a, const N: usize>(
    members: &'a Map<String, Value>,
    names: [&str; N],
) -> Result<[&'a str; N]> {
    let text = |name: &str| {
        members
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let values = names.map(text);
    let missing: Vec<_> = names
        .into_iter()
        .filter(|name| text(name).is_empty())
        .collect();
    match missing.is_empty() {
        true => Ok(values),
        false => {
            let missing = missing.join(", ");
            Err(Error::usage(format!("the credential file lacks {missing}")))
        }
    }
}

fn is_domain(text: &str) -> bool {
    let url = Url::parse(&format!("https://{text}/"));
    url.is_ok_and(|url| url.host_str() == Some(text) && url.path() == "/" && url.port().is_none())
}

#[cfg(test)]
mod tests;
