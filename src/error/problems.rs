//! Problems of settings, reported in one error.

use std::time::Duration;

use url::Url;

use super::{BoxError, Error, Result};

/// What is wrong with the settings of a builder.
#[derive(Default)]
pub(crate) struct Problems(Vec<String>);

impl Problems {
    pub(crate) fn add(&mut self, setting: &str, problem: &str) {
        self.0.push(format!("{setting} {problem}"));
    }

    /// The error, if there is a problem.
    pub(crate) fn result(self) -> Result<()> {
        match self.is_empty() {
            true => Ok(()),
            false => Err(self.into_error()),
        }
    }

    pub(crate) fn into_error(self) -> Error {
        Error::usage(format!("invalid settings: {}", self.0.join("; ")))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn note_if_zero(&mut self, setting: &str, time: Duration) {
        if time == Duration::ZERO {
            self.add(setting, "must be longer than zero");
        }
    }

    /// Notes a setting that fails a check of its own.
    pub(crate) fn note_unusable(&mut self, setting: &str, check: Result<(), BoxError>) {
        if let Err(error) = check {
            self.add(setting, &format!("cannot be used: {error}"));
        }
    }

    /// RFC 8707: "Its value MUST be an absolute URI [...]. The URI MUST NOT include a fragment".
    /// RFC 6749 section 3.1.2 says the same of redirection URIs.
    pub(crate) fn note_bad_uri(&mut self, setting: &str, uri: &str) {
        match Url::parse(uri) {
            Err(error) => self.add(setting, &format!("is not an absolute URI ({error})")),
            Ok(uri) if uri.fragment().is_some() => self.add(setting, "must not have a fragment"),
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_names_every_problem() {
        let mut problems = Problems::default();
        assert!(problems.is_empty());
        problems.add("a", "is bad");
        problems.note_if_zero("b", Duration::ZERO);
        problems.note_if_zero("c", Duration::from_nanos(1));
        problems.note_bad_uri("d", "https://app.example/#x");
        problems.note_bad_uri("e", "https://app.example/");
        problems.note_unusable("f", Err("it is worse".into()));
        problems.note_unusable("g", Ok(()));
        let error = problems.result().expect_err("problems");
        assert_eq!(
            error.to_string(),
            "invalid settings: a is bad; b must be longer than zero; d must not have a fragment; \
             f cannot be used: it is worse"
        );
        assert!(Problems::default().result().is_ok());
    }
}
