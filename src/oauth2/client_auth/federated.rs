//! Client authentication by an assertion that a platform makes.
//!
//! [RFC 7523 section 2.2](https://www.rfc-editor.org/rfc/rfc7523#section-2.2)

pub(crate) mod command;
mod github_actions;
mod read;

use std::{fmt, path::PathBuf, sync::Arc};

use self::{
    command::Command,
    github_actions::GitHubActions,
    read::{EnvironmentVariable, Function, TokenFile},
};
use super::{ClientAuth, identity::add_client_id, jwt::ASSERTION_TYPE};
use crate::{
    error::BoxError,
    oauth2::request::{AssertionSource, EndpointRequest, Outstanding},
    secret::Secret,
};

/// Type of the assertion of a SPIFFE workload.
const SPIFFE_ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe";

/// Client authentication by a JWT that the platform has made for the job: Kubernetes, GitHub Actions, a
/// cloud, SPIFFE. The client needs no secret.
///
/// The assertion is read anew for each attempt, at every endpoint and for every refresh, as platforms
/// replace theirs after minutes. What the server refuses is not sent again.
///
/// ```
/// # #[cfg(feature = "blocking")]
/// # fn main() -> oauth_twin::Result<()> {
/// use oauth_twin::{OAuth2Client, oauth2::{ClientCredentials, FederatedAssertion}};
///
/// // A projected service account token of Kubernetes.
/// let token = FederatedAssertion::file("/var/run/secrets/tokens/id.example.com");
/// let client = OAuth2Client::builder("client-id")
///     .token_endpoint("https://id.example.com/token")
///     .token_endpoint_auth_method(token)
///     .grant(ClientCredentials::new())
///     .build()?;
/// # Ok(()) }
/// # #[cfg(not(feature = "blocking"))] fn main() {}
/// ```
///
/// The clients of this crate read it, without holding up other tasks; requests for other HTTP
/// libraries are not completed with it.
///
/// # Security
///
/// Whoever can read the assertion is the client until it expires. It is sent to the server of the
/// client alone; set its audience at the platform to that server. A client for a resource without an
/// `issuer` sends it to the server that the resource names, which can use it wherever its audience is
/// accepted: set the issuer there, unless the resource is trusted like the server.
///
/// [RFC 7523 section 2.2](https://www.rfc-editor.org/rfc/rfc7523#section-2.2),
/// [RFC 7521 section 4.2](https://www.rfc-editor.org/rfc/rfc7521#section-4.2)
#[derive(Clone)]
pub struct FederatedAssertion {
    source: AssertionOrigin,
    assertion_type: &'static str,
}

#[derive(Clone)]
enum AssertionOrigin {
    Platform(Arc<dyn AssertionSource>, String),
    /// The callback of the client.
    Callback,
}

impl FederatedAssertion {
    fn of(source: impl AssertionSource + 'static, name: String) -> Self {
        Self {
            source: AssertionOrigin::Platform(Arc::new(source), name),
            assertion_type: ASSERTION_TYPE,
        }
    }

    /// Reads the assertion from a file, which the platform replaces: a projected token of Kubernetes,
    /// `AZURE_FEDERATED_TOKEN_FILE`. White space around it is ignored.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = format!("the file {}", path.display());
        Self::of(TokenFile(path), name)
    }

    /// Reads the assertion from an environment variable, such as an ID token of GitLab.
    pub fn env(name: impl Into<String>) -> Self {
        let variable = name.into();
        let name = format!("the environment variable {variable}");
        Self::of(EnvironmentVariable(variable), name)
    }

    /// Runs a program that writes the assertion to its standard output, without a shell: within 30
    /// seconds, and no more than 64 KiB. Its standard error is discarded, as it may have secrets.
    pub fn command(
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        let command = Command::new(program.into(), arguments);
        let name = command.name();
        Self::of(command, name)
    }

    /// Asks GitHub Actions for an ID token with this audience. The job needs `permissions: id-token:
    /// write`.
    ///
    /// [OpenID Connect reference](https://docs.github.com/en/actions/reference/security/oidc)
    pub fn github_actions(audience: impl Into<String>) -> Self {
        let source = GitHubActions::new(audience.into());
        Self::of(source, "GitHub Actions".to_owned())
    }

    /// Reads a JWT-SVID of SPIFFE from a file, which an agent replaces.
    ///
    /// [OAuth SPIFFE Client Authentication](https://datatracker.ietf.org/doc/html/draft-ietf-oauth-spiffe-client-auth)
    pub fn spiffe(path: impl Into<PathBuf>) -> Self {
        Self::file(path).with_spiffe_type()
    }

    /// Calls `source` for each assertion, which may block: on a thread of its own, waited for until
    /// the client's timeout. For an async function there is `client_assertion` of the async builder.
    ///
    /// Within it, calls of the same client would wait for the assertion itself.
    pub fn from_fn(source: impl Fn() -> Result<Secret, BoxError> + Send + Sync + 'static) -> Self {
        Self::of(Function(source), "the function".to_owned())
    }

    /// Calls the `client_assertion` of the client's builder.
    #[allow(dead_code, reason = "only the clients have such a callback")]
    pub(crate) fn by_callback() -> Self {
        Self {
            source: AssertionOrigin::Callback,
            assertion_type: ASSERTION_TYPE,
        }
    }

    /// Names the type of assertion that SPIFFE has for its JWT-SVIDs, for sources other than
    /// [`spiffe`](Self::spiffe).
    ///
    /// [OAuth SPIFFE Client Authentication](https://datatracker.ietf.org/doc/html/draft-ietf-oauth-spiffe-client-auth)
    #[must_use]
    pub fn with_spiffe_type(mut self) -> Self {
        self.assertion_type = SPIFFE_ASSERTION_TYPE;
        self
    }

    /// The parameter that the source supplies.
    pub(crate) fn outstanding(&self, name: &'static str) -> Outstanding {
        match &self.source {
            AssertionOrigin::Platform(source, _) => Outstanding::Source(name, source.clone()),
            AssertionOrigin::Callback => Outstanding::ClientAssertion(name),
        }
    }
}

impl ClientAuth for FederatedAssertion {
    fn authenticate(&self, request: &mut EndpointRequest) -> Result<(), BoxError> {
        if request.registration().has_client_id() {
            add_client_id(request);
        }
        request.advise(
            "the server has to trust the issuer of the assertion, for the subject and the audience \
             that it names, and until it expires",
        );
        request
            .form_mut()
            .set("client_assertion_type", Secret::known(self.assertion_type));
        request.complete_later(self.outstanding("client_assertion"));
        Ok(())
    }
}

/// Names the source.
impl fmt::Debug for FederatedAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.source {
            AssertionOrigin::Platform(_, name) => name,
            AssertionOrigin::Callback => "client_assertion",
        };
        f.debug_tuple("FederatedAssertion").field(&name).finish()
    }
}
