//! Handles of a user: all have the token of the user, whatever that is.

use std::sync::Arc;

use super::{
    Session,
    handle::{HandleKind, Live},
};
use crate::{lifecycle::table::UserId, oauth2::token::Token};

impl Session {
    /// Makes the handle of a login one of the user for whom that was kept, with the slot of the user,
    /// unless it has another token than this by now.
    pub(in super::super) fn belong_to(&self, of_user: &Self, token: &Token) {
        let Ok(Live { shared, slot, kind }) = of_user.live_or_closing() else {
            return;
        };
        let mut state = self.0.write();
        if let (Some(&user), Some(live)) = (kind.user(), state.live_mut())
            && live.kind.user().is_none()
            && Arc::ptr_eq(&live.shared, &shared)
            && let Some(slot) = shared.slots.share(&live.slot, &slot, token)
        {
            live.slot = slot;
            live.kind.user.get_or_init(|| Box::new(user));
        }
    }
}

impl HandleKind {
    pub(super) fn user(&self) -> Option<&UserId> {
        self.user.get().map(|user| &**user)
    }
}
