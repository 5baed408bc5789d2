//! Builder methods of a client whose token is made of that of another client.

use std::sync::Arc;

use super::super::{
    ByCallbacks, identity_source,
    oauth2::{OAuth2Client, OAuth2ClientBuilder, TokenSource},
    subject_source,
};
use crate::oauth2::grant::{id_jag::IdJag, token_exchange::TokenExchange};

impl OAuth2ClientBuilder {
    /// Exchanges the token of `source` for that of this client, and again whenever it expires: with
    /// the token that `source` has by then, renewed if need be.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/exchanged_from.md"),
        include_str!("../../../docs/examples/async/exchanged_from.md")
    )]
    ///
    /// The token never outlives the one that it was made of. When `source` has another login, or none,
    /// this client forgets its token: also if `source` is the client of a user and `keep_for` or
    /// `forget_user` is called for the user, or if it reads in its `token_store` what another process
    /// has stored. As that may be the renewed token of the same login, it can cost one exchange more. A
    /// `source` for a resource that moves to another server tells nobody before its next login there.
    /// It has no `token_store` of its own; that of `source` keeps the login. An error of `source` is
    /// that of this client: `needs_login` means that its user has to log in.
    ///
    /// [RFC 8693 section 2.1](https://www.rfc-editor.org/rfc/rfc8693#section-2.1)
    pub fn exchanged_from(mut self, source: &OAuth2Client, exchange: TokenExchange) -> Self {
        self.source = Some(TokenSource {
            session: source.session.clone(),
            is_used: exchange.is_of_client(),
            grant: Arc::new(exchange),
        });
        self.tokens.completion = Some(&ByCallbacks);
        self.tokens.workload.subject = Some(subject_source(source.clone()));
        self
    }

    /// Obtains the token of this client with identity assertions (ID-JAG) of the server of
    /// `provider`, about the user of that client: one for each token.
    ///
    /// When `provider` has another login, or none, this client forgets its token, as a client of
    /// [`exchanged_from`](Self::exchanged_from) does. It has no `token_store` of its own.
    ///
    /// [Identity Assertion Authorization Grant section 4](https://datatracker.ietf.org/doc/html/draft-ietf-oauth-identity-assertion-authz-grant#section-4)
    pub fn id_jag_from(mut self, provider: &OAuth2Client, grant: IdJag) -> Self {
        self.source = Some(TokenSource {
            session: provider.session.clone(),
            is_used: true,
            grant: Arc::new(grant.clone()),
        });
        self.tokens.completion = Some(&ByCallbacks);
        self.tokens.workload.identity = Some(identity_source(provider.clone(), grant));
        self
    }
}
