//! Handles whose token is made by an exchange: one token for all with the same exchange.

use std::sync::Arc;

use super::{
    Session,
    grants::Grants,
    handle::{HandleKind, Live},
};
use crate::{
    error::{Error, Result},
    lifecycle::table::UserId,
    oauth2::grant::token_exchange::TokenExchange,
};

impl Session {
    /// A client for the token that this exchange makes.
    pub(in super::super) fn for_exchange(&self, exchange: TokenExchange) -> Self {
        self.of_exchange(exchange).unwrap_or_else(Self::failed)
    }

    fn of_exchange(&self, exchange: TokenExchange) -> Result<Self> {
        let Live { shared, kind, .. } = self.live()?;
        if exchange.is_of_client() {
            return Err(Error::usage(
                "for_exchange needs a subject token: begin with TokenExchange::of_token or new; \
                 exchanged_from of a builder exchanges the token of another client",
            ));
        }
        if kind.resource.is_some() {
            return Err(Error::usage(
                "for_exchange is for a client of one server, and not for a client for a resource, \
                 which may move to another; use OAuth2Client::builder",
            ));
        }
        let (id, now) = (UserId::of_exchange(&exchange.fingerprint()), shared.now());
        let known = shared.slots.of_user(id, now);
        let slot = known.unwrap_or_else(|| shared.slots.add_user(id, None, now));
        let kind = HandleKind {
            is_child: true,
            is_exchanged: true,
            user: Box::new(id).into(),
            grants: Grants::new(Some(Arc::new(exchange))),
            ..HandleKind::default()
        };
        Ok(Self::open(shared, slot, kind))
    }
}

impl Live {
    /// Whether `update_token` gets the renewed tokens. One that is exchanged is lost without harm.
    pub(in super::super) fn has_hook(&self) -> bool {
        self.shared.settings.hook.is_some() && !self.kind.is_exchanged
    }

    /// Whether the token is renewed by its refresh token. One that is exchanged would outlive its
    /// subject then.
    pub(in super::super) fn refreshes(&self) -> bool {
        self.shared.settings.rules.use_refresh_tokens && !self.kind.is_exchanged
    }
}
