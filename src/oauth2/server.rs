//! Authorization server metadata: issuer identifier, endpoints, supported features.
//!
//! [RFC 8414 section 2](https://www.rfc-editor.org/rfc/rfc8414#section-2)

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use url::Url;

use crate::{
    error::{Error, Result},
    json::Members,
    wire::secure_url::{check_endpoint_url, parse_endpoint, without_query},
};

/// Metadata of an authorization server, with typed accessors and open to further members.
///
/// Cheap to clone. It serialises to the JSON object of RFC 8414, and keeps unknown members. URLs
/// are checked when it makes an endpoint, such as a
/// [`TokenEndpoint`](crate::oauth2::TokenEndpoint), and when a client is built.
///
/// ```
/// use oauth_twin::oauth2::AuthorizationServer;
///
/// let server = AuthorizationServer::new("https://id.example.com")
///     .with_token_endpoint("https://id.example.com/token")
///     .with_code_challenge_methods_supported(["S256"])
///     .with_member("tenant", "a");
/// assert_eq!(server.token_endpoint().unwrap().path(), "/token");
/// assert_eq!(server.get("tenant").unwrap(), "a");
///
/// let kept = serde_json::to_string(&server)?;
/// assert_eq!(serde_json::from_str::<AuthorizationServer>(&kept)?, server);
///
/// // Many servers document their endpoints, but no issuer identifier.
/// let server = AuthorizationServer::default()
///     .with_authorization_endpoint("https://github.com/login/oauth/authorize")
///     .with_token_endpoint("https://github.com/login/oauth/access_token");
/// assert_eq!(server.issuer(), None);
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// [RFC 8414 section 2](https://www.rfc-editor.org/rfc/rfc8414#section-2)
#[derive(Clone, Default, PartialEq)]
pub struct AuthorizationServer(Arc<Metadata>);

#[derive(Clone, Default, PartialEq)]
struct Metadata {
    members: Map<String, Value>,
    /// Members that are URLs, parsed once.
    urls: BTreeMap<String, Arc<Url>>,
}

impl AuthorizationServer {
    /// Makes the metadata of a server with this issuer identifier. Begin with
    /// [`default`](Self::default) if it is not known.
    pub fn new(issuer: impl Into<String>) -> Self {
        Self::default().with_issuer(issuer)
    }

    /// Any member of the metadata.
    pub fn get(&self, member: &str) -> Option<&Value> {
        self.0.members.get(member)
    }

    /// Sets any member.
    #[must_use]
    pub fn with_member(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        Arc::make_mut(&mut self.0).insert(name.into(), value.into());
        self
    }

    /// Endpoints for clients that authenticate by TLS certificate.
    ///
    /// [RFC 8705 section 5](https://www.rfc-editor.org/rfc/rfc8705#section-5)
    pub fn mtls_endpoint_aliases(&self) -> Option<&Map<String, Value>> {
        self.get("mtls_endpoint_aliases")?.as_object()
    }

    /// The checked URL of an endpoint, if there is one; or what is wrong with it.
    pub(crate) fn endpoint(
        &self,
        name: &str,
        allow_http: bool,
    ) -> Result<Option<Arc<Url>>, String> {
        match (self.0.urls.get(name), self.get(name)) {
            (Some(url), _) => check_endpoint_url(url, allow_http).map(|()| Some(url.clone())),
            (None, None | Some(Value::Null)) => Ok(None),
            (None, Some(value)) => {
                parse_endpoint(value.as_str().unwrap_or_default()).map(|url| Some(Arc::new(url)))
            }
        }
    }

    /// The checked URL of an endpoint that a request is sent to.
    pub(crate) fn required_endpoint(&self, name: &str, allow_http: bool) -> Result<Arc<Url>> {
        match self.endpoint(name, allow_http) {
            Ok(Some(url)) => Ok(url),
            Ok(None) => Err(Error::usage(format!(
                "the {name} of the server is not known; set it"
            ))),
            Err(problem) => Err(Error::usage(format!("{name} {problem}"))),
        }
    }

    fn url(&self, name: &str) -> Option<&Url> {
        self.0.urls.get(name).map(|url| &**url)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    fn list(&self, name: &str) -> Option<Vec<&str>> {
        let values = self.get(name)?.as_array()?;
        Some(values.iter().filter_map(Value::as_str).collect())
    }

    fn flag(&self, name: &str) -> bool {
        self.get(name).and_then(Value::as_bool).unwrap_or(false)
    }
}

impl Metadata {
    fn insert(&mut self, name: String, value: Value) {
        let is_url = name.ends_with("_endpoint") || name.ends_with("_uri");
        let text = value.as_str().filter(|_| is_url);
        match text.and_then(|text| Url::parse(text).ok()) {
            Some(url) => self.urls.insert(name.clone(), Arc::new(url)),
            None => self.urls.remove(&name),
        };
        self.members.insert(name, value);
    }
}

/// Getter and setter of a member, by its kind.
macro_rules! member {
    (url $(#[$doc:meta])* $name:ident $with:ident) => {
        $(#[$doc])*
        pub fn $name(&self) -> Option<&Url> {
            self.url(stringify!($name))
        }
        member!(@with $name $with url: impl Into<String> => url.into());
    };
    (text $(#[$doc:meta])* $name:ident $with:ident) => {
        $(#[$doc])*
        pub fn $name(&self) -> Option<&str> {
            self.text(stringify!($name))
        }
        member!(@with $name $with text: impl Into<String> => text.into());
    };
    (list $(#[$doc:meta])* $name:ident $with:ident) => {
        $(#[$doc])*
        pub fn $name(&self) -> Option<Vec<&str>> {
            self.list(stringify!($name))
        }
        member!(@with $name $with values: impl IntoIterator<Item = impl Into<String>> =>
            values.into_iter().map(Into::into).collect::<Vec<String>>());
    };
    (flag $(#[$doc:meta])* $name:ident $with:ident) => {
        $(#[$doc])*
        pub fn $name(&self) -> bool {
            self.flag(stringify!($name))
        }
        member!(@with $name $with flag: bool => flag);
    };
    (@with $name:ident $with:ident $value:ident: $type:ty => $made:expr) => {
        #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), ").")]
        #[must_use]
        pub fn $with(self, $value: $type) -> Self {
            self.with_member(stringify!($name), $made)
        }
    };
}

/// Members with the specification that defines them.
macro_rules! members {
    ($($spec:literal { $($kind:ident $name:ident $doc:literal $with:ident;)+ })+) => {
        impl AuthorizationServer {
            $($(member! { $kind #[doc = $doc] #[doc = ""] #[doc = $spec] $name $with })+)+
        }
    };
}

members! {
    "[RFC 8414 section 2](https://www.rfc-editor.org/rfc/rfc8414#section-2)" {
        text issuer "Issuer identifier of the server, if it is known." with_issuer;
        url authorization_endpoint "URL of the authorization endpoint." with_authorization_endpoint;
        url token_endpoint "URL of the token endpoint." with_token_endpoint;
        url jwks_uri "URL of the server's JWK Set." with_jwks_uri;
        url registration_endpoint "URL of the registration endpoint." with_registration_endpoint;
        list scopes_supported "Scopes that the server supports." with_scopes_supported;
        list response_types_supported "Values of `response_type`." with_response_types_supported;
        list response_modes_supported "Values of `response_mode`." with_response_modes_supported;
        list grant_types_supported "Grant types that the server supports."
            with_grant_types_supported;
        list token_endpoint_auth_methods_supported "Client authentication at the token endpoint."
            with_token_endpoint_auth_methods_supported;
        list token_endpoint_auth_signing_alg_values_supported
            "Algorithms of client assertions at the token endpoint."
            with_token_endpoint_auth_signing_alg_values_supported;
        text service_documentation "URL of the documentation for developers."
            with_service_documentation;
        list ui_locales_supported "Languages of the user interface." with_ui_locales_supported;
        url op_policy_uri "URL of the policy on what a client may do with data." with_op_policy_uri;
        url op_tos_uri "URL of the terms of service." with_op_tos_uri;
        url revocation_endpoint "URL of the revocation endpoint." with_revocation_endpoint;
        list revocation_endpoint_auth_methods_supported
            "Client authentication at the revocation endpoint."
            with_revocation_endpoint_auth_methods_supported;
        list revocation_endpoint_auth_signing_alg_values_supported
            "Algorithms of client assertions at the revocation endpoint."
            with_revocation_endpoint_auth_signing_alg_values_supported;
        url introspection_endpoint "URL of the introspection endpoint." with_introspection_endpoint;
        list introspection_endpoint_auth_methods_supported
            "Client authentication at the introspection endpoint."
            with_introspection_endpoint_auth_methods_supported;
        list introspection_endpoint_auth_signing_alg_values_supported
            "Algorithms of client assertions at the introspection endpoint."
            with_introspection_endpoint_auth_signing_alg_values_supported;
        list code_challenge_methods_supported "PKCE methods that the server supports."
            with_code_challenge_methods_supported;
        text signed_metadata "The same metadata as a signed JWT." with_signed_metadata;
    }
    "[OpenID Connect Discovery section 3](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata)" {
        url userinfo_endpoint "URL of the UserInfo endpoint." with_userinfo_endpoint;
        list acr_values_supported "Authentication context classes." with_acr_values_supported;
        list subject_types_supported "Types of subject identifiers." with_subject_types_supported;
        list id_token_signing_alg_values_supported "Algorithms of ID tokens."
            with_id_token_signing_alg_values_supported;
        list userinfo_signing_alg_values_supported "Algorithms of signed UserInfo responses."
            with_userinfo_signing_alg_values_supported;
        list request_object_signing_alg_values_supported "Algorithms of request objects."
            with_request_object_signing_alg_values_supported;
        list display_values_supported "Values of `display`." with_display_values_supported;
        list claims_supported "Claims that the server may be able to supply." with_claims_supported;
        flag claims_parameter_supported "Whether the server supports `claims`."
            with_claims_parameter_supported;
        flag request_parameter_supported "Whether the server supports `request`."
            with_request_parameter_supported;
        flag require_request_uri_registration "Whether each `request_uri` has to be registered."
            with_require_request_uri_registration;
    }
    "[OpenID Connect RP-Initiated Logout section 2.1](https://openid.net/specs/openid-connect-rpinitiated-1_0.html#OPMetadata)" {
        url end_session_endpoint "URL of the endpoint that logs the end-user out."
            with_end_session_endpoint;
    }
    "[OpenID Connect Back-Channel Logout section 2.1](https://openid.net/specs/openid-connect-backchannel-1_0.html#BCSupport)" {
        flag backchannel_logout_supported "Whether the server supports back-channel logout."
            with_backchannel_logout_supported;
        flag backchannel_logout_session_supported "Whether logout tokens have a `sid`."
            with_backchannel_logout_session_supported;
    }
    "[OpenID Connect CIBA section 4](https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.4)" {
        url backchannel_authentication_endpoint "URL of the backchannel authentication endpoint."
            with_backchannel_authentication_endpoint;
        list backchannel_token_delivery_modes_supported "Token delivery modes of CIBA."
            with_backchannel_token_delivery_modes_supported;
    }
    "[JARM section 4](https://openid.net/specs/oauth-v2-jarm.html#section-4)" {
        list authorization_signing_alg_values_supported
            "Algorithms of signed authorization responses."
            with_authorization_signing_alg_values_supported;
    }
    "[RFC 8628 section 4](https://www.rfc-editor.org/rfc/rfc8628#section-4)" {
        url device_authorization_endpoint "URL of the device authorization endpoint."
            with_device_authorization_endpoint;
    }
    "[RFC 8705 section 3.3](https://www.rfc-editor.org/rfc/rfc8705#section-3.3)" {
        flag tls_client_certificate_bound_access_tokens
            "Whether the server binds tokens to certificates."
            with_tls_client_certificate_bound_access_tokens;
    }
    "[RFC 9101 section 10.5](https://www.rfc-editor.org/rfc/rfc9101#section-10.5)" {
        flag require_signed_request_object "Whether authorization requests have to be signed."
            with_require_signed_request_object;
    }
    "[RFC 9126 section 5](https://www.rfc-editor.org/rfc/rfc9126#section-5)" {
        url pushed_authorization_request_endpoint
            "URL of the pushed authorization request endpoint."
            with_pushed_authorization_request_endpoint;
        flag require_pushed_authorization_requests
            "Whether authorization requests have to be pushed."
            with_require_pushed_authorization_requests;
    }
    "[RFC 9207 section 3](https://www.rfc-editor.org/rfc/rfc9207#section-3)" {
        flag authorization_response_iss_parameter_supported
            "Whether the server includes `iss` in every authorization response; one without it is \
             refused then."
            with_authorization_response_iss_parameter_supported;
    }
    "[RFC 9396 section 10](https://www.rfc-editor.org/rfc/rfc9396#section-10)" {
        list authorization_details_types_supported "Types of authorization details."
            with_authorization_details_types_supported;
    }
    "[RFC 9449 section 5.1](https://www.rfc-editor.org/rfc/rfc9449#section-5.1)" {
        list dpop_signing_alg_values_supported "Algorithms of DPoP proofs."
            with_dpop_signing_alg_values_supported;
    }
    "[RFC 9728 section 4](https://www.rfc-editor.org/rfc/rfc9728#section-4)" {
        list protected_resources "Resources that the server issues tokens for."
            with_protected_resources;
    }
}

impl Serialize for AuthorizationServer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.members.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AuthorizationServer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut metadata = Metadata::default();
        for (name, value) in Members::deserialize(deserializer)?.0 {
            metadata.insert(name, value);
        }
        Ok(Self(Arc::new(metadata)))
    }
}

/// Omits the query of the URL, in which some servers require a key, and the values of other
/// members.
impl fmt::Debug for AuthorizationServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationServer")
            .field("issuer", &self.issuer())
            .field("token_endpoint", &self.token_endpoint().map(without_query))
            .field("members", &self.0.members.keys().collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests;
