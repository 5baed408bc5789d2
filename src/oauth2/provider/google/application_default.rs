//! Application Default Credentials.
//!
//! [AIP-4110](https://google.aip.dev/auth/4110)

use std::{fmt, path::Path, sync::Arc};

use http::HeaderValue;

use super::{
    credentials::{CredentialFile, Credentials, Wanted},
    hosts::GOOGLE,
    journal::{Journal, Paused},
    location::Location,
};
use crate::{
    clock::Clock,
    error::{Error, Result},
    oauth2::{hook::Hook, scope::Scope, token::Token},
};

/// Google's credentials of this machine: of the file that `GOOGLE_APPLICATION_CREDENTIALS` names,
/// else of the login of `gcloud auth application-default login`, else of the metadata server.
///
/// All that such a file may hold is known but `external_account_authorized_user`: service accounts,
/// logins of users, workload and workforce identity federation (by file, URL, program or AWS), and
/// impersonation. Without a scope, tokens are for `https://www.googleapis.com/auth/cloud-platform`.
///
/// ```
/// use oauth_twin::google::ApplicationDefault;
///
/// # let file = include_bytes!("../../../../tests/vectors/service_account.json");
/// let credentials = ApplicationDefault::from_json(file)?;        // or ApplicationDefault::new()?
/// assert_eq!(credentials.kind(), "service_account");
/// assert_eq!(credentials.universe_domain(), "googleapis.com");
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// # Security
///
/// A file determines where tokens are sent, and may name a program. URLs of a file must be Google's
/// own, those of metadata servers, or on loopback. If a file names another universe domain than
/// `googleapis.com`, its hosts are used only where [`in_universe`](Self::in_universe) or the
/// environment variable `GOOGLE_CLOUD_UNIVERSE_DOMAIN` names it too. A program is run only if the environment variable
/// `GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES` is `1`, and without a shell.
///
/// [AIP-4110](https://google.aip.dev/auth/4110), [AIP-4117](https://google.aip.dev/auth/4117)
#[derive(Clone)]
pub struct ApplicationDefault {
    credentials: Arc<Credentials>,
    audience: Option<String>,
    quota_project: Option<String>,
    universe: Option<String>,
    /// The universe domain that the calling code or the environment names.
    expected_universe: Option<String>,
}

impl ApplicationDefault {
    /// Finds the credentials of this machine. A file is read now; nothing is sent.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or holds no credentials that are known.
    ///
    /// [AIP-4110](https://google.aip.dev/auth/4110#expected-behavior)
    pub fn new() -> Result<Self> {
        let found = match Location::find(&variable, |file| file.is_file())? {
            Location::Named(file) => Self::from_file(&file, "GOOGLE_APPLICATION_CREDENTIALS")?,
            Location::Gcloud(file) => Self::from_file(&file, "gcloud")?,
            Location::MetadataServer => Self::metadata_server()?,
        };
        let set = |name| variable(name).filter(|it| !it.is_empty());
        let found = match set("GOOGLE_CLOUD_UNIVERSE_DOMAIN") {
            Some(universe) => found.in_universe(universe),
            None => found,
        };
        Ok(match set("GOOGLE_CLOUD_QUOTA_PROJECT") {
            Some(project) => found.quota_project(project),
            None => found,
        })
    }

    /// Reads a credential file.
    ///
    /// # Errors
    ///
    /// If it is not JSON, of an unknown type, lacks members, or names URLs that are not Google's.
    pub fn from_json(json: impl AsRef<[u8]>) -> Result<Self> {
        let file = CredentialFile::from_json(json.as_ref())?;
        Ok(Self {
            credentials: Arc::new(file.credentials),
            audience: None,
            quota_project: file.quota_project,
            universe: file.universe,
            expected_universe: None,
        })
    }

    /// The service account of this machine, from the metadata server. `GCE_METADATA_HOST` sets
    /// another address of that server.
    ///
    /// # Errors
    ///
    /// If `GCE_METADATA_HOST` is neither Google's name for it, 169.254.169.254, nor on loopback.
    ///
    /// # Security
    ///
    /// The metadata server has no TLS: the host of the machine answers.
    pub fn metadata_server() -> Result<Self> {
        Ok(Self {
            credentials: Arc::new(Credentials::metadata_server(&variable)?),
            audience: None,
            quota_project: None,
            universe: None,
            expected_universe: None,
        })
    }

    fn from_file(file: &Path, named_by: &str) -> Result<Self> {
        let json = std::fs::read(file).map_err(|error| {
            let path = file.display();
            Error::usage(format!(
                "the credential file {path} ({named_by}) cannot be read: {error}"
            ))
        })?;
        let problem = |error: Error| Error::usage(format!("{error} ({})", file.display()));
        Self::from_json(json).map_err(problem)
    }

    /// Gets ID tokens for this audience instead of access tokens, as Cloud Run and other services
    /// behind Google's proxies want them. The login of a user has none.
    ///
    /// [Google: service-to-service](https://cloud.google.com/run/docs/authenticating/service-to-service)
    #[must_use]
    pub fn id_token(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Sets the project that requests to APIs are billed to, instead of the `quota_project_id` of
    /// the file. It is sent to APIs alone, as `x-goog-user-project`.
    #[must_use]
    pub fn quota_project(mut self, project: impl Into<String>) -> Self {
        self.quota_project = Some(project.into());
        self
    }

    /// Expects credentials of this universe domain, such as that of a Google Cloud of a partner,
    /// instead of `googleapis.com`. [`new`](Self::new) takes it from the environment variable
    /// `GOOGLE_CLOUD_UNIVERSE_DOMAIN`.
    ///
    /// # Security
    ///
    /// The file's tokens, and what it reads on this machine, are sent to hosts of this domain: take
    /// it from your own configuration, never from the file.
    ///
    /// [AIP-4110](https://google.aip.dev/auth/4110)
    #[must_use]
    pub fn in_universe(mut self, domain: impl Into<String>) -> Self {
        self.expected_universe = Some(domain.into());
        self
    }

    /// The kind of the credentials: the `type` of a file, or `metadata_server`.
    pub fn kind(&self) -> &'static str {
        self.credentials.kind()
    }

    /// The domain of the services that the credentials are for. Defaults to `googleapis.com`.
    pub fn universe_domain(&self) -> &str {
        // The metadata server is of the universe that its machine is in.
        let expected = self.expected_universe.as_deref();
        let of_machine = expected.filter(|_| self.kind() == "metadata_server");
        self.universe.as_deref().or(of_machine).unwrap_or(GOOGLE)
    }

    /// Checks that the hosts of the file are those of a domain that is expected. The key of a service
    /// account is sent nowhere.
    #[allow(dead_code, reason = "only the clients send requests")]
    pub(crate) fn check_universe(&self) -> Result<()> {
        let expected = self.expected_universe.as_deref();
        let is_expected = match expected {
            Some(expected) => expected == self.universe_domain(),
            None => self.universe_domain() == GOOGLE || self.kind() == "service_account",
        };
        match is_expected {
            true => Ok(()),
            false => Err(Error::usage(format!(
                "is {:?} by the credential file, and {:?} is expected; if the file is trusted, set \
                 in_universe or GOOGLE_CLOUD_UNIVERSE_DOMAIN",
                self.universe_domain(),
                expected.unwrap_or(GOOGLE)
            ))),
        }
    }

    /// The token, after as many steps as it needs.
    #[allow(dead_code, reason = "only the clients take the steps")]
    pub(crate) fn token(
        &self,
        scope: Option<&Scope>,
        clock: &Clock,
        journal: &mut Journal,
    ) -> Paused<Token> {
        let wanted = Wanted {
            scope,
            audience: self.audience.as_deref(),
            clock,
            variable: &variable,
        };
        journal.replay(|journal| self.credentials.token(&wanted, journal))
    }

    /// Adds the project that pays to requests to APIs.
    #[allow(dead_code, reason = "only the clients send requests to APIs")]
    pub(crate) fn hook(&self) -> Result<Option<Hook>> {
        let Some(project) = &self.quota_project else {
            return Ok(None);
        };
        let value = HeaderValue::from_str(project).map_err(|_| {
            Error::usage("the quota project is not one; it cannot stand in a header")
        })?;
        Ok(Some(Hook::protected_request(move |request| {
            // A caller may bill another one.
            let header = request.headers_mut().entry("x-goog-user-project");
            header.or_insert_with(|| value.clone());
            Ok(())
        })))
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Without keys and tokens.
impl fmt::Debug for ApplicationDefault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApplicationDefault")
            .field("kind", &self.kind())
            .field("id_token", &self.audience)
            .field("quota_project", &self.quota_project)
            .field("universe_domain", &self.universe_domain())
            .finish()
    }
}
