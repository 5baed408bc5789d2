//! Settings of an assertion client with Google's credentials.

use std::sync::Arc;

use super::{
    super::super::{
        assertion::client::AssertionClient,
        settings::{Identity, Settings},
    },
    AssertionClientBuilder,
};
use crate::{
    error::{BoxError, Error, Problems, Result},
    oauth2::{
        grant::Grant, provider::google::ApplicationDefault, request::TokenRequest,
        token::bearer::TokenPlacement,
    },
};

impl AssertionClient {
    /// Creates a builder for a client with Google's credentials: those of this machine
    /// ([`ApplicationDefault::new`]), or of a file.
    ///
    #[doc = by_mode!(
        include_str!("../../../../docs/examples/blocking/google.md"),
        include_str!("../../../../docs/examples/async/google.md")
    )]
    ///
    /// The token is renewed like any other: one renewal for all clones, tasks and threads. What the
    /// credentials name, such as the file of a subject token, is read anew each time.
    ///
    /// # Security
    ///
    /// See [`ApplicationDefault`].
    ///
    /// [AIP-4110](https://google.aip.dev/auth/4110)
    pub fn google(credentials: ApplicationDefault) -> AssertionClientBuilder {
        let mut builder = AssertionClientBuilder::new(String::new());
        builder.google = Some(GoogleClient {
            credentials: Box::new(credentials),
            settings: AssertionClientBuilder::google_settings,
        });
        builder
    }
}

/// Credentials of a client, and how its settings follow from them: led to from here alone, so that
/// programs without such a client do not contain it.
pub(super) struct GoogleClient {
    pub(super) credentials: Box<ApplicationDefault>,
    pub(super) settings: GoogleSettings,
}

type GoogleSettings =
    fn(&AssertionClientBuilder, &ApplicationDefault) -> Result<(Settings, Arc<dyn Grant>)>;

/// Grant of Google's credentials, which are no single request.
struct CredentialsGrant(&'static str);

impl Grant for CredentialsGrant {
    /// The kind of the credentials, for logs.
    fn grant_type(&self) -> &str {
        self.0
    }

    fn add_parameters(&self, _request: &mut TokenRequest<'_>) -> Result<(), BoxError> {
        Err(Error::usage("the token of Google's credentials takes several requests").into())
    }

    fn replayable(&self) -> bool {
        true
    }
}

impl AssertionClientBuilder {
    fn google_settings(&self, google: &ApplicationDefault) -> Result<(Settings, Arc<dyn Grant>)> {
        let mut problems = Problems::default();
        for (name, is_set) in [
            ("issuer", self.issuer.is_some()),
            ("subject", self.subject.is_some()),
            ("audience", self.audience.is_some()),
            ("signing_key", self.signing_key.is_some()),
            ("key_id", self.key_id.is_some()),
            ("assertion", self.assertion.is_some()),
            ("signer", self.tokens.sign.is_some()),
            ("header", !self.header.is_empty()),
            ("claim", !self.claims.is_empty()),
            ("lifetime", self.lifetime.is_some()),
            ("not_before", self.not_before),
            ("scope_as_claim", self.scope_as_claim),
            ("grant_type", self.grant_type.is_some()),
            ("param", !self.parameters.is_empty()),
            ("client_id", self.client.has_client_id()),
            ("client_secret", self.client.client_secret().is_some()),
            ("token_endpoint_auth_method", self.auth.is_some()),
            ("resource", !self.client.resource().is_empty()),
            ("dpop", self.tokens.dpop.is_set()),
            ("dangerous_allow_http", self.http.allow_http),
        ] {
            if is_set {
                problems.add(name, "has no effect with Google's credentials; remove it");
            }
        }
        if self.tokens.hooks.iter().any(|it| it.protected().is_none()) {
            problems.add(
                "compliance_hook",
                "has no effect with Google's credentials, but for protected_request; remove it",
            );
        }
        if self.tokens.placement != TokenPlacement::Header {
            problems.add(
                "token_placement",
                "must be the header, as Google's APIs require",
            );
        }
        let hook = google.hook();
        if let Err(error) = &hook {
            problems.add("the quota project", &error.to_string());
        }
        if let Err(error) = google.check_universe() {
            problems.add("the universe domain", &error.to_string());
        }
        self.tokens.check(&self.client, &mut problems);
        self.http.check(&mut problems);
        problems.result()?;
        let (server, client) = (self.server.clone(), self.client.clone());
        let mut settings = Settings::new(server, client, &self.tokens, &self.http);
        if let Ok(Some(hook)) = hook {
            settings.hooks = settings.hooks.followed_by(hook);
        }
        settings.identity = Identity::Issuer(Some(google.kind().to_owned()));
        settings.google = Some(Arc::new(google.clone()));
        settings.rules.use_refresh_tokens = false;
        Ok((settings, Arc::new(CredentialsGrant(google.kind()))))
    }
}
