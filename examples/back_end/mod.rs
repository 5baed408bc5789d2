//! State of a web back end: a session for each browser, a row for each user. A web framework and a
//! database take its place.

#![allow(unreachable_pub, reason = "an example has no outside")]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use oauth_twin::{
    BoxError, Token, TokenUpdate,
    oauth2::{AuthorizationUrl, PendingAuthorization, callback_state},
    url::Url,
};

/// Session of a browser: the logins that were begun in its tabs, oldest first, by their `state`.
#[derive(Default)]
pub struct Session {
    pending: Vec<(String, String)>,
}

/// Limit of pending logins in a session, so that a robot cannot fill it.
const LOGINS: usize = 10;

impl Session {
    /// Keeps a login that was begun. Returns the URL to redirect the user to.
    pub fn keep_pending(&mut self, login: &AuthorizationUrl) -> Result<Url, BoxError> {
        if self.pending.len() == LOGINS {
            self.pending.remove(0);
        }
        let pending = serde_json::to_string(&login.pending)?;
        self.pending
            .push((login.pending.state().to_owned(), pending));
        Ok(login.url.clone())
    }

    /// Removes the login that a callback answers, so that no callback is used twice. Those of other
    /// tabs stay.
    pub fn take_pending(&mut self, callback: &str) -> Result<PendingAuthorization, BoxError> {
        let state = callback_state(callback)?;
        let is_its = |(pending, _): &(String, String)| *pending == state;
        let at = self.pending.iter().position(is_its);
        let at = at.ok_or("no login is pending for this callback; begin a new one")?;
        let (_, pending) = self.pending.remove(at);
        Ok(serde_json::from_str(&pending)?)
    }
}

/// Table of the users' tokens, shared by all requests.
#[derive(Clone, Default)]
pub struct Rows(Arc<Mutex<HashMap<String, String>>>);

impl Rows {
    /// Stores the token of a login.
    pub fn insert(&self, user: &str, token: &Token) -> Result<(), BoxError> {
        self.lock()
            .insert(user.to_owned(), serde_json::to_string(token)?);
        Ok(())
    }

    /// Loads the token of a user who has logged in.
    pub fn load(&self, user: &str) -> Result<Token, BoxError> {
        let rows = self.lock();
        let row = rows.get(user).ok_or("the user has to log in")?;
        Ok(serde_json::from_str(row)?)
    }

    /// Stores a renewed token in the row of the token that it replaces: `UPDATE tokens SET token = …
    /// WHERE refresh_token = …`. Without this, the row keeps a refresh token that is used up. A row
    /// that has another token by now, by a login, stays as it is.
    pub fn write_back(&self, update: &TokenUpdate) -> Result<(), BoxError> {
        let Some(old) = &update.previous_refresh_token else {
            return Ok(());
        };
        let renewed = serde_json::to_string(&update.token)?;
        for row in self.lock().values_mut() {
            let token: Token = serde_json::from_str(row)?;
            if token.refresh_token() == Some(old) {
                row.clone_from(&renewed);
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
