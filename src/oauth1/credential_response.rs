//! Responses of the endpoints for temporary and for token credentials.
//!
//! [RFC 5849 section 2.1](https://www.rfc-editor.org/rfc/rfc5849#section-2.1)

use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use crate::{
    error::{Error, Result},
    oauth1::{
        Signer, TemporaryCredentials, TokenCredentials,
        credentials::{OAUTH_TOKEN, OAUTH_TOKEN_SECRET, SESSION_HANDLE},
        problem::problem_in,
    },
    secret::Secret,
    wire::{redaction::without_secrets, response::Answer},
};

impl Signer {
    /// Reads the response to a request for temporary credentials that this signer has signed.
    ///
    /// ```
    /// use http::{HeaderMap, StatusCode};
    /// use oauth_twin::oauth1::Signer;
    ///
    /// let signer = Signer::new("dpf43f3p2l4k3l03").callback("oob");
    /// let body = b"oauth_token=hh5s93j4hdidpola&oauth_token_secret=hdhd0244k9j7ao03\
    ///              &oauth_callback_confirmed=true";
    /// let temporary =
    ///     signer.read_temporary_credentials(StatusCode::OK, &HeaderMap::new(), body)?;
    /// assert_eq!(temporary.token().expose_secret(), "hh5s93j4hdidpola");
    /// # Ok::<(), oauth_twin::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The server's own error, with its problem report if there is one; or an error about the part
    /// of RFC 5849 that the response violates, such as a missing `oauth_callback_confirmed=true`.
    ///
    /// [RFC 5849 section 2.1](https://www.rfc-editor.org/rfc/rfc5849#section-2.1)
    pub fn read_temporary_credentials(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<TemporaryCredentials> {
        let members = self.members(Answer {
            status,
            headers,
            body,
        })?;
        TemporaryCredentials::from_answer(members, self.allow_unconfirmed_callback)
            .map_err(|problem| Error::answer(problem, status))
    }

    /// Reads the response to a request for token credentials that this signer has signed.
    ///
    /// # Errors
    ///
    /// The server's own error, with its problem report if there is one; or an error about the part
    /// of RFC 5849 that the response violates.
    ///
    /// [RFC 5849 section 2.3](https://www.rfc-editor.org/rfc/rfc5849#section-2.3)
    pub fn read_token_credentials(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<TokenCredentials> {
        let members = self.members(Answer {
            status,
            headers,
            body,
        })?;
        TokenCredentials::from_answer(members).map_err(|problem| Error::answer(problem, status))
    }

    /// The members of a response that is not an error.
    fn members(&self, answer: Answer<'_>) -> Result<Map<String, Value>> {
        let form = answer.read(answer.form_or_json(), |form| {
            let is_failure = answer.status.is_client_error() || answer.status.is_server_error();
            let text = std::str::from_utf8(answer.body).ok().filter(|_| is_failure);
            let redacted = |text: &str| without_secrets(text, self.sent_secrets());
            let members = form.map(|form| &form.members);
            let Some((problem, advice)) = problem_in(members, answer.headers, text) else {
                // Many servers say in a line of text what is wrong.
                let text = text.filter(|_| answer.status.is_client_error());
                let line = text.and_then(first_line)?;
                return Some(answer.refusal().with_description(&redacted(line)));
            };
            let advice = advice
                .as_deref()
                .filter(|advice| !advice.is_empty())
                .map(redacted);
            Some(
                answer
                    .error()
                    .with_error(&redacted(&problem), advice.as_deref(), None),
            )
        })?;
        // Other members are left out instead.
        let mut needed = [OAUTH_TOKEN, OAUTH_TOKEN_SECRET, SESSION_HANDLE].into_iter();
        match needed.find(|name| form.unreadable.contains(*name)) {
            Some(name) => Err(Error::answer(
                format!("the {name} of the response is not percent-encoded UTF-8"),
                answer.status,
            )),
            None => Ok(form.members),
        }
    }

    /// The secrets that the request contained.
    fn sent_secrets(&self) -> impl Iterator<Item = &str> {
        [Some(&self.client_secret), Some(&self.token_secret)]
            .into_iter()
            .chain([&self.token, &self.verifier, &self.session_handle].map(Option::as_ref))
            .flatten()
            .map(Secret::expose_secret)
    }
}

/// The first line of a text, if it is neither a page nor JSON.
fn first_line(text: &str) -> Option<&str> {
    let line = text.trim_start_matches('\u{feff}').trim().lines().next()?;
    (!line.starts_with(['<', '{', '[', '"'])).then_some(line)
}

#[cfg(test)]
mod tests;
