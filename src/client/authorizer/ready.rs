//! Requests that get a token which can be used at once.

use std::sync::Arc;

use super::{
    super::{
        http,
        session::{Live, Session},
        waiting::Deadline,
    },
    attempt::{FirstAttempt, Kept, is_signed_externally},
    copy::RequestCopy,
};
use crate::{error::Result, lifecycle::published::Published, oauth2::dpop::nonce::Nonce};

/// Request that has its token.
pub(super) enum Ready {
    /// The response is the caller's, whatever it is.
    Once,
    /// The response may ask for another attempt, which needs these and the client.
    Repeatable {
        /// None if its body is a stream.
        copy: Option<RequestCopy>,
        token: Arc<Published>,
        is_renewable: bool,
        deadline: Option<Deadline>,
        nonce: Option<Nonce>,
    },
}

impl Live {
    /// Adds the token to the request, if there is one that need not be renewed and no external key
    /// has to sign.
    #[inline]
    pub(super) fn add_token(&self, request: &mut http::Request) -> Result<Option<Ready>> {
        self.check(request)?;
        let Some((token, is_renewable)) = self.fresh_or_renewable() else {
            return Ok(None);
        };
        if is_signed_externally(&token) {
            return Ok(None);
        }
        if !is_renewable && token.bound().is_none() {
            self.add_user_agent(request);
            self.place(request, &token, None)?;
            return Ok(Some(Ready::Once));
        }
        let deadline = request.timeout().copied().map(Deadline::after);
        let copy = RequestCopy::of(request);
        self.add_user_agent(request);
        let nonce = self.place(request, &token, None)?;
        Ok(Some(Ready::Repeatable {
            copy,
            token,
            is_renewable,
            deadline,
            nonce,
        }))
    }
}

impl Ready {
    /// The first attempt to send it, by this client.
    #[inline]
    pub(super) fn first(self, session: Session) -> FirstAttempt {
        FirstAttempt(match self {
            Self::Once => None,
            Self::Repeatable {
                copy,
                token,
                is_renewable,
                deadline,
                nonce,
            } => Kept::of(session, copy, Some(token), is_renewable, deadline, nonce),
        })
    }
}
