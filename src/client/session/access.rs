//! Access to the state of a client, for those that may have it.

use reqwest::{IntoUrl, Method};

use super::{super::http, Live, Session};
use crate::error::{Error, Result};

impl Session {
    /// Creates a request on the connections of the client.
    #[inline]
    pub(in super::super) fn request(
        &self,
        method: Method,
        url: impl IntoUrl,
    ) -> Result<http::RequestBuilder> {
        let state = self.0.read();
        if let Ok(live) = state.open() {
            return Ok(live.shared.transport.request(method, url));
        }
        drop(state);
        Ok(self.serving()?.shared.transport.request(method, url))
    }

    /// The state, if the client is open.
    #[inline]
    pub(in super::super) fn live(&self) -> Result<Live> {
        self.0.read().open().cloned()
    }

    /// What `read` returns for the state, if the client is open. A lock is held meanwhile, so that no code
    /// of the user's must run; the state is not cloned, whose counts all threads would share.
    #[inline]
    pub(in super::super) fn at_once<T>(&self, read: impl FnOnce(&Live) -> T) -> Option<T> {
        self.0.read().open().ok().map(read)
    }

    /// The state, if the token can be used: by any caller of an open client, and by a callback that
    /// `close` waits for.
    #[inline]
    pub(in super::super) fn serving(&self) -> Result<Live> {
        self.live()
            .or_else(|closed| self.closing_around_callback().ok_or(closed))
    }

    #[cold]
    fn closing_around_callback(&self) -> Option<Live> {
        self.live_or_closing().ok().filter(Live::is_in_callback)
    }

    /// The same for a call that began before the client was closed.
    pub(in super::super) fn live_or_closing(&self) -> Result<Live> {
        let state = self.0.read();
        state.live().cloned().ok_or_else(|| state.error())
    }

    /// The same with the slot that holds the token by now: another call may have logged the user in
    /// or out.
    pub(in super::super) fn live_now(&self) -> Result<Live> {
        self.with_own_slot(Self::live)
    }

    pub(super) fn with_own_slot(&self, read: fn(&Self) -> Result<Live>) -> Result<Live> {
        loop {
            let live = read(self)?;
            match live.slot.forwarded() {
                Some(slot) => self.follow(slot),
                None => return Ok(live),
            }
        }
    }

    /// The same for methods that must not be called within `update_token`.
    pub(in super::super) fn live_outside_hook(&self, method: &'static str) -> Result<Live> {
        let live = self.with_own_slot(Self::serving)?;
        if live.would_wait_for_itself() {
            return Err(Error::reentrant(method));
        }
        self.live_now()
    }
}
