//! Server and registration to which the tokens of a client for a resource belong.

use serde_json::Value;

use crate::oauth2::{
    client::RegisteredClient,
    token::{Token, members::BOUND},
};

/// Server and registration to which a token belongs.
pub(in super::super) struct Bound {
    pub(in super::super) issuer: String,
    /// Whether the calling code names that issuer.
    pub(in super::super) is_named: bool,
    pub(in super::super) member: Value,
}

impl Bound {
    /// The member of a token.
    pub(in super::super) const MEMBER: &str = BOUND;

    /// Whether the access token may be used with this server: it was issued there, or it is not known where.
    pub(in super::super) fn permits(&self, token: &Token) -> bool {
        Self::issuer_of(token).is_none_or(|issuer| issuer == self.issuer)
    }

    /// Whether the refresh token may be sent to the server: it was issued there, or the calling code, which
    /// has it from somewhere, names the server.
    pub(in super::super) fn may_refresh(&self, token: &Token) -> bool {
        Self::issuer_of(token).map_or(self.is_named, |issuer| issuer == self.issuer)
    }

    /// Whether the token was issued to this client.
    pub(in super::super) fn owns(&self, token: &Token) -> bool {
        let member = token.get(Self::MEMBER);
        let is_same = |name: &str| member.and_then(|it| it.get(name)) == self.member.get(name);
        is_same("issuer") && is_same("client_id")
    }

    /// Whether the token was issued to a client with this registration.
    pub(in super::super) fn names(token: &Token, registered: &RegisteredClient) -> bool {
        let member = token.get(Self::MEMBER);
        let is = |name: &str, value: &str| {
            member.and_then(|it| it.get(name)).and_then(Value::as_str) == Some(value)
        };
        is("issuer", registered.issuer()) && is("client_id", registered.client_id())
    }

    /// The issuer of the server that has issued the token, if it is known.
    pub(in super::super) fn issuer_of(token: &Token) -> Option<&str> {
        token.get(Self::MEMBER)?.get("issuer")?.as_str()
    }
}
