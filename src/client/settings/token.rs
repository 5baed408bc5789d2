//! Settings of clients whose tokens are renewed.

use std::time::Duration;

use super::super::{
    Assert, FetchAssertion, FetchSubject, RequestCompletion, Sign, Store, UpdateDelivery,
    UserStore, dpop::DpopSettings, transport::Follow,
};
use crate::{
    error::Problems,
    lifecycle::table::UserLimits,
    oauth2::{
        client::ClientRegistration,
        client_auth::settings::check_scope,
        hook::Hook,
        token::{Token, bearer::TokenPlacement, refresh::RefreshPolicy},
    },
};

/// Settings of the tokens.
pub(in super::super::super) struct TokenSettings {
    pub(in super::super) placement: TokenPlacement,
    pub(in super::super) hooks: Vec<Hook>,
    pub(in super::super) token: Option<Token>,
    pub(in super::super) leeway: Duration,
    pub(in super::super) policy: RefreshPolicy,
    pub(in super::super) close_timeout: Duration,
    pub(in super::super::super) update: Option<UpdateDelivery>,
    pub(in super::super::super) sign: Option<Sign>,
    /// Of a client with any callback that completes requests.
    pub(in super::super::super) completion: Option<&'static dyn RequestCompletion>,
    pub(in super::super::super) store: Option<Store>,
    pub(in super::super::super) user_store: Option<UserStore>,
    pub(in super::super) users: UserLimits,
    pub(in super::super::super) dpop: DpopSettings,
    pub(in super::super::super) workload: WorkloadSettings,
}

/// What completes requests instead of a secret or a user: the platform's assertions, other clients.
#[derive(Clone, Default)]
pub(in super::super::super) struct WorkloadSettings {
    /// Source of client assertions.
    pub(in super::super::super) assert: Option<Assert>,
    /// The token of the client that this one's is exchanged from.
    pub(in super::super::super) subject: Option<FetchSubject>,
    /// The assertions of the identity provider of another client.
    pub(in super::super::super) identity: Option<FetchAssertion>,
}

impl TokenSettings {
    pub(in super::super) fn new() -> Self {
        Self {
            placement: TokenPlacement::Header,
            hooks: Vec::new(),
            token: None,
            leeway: Duration::from_secs(60),
            policy: RefreshPolicy::default(),
            close_timeout: Duration::from_secs(60),
            update: None,
            sign: None,
            completion: None,
            store: None,
            user_store: None,
            users: UserLimits::default(),
            workload: WorkloadSettings::default(),
            dpop: DpopSettings::default(),
        }
    }

    pub(in super::super) fn check(&self, client: &ClientRegistration, problems: &mut Problems) {
        problems.note_if_zero("close_timeout", self.close_timeout);
        problems.note_if_zero("user_idle_timeout", self.users.idle);
        if self.token.is_some() && self.store.is_some() {
            problems.add(
                "token",
                "is that of token_store; leave it out, or give it to set_token to replace that one",
            );
        }
        check_scope(client, problems);
        if let Some(problem) = self.dpop.problem() {
            problems.add("dpop", &problem);
        }
        if self.dpop.is_set() && self.placement != TokenPlacement::Header {
            problems.add(
                "token_placement",
                "has to be the header with dpop; leave one of them out",
            );
        }
    }

    /// Redirects of API calls that reqwest follows. A proof is for one URL, so that those of a client
    /// with a DPoP key are followed by a new request.
    pub(in super::super) fn follow(&self) -> Follow {
        match self.dpop.is_set() {
            true => Follow::Nothing,
            false => Follow::Bearer(self.placement),
        }
    }
}

/// The methods of a builder with the fields `tokens` and `client`.
macro_rules! token_settings {
    ($builder:ident) => {
        impl $builder {
            /// The place of the token in requests. Defaults to the header.
            ///
            /// [RFC 6750 section 2](https://www.rfc-editor.org/rfc/rfc6750#section-2)
            pub fn token_placement(mut self, placement: $crate::oauth2::TokenPlacement) -> Self {
                self.tokens.placement = placement;
                self
            }

            /// The key that tokens are bound to by DPoP: each token request and each API request has
            /// a new proof that the client possesses it, with the nonce of the server.
            ///
            /// A proof is for one URL. Redirects are therefore followed within the origin only, by a
            /// request with a proof of its own, and returned otherwise. Those of a request that
            /// withholds its token (`withhold_token`) have no proof to renew, and are all returned.
            ///
            #[doc = include_str!("../../../docs/examples/dpop.md")]
            ///
            /// A stored token needs the same key after a restart; it is stored with the thumbprint
            /// of its key. If that key is lost, a client that authenticates refreshes the token
            /// with this one, and the user of a public client has to log in again.
            ///
            /// A server that issues bearer tokens all the same is an error.
            ///
            /// [RFC 9449 section 4](https://www.rfc-editor.org/rfc/rfc9449#section-4)
            #[doc(alias = "proof of possession")]
            pub fn dpop(mut self, key: $crate::oauth2::DpopKey) -> Self {
                self.tokens.dpop.set(key);
                self
            }

            /// A key of tokens that were issued before the present one was set by
            /// [`dpop`](Self::dpop). Call it again to add another. A client that authenticates
            /// refreshes such a token with the present key, and the new token is bound to that. The
            /// refresh tokens of a public client are bound to their key, and keep it. Those of a
            /// server that binds them for all clients, which is not RFC 9449, keep it if the key is
            /// added by `add_dpop_key` instead.
            ///
            /// [RFC 9449 section 5](https://www.rfc-editor.org/rfc/rfc9449#section-5)
            pub fn earlier_dpop_key(mut self, key: $crate::oauth2::DpopKey) -> Self {
                self.tokens.dpop.add_earlier(key);
                self
            }

            /// Adds a hook that changes a message, for a server that departs from the RFC. Hooks
            /// run in the order in which they are added.
            pub fn compliance_hook(mut self, hook: $crate::oauth2::Hook) -> Self {
                self.tokens.hooks.push(hook);
                self
            }

            /// Adds the hooks that a provider needs.
            pub fn compliance_fix(
                mut self,
                fix: $crate::oauth2::compliance::ComplianceFix,
            ) -> Self {
                self.tokens.hooks.extend(fix);
                self
            }

            /// The scope of grants without one of their own: a string, or several.
            ///
            /// [RFC 6749 section 3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)
            pub fn scope(mut self, scope: impl Into<$crate::oauth2::Scope>) -> Self {
                self.client = self.client.with_scope(scope);
                self
            }

            /// The resource that tokens are for. Call it again to add another.
            ///
            /// [RFC 8707 section 2](https://www.rfc-editor.org/rfc/rfc8707#section-2)
            pub fn resource(mut self, resource: impl Into<String>) -> Self {
                self.client = self.client.with_resource(resource);
                self
            }

            /// The initial token, such as that of the last run.
            pub fn token(mut self, token: $crate::oauth2::Token) -> Self {
                self.tokens.token = Some(token);
                self
            }

            /// The time before its expiry at which a token is renewed, at most half of its
            /// lifetime. Defaults to 60 seconds.
            #[doc(alias = "expired")]
            pub fn leeway(mut self, leeway: std::time::Duration) -> Self {
                self.tokens.leeway = leeway;
                self
            }

            /// The occasions to renew the token. Defaults to its expiry and a 401.
            pub fn refresh_policy(mut self, policy: $crate::oauth2::RefreshPolicy) -> Self {
                self.tokens.policy = policy;
                self
            }

            /// The time limit of `close` for everything together: renewals in flight,
            /// `token_store` and `update_token`. Defaults to 60 seconds.
            pub fn close_timeout(mut self, timeout: std::time::Duration) -> Self {
                self.tokens.close_timeout = timeout;
                self
            }
        }
    };
}
pub(in super::super) use token_settings;
