//! Rules for ID tokens that depend on the provider and the registration of the client.
//!
//! [OpenID Connect Core section 3.1.3.7](https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation)

use std::time::Duration;

use crate::{jose::Algorithm, oauth2::server::tenants::Tenants};

/// Rules for ID tokens. The defaults are strict, and right for most providers.
///
/// ```
/// use std::time::Duration;
/// use oauth_twin::{jose::Algorithm, oidc::IdTokenRules};
///
/// let rules = IdTokenRules::new()
///     .leeway(Duration::from_secs(60))
///     .trusted_audience("https://api.example.com")
///     .algorithms([Algorithm::ES256]);
/// ```
///
/// [OpenID Connect Core section 3.1.3.7](https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation)
#[derive(Clone, Debug)]
pub struct IdTokenRules {
    pub(super) leeway: Duration,
    pub(super) issued_within: Duration,
    pub(super) trusted_audiences: Vec<String>,
    pub(super) algorithms: Option<Vec<Algorithm>>,
    pub(super) tenants: Tenants,
    /// Issuers, each with a second form of its identifier.
    pub(super) aliases: Vec<(String, String)>,
    /// Issuers that do not return a `nonce`.
    pub(super) without_nonce: Vec<String>,
    /// Whether the ID token of the front channel has to have the hash of the `state`.
    pub(super) state_hash: bool,
}

impl Default for IdTokenRules {
    fn default() -> Self {
        Self {
            leeway: Duration::from_secs(30),
            issued_within: Duration::from_secs(3600),
            trusted_audiences: Vec::new(),
            algorithms: None,
            tenants: Tenants::None,
            aliases: Vec::new(),
            without_nonce: Vec::new(),
            state_hash: false,
        }
    }
}

#[allow(dead_code, reason = "profiles of clients ask")]
impl IdTokenRules {
    pub(crate) fn registered_algorithms(&self) -> Vec<Algorithm> {
        self.algorithms.clone().unwrap_or_default()
    }

    /// Takes over the algorithm of a registration, unless others are set.
    pub(crate) fn register(&mut self, algorithm: Option<Algorithm>) {
        let registered = || algorithm.map(|algorithm| vec![algorithm]);
        self.algorithms = self.algorithms.take().or_else(registered);
    }

    /// Whether ID tokens may have another issuer than the metadata.
    pub(crate) fn has_other_issuers(&self) -> bool {
        self.tenants != Tenants::None || !self.aliases.is_empty()
    }

    pub(crate) fn is_without_nonce(&self) -> bool {
        !self.without_nonce.is_empty()
    }
}

impl IdTokenRules {
    /// The rules of OpenID Connect Core, without exceptions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the permitted difference of the clocks. Defaults to 30 seconds.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Sets the age, by `iat`, from which the ID token of a login is refused. Defaults to an hour.
    #[must_use]
    pub fn issued_within(mut self, age: Duration) -> Self {
        self.issued_within = age;
        self
    }

    /// Accepts ID tokens that are also for this audience, or that were issued to it (`azp`). By
    /// default the client has to be the only audience.
    ///
    /// "The ID Token MUST be rejected if the ID Token does not list the Client as a valid audience,
    /// or if it contains additional audiences not trusted by the Client."
    #[must_use]
    pub fn trusted_audience(mut self, audience: impl Into<String>) -> Self {
        self.trusted_audiences.push(audience.into());
        self
    }

    /// Sets the algorithms of ID tokens, as registered (`id_token_signed_response_alg`). Defaults
    /// to that of the client's registration; or to those of the server's metadata that have public
    /// keys, and to `RS256` if it lists none.
    ///
    /// `HS256` has the client's secret as its key, of at least 32 bytes.
    #[must_use]
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// Requires `s_hash`, the hash of the `state`, in the ID token that comes with the code, which then
    /// is the signature of the whole response. Servers of FAPI 1.0 send it. By default it is checked
    /// if it is there, as the `state` itself always is.
    ///
    /// ```
    /// use oauth_twin::{jose::Algorithm, oidc::IdTokenRules};
    ///
    /// let bank = IdTokenRules::new()
    ///     .algorithms([Algorithm::PS256])
    ///     .require_s_hash();
    /// ```
    ///
    /// [FAPI 1.0 Advanced section 5.2.3.1](https://openid.net/specs/openid-financial-api-part-2-1_0.html#id-token-as-detached-signature-1)
    #[must_use]
    pub fn require_s_hash(mut self) -> Self {
        self.state_hash = true;
        self
    }

    /// Accepts ID tokens of these tenants, by their GUIDs, from Microsoft Entra ID's common
    /// endpoints, whose issuer has the placeholder `{tenantid}`.
    #[must_use]
    pub fn tenants(mut self, tenants: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tenants = Tenants::These(tenants.into_iter().map(Into::into).collect());
        self
    }

    /// Accepts ID tokens of any tenant, from Microsoft Entra ID's common endpoints.
    ///
    /// # Security
    ///
    /// Anyone can create a tenant and all its users. A user is the issuer and the subject together.
    #[must_use]
    pub fn any_tenant(mut self) -> Self {
        self.tenants = Tenants::Any;
        self
    }

    /// Accepts the tenants that were named where the server is discovered, unless others are.
    pub(crate) fn or_tenants(mut self, tenants: &Tenants) -> Self {
        if self.tenants == Tenants::None {
            self.tenants = tenants.clone();
        }
        self
    }

    /// Accepts a second form of one issuer's identifier in its ID tokens, for a provider that is
    /// known to send it.
    ///
    /// ```
    /// use oauth_twin::oidc::IdTokenRules;
    ///
    /// let google = IdTokenRules::new()
    ///     .issuer_alias("https://accounts.google.com", "accounts.google.com");
    /// ```
    #[must_use]
    pub fn issuer_alias(mut self, issuer: impl Into<String>, alias: impl Into<String>) -> Self {
        self.aliases.push((issuer.into(), alias.into()));
        self
    }

    /// Accepts ID tokens of one issuer without a `nonce`, for a provider that is known not to
    /// return it. This holds for a code that PKCE binds to the login; another `nonce` is refused.
    ///
    /// # Security
    ///
    /// The `nonce` shows that the ID token was issued for this login. Without it PKCE alone does.
    #[must_use]
    pub fn dangerous_without_nonce(mut self, issuer: impl Into<String>) -> Self {
        self.without_nonce.push(issuer.into());
        self
    }
}
