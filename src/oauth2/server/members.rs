//! Registered members of authorization server metadata.
//!
//! [IANA: OAuth Authorization Server Metadata](https://www.iana.org/assignments/oauth-parameters/oauth-parameters.xhtml#authorization-server-metadata)

use url::Url;

use super::metadata::AuthorizationServer;

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
    (strict $(#[$doc:meta])* $name:ident $with:ident) => {
        $(#[$doc])*
        pub fn $name(&self) -> bool {
            self.strict_flag(stringify!($name))
        }
        member!(@with $name $with flag: bool => flag);
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
        list id_token_encryption_alg_values_supported
            "Key encryption algorithms of encrypted ID tokens."
            with_id_token_encryption_alg_values_supported;
        list id_token_encryption_enc_values_supported
            "Content encryption algorithms of encrypted ID tokens."
            with_id_token_encryption_enc_values_supported;
        list userinfo_signing_alg_values_supported "Algorithms of signed UserInfo responses."
            with_userinfo_signing_alg_values_supported;
        list userinfo_encryption_alg_values_supported
            "Key encryption algorithms of encrypted UserInfo responses."
            with_userinfo_encryption_alg_values_supported;
        list userinfo_encryption_enc_values_supported
            "Content encryption algorithms of encrypted UserInfo responses."
            with_userinfo_encryption_enc_values_supported;
        list request_object_signing_alg_values_supported "Algorithms of request objects."
            with_request_object_signing_alg_values_supported;
        list request_object_encryption_alg_values_supported
            "Key encryption algorithms of encrypted request objects."
            with_request_object_encryption_alg_values_supported;
        list request_object_encryption_enc_values_supported
            "Content encryption algorithms of encrypted request objects."
            with_request_object_encryption_enc_values_supported;
        list display_values_supported "Values of `display`." with_display_values_supported;
        list claim_types_supported "Types of claims: normal, aggregated, distributed."
            with_claim_types_supported;
        list claims_locales_supported "Languages of claims." with_claims_locales_supported;
        list claims_supported "Claims that the server may be able to supply." with_claims_supported;
        flag claims_parameter_supported "Whether the server supports `claims`."
            with_claims_parameter_supported;
        flag request_parameter_supported "Whether the server supports `request`."
            with_request_parameter_supported;
        flag request_uri_parameter_supported "Whether the server supports `request_uri`."
            with_request_uri_parameter_supported;
        strict require_request_uri_registration "Whether each `request_uri` has to be registered."
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
    "[OpenID Connect Front-Channel Logout section 3](https://openid.net/specs/openid-connect-frontchannel-1_0.html#OPLogout)" {
        flag frontchannel_logout_supported "Whether the server supports front-channel logout."
            with_frontchannel_logout_supported;
        flag frontchannel_logout_session_supported
            "Whether the server adds `iss` and `sid` to front-channel logout requests."
            with_frontchannel_logout_session_supported;
    }
    "[OpenID Connect Session Management section 3.3](https://openid.net/specs/openid-connect-session-1_0.html#OPMetadata)" {
        url check_session_iframe "URL of the frame that tells whether the session has changed."
            with_check_session_iframe;
    }
    "[OpenID Connect Native SSO section 6](https://openid.net/specs/openid-connect-native-sso-1_0.html)" {
        flag native_sso_supported "Whether the server supports single sign-on of native apps."
            with_native_sso_supported;
    }
    "[OpenID Federation section 5](https://openid.net/specs/openid-federation-1_0.html#section-5)" {
        list client_registration_types_supported "Registration types of OpenID Federation."
            with_client_registration_types_supported;
        url federation_registration_endpoint "URL of the explicit registration of federations."
            with_federation_registration_endpoint;
        url signed_jwks_uri "URL of the server's keys as a signed JWT." with_signed_jwks_uri;
        text organization_name "Name of the organization." with_organization_name;
        text display_name "Name of the server for display." with_display_name;
        text description "Description of the server." with_description;
        list keywords "Keywords about the server." with_keywords;
        list contacts "Contacts of the server's operator." with_contacts;
        url logo_uri "URL of the logo." with_logo_uri;
        url policy_uri "URL of the policies of the organization." with_policy_uri;
        url information_uri "URL of information about the server." with_information_uri;
        url organization_uri "URL of the organization." with_organization_uri;
    }
    "[OpenID Connect CIBA section 4](https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.4)" {
        url backchannel_authentication_endpoint "URL of the backchannel authentication endpoint."
            with_backchannel_authentication_endpoint;
        list backchannel_token_delivery_modes_supported "Token delivery modes of CIBA."
            with_backchannel_token_delivery_modes_supported;
        list backchannel_authentication_request_signing_alg_values_supported
            "Algorithms of signed CIBA requests."
            with_backchannel_authentication_request_signing_alg_values_supported;
        flag backchannel_user_code_parameter_supported "Whether the server supports `user_code`."
            with_backchannel_user_code_parameter_supported;
    }
    "[JARM section 4](https://openid.net/specs/oauth-v2-jarm.html#section-4)" {
        list authorization_signing_alg_values_supported
            "Algorithms of signed authorization responses."
            with_authorization_signing_alg_values_supported;
        list authorization_encryption_alg_values_supported
            "Key encryption algorithms of encrypted authorization responses."
            with_authorization_encryption_alg_values_supported;
        list authorization_encryption_enc_values_supported
            "Content encryption algorithms of encrypted authorization responses."
            with_authorization_encryption_enc_values_supported;
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
        strict require_signed_request_object "Whether authorization requests have to be signed."
            with_require_signed_request_object;
    }
    "[RFC 9126 section 5](https://www.rfc-editor.org/rfc/rfc9126#section-5)" {
        url pushed_authorization_request_endpoint
            "URL of the pushed authorization request endpoint."
            with_pushed_authorization_request_endpoint;
        strict require_pushed_authorization_requests
            "Whether authorization requests have to be pushed."
            with_require_pushed_authorization_requests;
    }
    "[RFC 9207 section 3](https://www.rfc-editor.org/rfc/rfc9207#section-3)" {
        strict authorization_response_iss_parameter_supported
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
    "[RFC 9701 section 7](https://www.rfc-editor.org/rfc/rfc9701#section-7)" {
        list introspection_signing_alg_values_supported
            "Algorithms of signed introspection responses."
            with_introspection_signing_alg_values_supported;
        list introspection_encryption_alg_values_supported
            "Key encryption algorithms of encrypted introspection responses."
            with_introspection_encryption_alg_values_supported;
        list introspection_encryption_enc_values_supported
            "Content encryption algorithms of encrypted introspection responses."
            with_introspection_encryption_enc_values_supported;
    }
    "[Client ID Metadata Document section 5](https://datatracker.ietf.org/doc/html/draft-ietf-oauth-client-id-metadata-document)" {
        flag client_id_metadata_document_supported
            "Whether a client identifier may be the URL of a metadata document."
            with_client_id_metadata_document_supported;
    }
    "[Token Status List section 9](https://datatracker.ietf.org/doc/html/draft-ietf-oauth-status-list)" {
        url status_list_aggregation_endpoint "URL of the list of all token status lists."
            with_status_list_aggregation_endpoint;
    }
    "[Identity Chaining section 3](https://datatracker.ietf.org/doc/html/draft-ietf-oauth-identity-chaining)" {
        list identity_chaining_requested_token_types_supported
            "Token types that may be requested for another domain."
            with_identity_chaining_requested_token_types_supported;
    }
    "[ETSI GS NFV-SEC 022](https://www.etsi.org/deliver/etsi_gs/NFV-SEC/001_099/022/)" {
        list nfv_token_signing_alg_values_supported "Algorithms of NFV tokens."
            with_nfv_token_signing_alg_values_supported;
        list nfv_token_encryption_alg_values_supported
            "Key encryption algorithms of encrypted NFV tokens."
            with_nfv_token_encryption_alg_values_supported;
        list nfv_token_encryption_enc_values_supported
            "Content encryption algorithms of encrypted NFV tokens."
            with_nfv_token_encryption_enc_values_supported;
    }
    "[RFC 9728 section 4](https://www.rfc-editor.org/rfc/rfc9728#section-4)" {
        list protected_resources "Resources that the server issues tokens for."
            with_protected_resources;
    }
}
