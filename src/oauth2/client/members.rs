//! Registered members of client metadata.
//!
//! [IANA: OAuth Dynamic Client Registration Metadata](https://www.iana.org/assignments/oauth-parameters/oauth-parameters.xhtml#client-metadata)

use serde_json::Value;

use super::metadata::ClientMetadata;

/// Getter and setter of a member, by its kind.
macro_rules! member {
    (text $(#[$doc:meta])* $name:ident $with:ident) => {
        $(#[$doc])*
        pub fn $name(&self) -> Option<&str> {
            self.get(stringify!($name))?.as_str()
        }
        member!(@with $name $with text: impl Into<String> => text.into());
    };
    (list $(#[$doc:meta])* $name:ident $with:ident) => {
        $(#[$doc])*
        pub fn $name(&self) -> Option<Vec<&str>> {
            let values = self.get(stringify!($name))?.as_array()?;
            Some(values.iter().filter_map(Value::as_str).collect())
        }
        member!(@with $name $with values: impl IntoIterator<Item = impl Into<String>> =>
            values.into_iter().map(Into::into).collect::<Vec<String>>());
    };
    (flag $(#[$doc:meta])* $name:ident $with:ident) => {
        $(#[$doc])*
        pub fn $name(&self) -> bool {
            self.get(stringify!($name)).and_then(Value::as_bool).unwrap_or(false)
        }
        member!(@with $name $with flag: bool => flag);
    };
    (@with $name:ident $with:ident $value:ident: $kind:ty => $made:expr) => {
        #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), ").")]
        #[must_use]
        pub fn $with(self, $value: $kind) -> Self {
            self.with_member(stringify!($name), $made)
        }
    };
}

/// Members with the specification that defines them.
macro_rules! members {
    ($($spec:literal { $($kind:ident $name:ident $doc:literal $with:ident;)+ })+) => {
        impl ClientMetadata {
            $($(member! { $kind #[doc = $doc] #[doc = ""] #[doc = $spec] $name $with })+)+
        }
    };
}

members! {
    "[RFC 7591 section 2](https://www.rfc-editor.org/rfc/rfc7591#section-2)" {
        list redirect_uris "Redirection URIs." with_redirect_uris;
        text token_endpoint_auth_method "Client authentication at the token endpoint."
            with_token_endpoint_auth_method;
        list grant_types "Grant types that the client uses." with_grant_types;
        list response_types "Values of `response_type` that the client uses." with_response_types;
        text client_name "Name for end-users." with_client_name;
        text client_uri "URL of the client's home page." with_client_uri;
        text logo_uri "URL of the client's logo." with_logo_uri;
        text scope "Scope that the client may ask for." with_scope;
        list contacts "Addresses of those who are responsible for the client." with_contacts;
        text tos_uri "URL of the terms of service." with_tos_uri;
        text policy_uri "URL of the policy on what the client does with data." with_policy_uri;
        text jwks_uri "URL of the client's JWK Set." with_jwks_uri;
        text software_id "Identifier of the software, the same for all its installations."
            with_software_id;
        text software_version "Version of the software." with_software_version;
        text software_statement "Metadata as a JWT that is signed by someone whom the server trusts."
            with_software_statement;
    }
    "[OpenID Connect Registration section 2](https://openid.net/specs/openid-connect-registration-1_0.html#ClientMetadata)" {
        text application_type "`web` or `native`." with_application_type;
        text sector_identifier_uri "URL of the redirection URIs of clients with common subjects."
            with_sector_identifier_uri;
        text subject_type "Type of subject identifiers: `public` or `pairwise`." with_subject_type;
        text id_token_signed_response_alg "Algorithm of ID tokens."
            with_id_token_signed_response_alg;
        text userinfo_signed_response_alg "Algorithm of signed UserInfo responses."
            with_userinfo_signed_response_alg;
        text request_object_signing_alg "Algorithm of request objects."
            with_request_object_signing_alg;
        text token_endpoint_auth_signing_alg "Algorithm of client assertions."
            with_token_endpoint_auth_signing_alg;
        flag require_auth_time "Whether ID tokens have to have an `auth_time`."
            with_require_auth_time;
        list default_acr_values "Authentication context classes that are asked for by default."
            with_default_acr_values;
        text initiate_login_uri "URL at which another site begins a login." with_initiate_login_uri;
        list request_uris "Values of `request_uri`." with_request_uris;
    }
    "[OpenID Connect RP-Initiated Logout section 3.1](https://openid.net/specs/openid-connect-rpinitiated-1_0.html#ClientMetadata)" {
        list post_logout_redirect_uris "URIs to which users return after a logout."
            with_post_logout_redirect_uris;
    }
    "[OpenID Connect Back-Channel Logout section 2.2](https://openid.net/specs/openid-connect-backchannel-1_0.html#BCRegistration)" {
        text backchannel_logout_uri "URL to which logout tokens are sent."
            with_backchannel_logout_uri;
        flag backchannel_logout_session_required "Whether logout tokens have to have a `sid`."
            with_backchannel_logout_session_required;
    }
    "[OpenID Connect Front-Channel Logout section 2](https://openid.net/specs/openid-connect-frontchannel-1_0.html#RPLogout)" {
        text frontchannel_logout_uri "URL that logs the end-user out in the browser."
            with_frontchannel_logout_uri;
        flag frontchannel_logout_session_required "Whether that URL gets `iss` and `sid`."
            with_frontchannel_logout_session_required;
    }
    "[RFC 9126 section 6](https://www.rfc-editor.org/rfc/rfc9126#section-6)" {
        flag require_pushed_authorization_requests "Whether the client pushes all its requests."
            with_require_pushed_authorization_requests;
    }
    "[RFC 9449 section 5.2](https://www.rfc-editor.org/rfc/rfc9449#section-5.2)" {
        flag dpop_bound_access_tokens "Whether the client always uses DPoP."
            with_dpop_bound_access_tokens;
    }
    "[RFC 8705 section 3.4](https://www.rfc-editor.org/rfc/rfc8705#section-3.4)" {
        flag tls_client_certificate_bound_access_tokens
            "Whether tokens are bound to the client's certificate."
            with_tls_client_certificate_bound_access_tokens;
    }
}
