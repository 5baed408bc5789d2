//! Problems of settings, reported in one error.

use std::time::Duration;

use reqwest::Url;

use crate::error::{Error, Result};

/// The problems, each with the name of the setting.
#[derive(Default)]
pub(in super::super) struct Problems(Vec<String>);

impl Problems {
    pub(in super::super) fn add(&mut self, setting: &str, problem: &str) {
        self.0.push(format!("{setting} {problem}"));
    }

    /// An error with all of them, if there are any.
    pub(in super::super) fn result(self) -> Result<()> {
        match self.is_empty() {
            true => Ok(()),
            false => Err(self.into_error()),
        }
    }

    pub(in super::super) fn into_error(self) -> Error {
        Error::configuration(self.0)
    }

    pub(in super::super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in super::super) fn note_if_zero(&mut self, setting: &str, time: Duration) {
        if time == Duration::ZERO {
            self.add(setting, "must be longer than zero");
        }
    }

    /// RFC 8707: "Its value MUST be an absolute URI [...]. The URI MUST NOT include a fragment".
    /// RFC 6749 section 3.1.2 says the same of redirection URIs.
    pub(in super::super) fn note_bad_uri(&mut self, setting: &str, uri: &str) {
        match Url::parse(uri) {
            Err(error) => self.add(setting, &format!("is not an absolute URI ({error})")),
            Ok(uri) if uri.fragment().is_some() => self.add(setting, "must not have a fragment"),
            Ok(_) => {}
        }
    }
}
