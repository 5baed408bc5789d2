//! The resource that a client is for, as the rest of the client sees it.

use std::sync::Arc;

use reqwest::{StatusCode, Url};

use super::{
    super::{Led, shared::Shared, waiting::Deadline},
    Live, Session,
};
use crate::{
    error::Result,
    lifecycle::{now::Now, published::Published},
    oauth2::{
        client::RegisteredClient, protected_resource::challenge::ResourceChallenge, token::Token,
    },
    wire::challenge::Challenge,
};

/// Refusal of a request by the resource.
#[derive(Clone, Default)]
pub(in super::super) struct ResourceRefusal {
    pub(in super::super) challenge: ResourceChallenge,
    /// The demand for another authentication of the user, if it is one.
    pub(in super::super) login: Option<Challenge>,
    /// The token that it was sent with.
    pub(in super::super) token: Option<Arc<Published>>,
}

/// The resource of a handle, behind a pointer without a table of functions: handles are many.
pub(super) struct ThinResource(pub(super) Arc<dyn Resource>);

impl ResourceRefusal {
    /// Whether the resource accepts the token, and demands more of the login that it is of.
    pub(in super::super) fn is_step_up(&self) -> bool {
        self.challenge.is_insufficient_scope || self.login.is_some()
    }
}

/// The resource that a client is for. The rest of the client leads to it through this alone, so that
/// a program without such a client contains nothing of it.
pub(in super::super) trait Resource: Send + Sync {
    fn url(&self) -> &Url;

    /// All parts of the client that are in use or owe anything.
    fn parts(&self) -> Vec<Arc<Shared>>;

    /// The part at the server that the resource names by now; none if none is established.
    fn current(&self) -> Option<Arc<Shared>>;

    /// The part of a client with this token, whose handle would have `shared` otherwise.
    fn part_of(&self, token: &Token, shared: Arc<Shared>) -> Arc<Shared>;

    /// Forgets a client that its server does not know any longer.
    fn forget_client(&self, registered: &RegisteredClient);

    /// Notes whether the resource refuses a token that was issued for it a moment ago.
    fn note_response(&self, is_refused: bool, now: Now);

    /// Notes the response of the resource to a request after a login for more scope.
    fn note_step_up(&self, status: StatusCode);

    /// The state of the client, whose server is discovered if that is still to be done.
    fn discovered<'a>(self: Arc<Self>, session: &'a Session, live: Live) -> Led<'a, Result<Live>>;

    /// The state of the client after the token store was read for the first time.
    fn restored<'a>(
        self: Arc<Self>,
        session: &'a Session,
        live: Live,
        deadline: Deadline,
    ) -> Led<'a, Result<Live>>;

    /// The state of the client at the server that has issued its token.
    fn at_owner<'a>(self: Arc<Self>, session: &'a Session, live: Live) -> Led<'a, Result<Live>>;

    /// Finds the server and the client there once more.
    fn rediscovered<'a>(self: Arc<Self>, session: &'a Session) -> Led<'a, Result<()>>;

    /// Obtains another token than the refused one. Returns whether that took more than a look for one.
    fn authorize<'a>(
        self: Arc<Self>,
        session: &'a Session,
        live: Live,
        refusal: ResourceRefusal,
        own: Option<Deadline>,
    ) -> Led<'a, Result<bool>>;

    /// Whether the client logs its own user in when the resource demands it.
    fn has_login(&self) -> bool;

    /// Forgets the client's own registration at the server of the resource, and its tokens.
    fn forget_registration<'a>(
        self: Arc<Self>,
        session: &'a Session,
        live: Live,
    ) -> Led<'a, Result<()>>;
}
