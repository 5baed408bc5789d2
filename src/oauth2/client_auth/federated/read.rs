//! Assertions in a file, in the environment, and from a function.

use std::{
    fs::{self, File},
    io::Read as _,
    path::PathBuf,
};

use zeroize::Zeroizing;

use crate::{
    error::{BoxError, Error, Result},
    oauth2::{
        request::{AssertionSource, EndpointRequest, SourceRead},
        response::EndpointResponse,
    },
    secret::Secret,
};

/// Maximum size of an assertion, in bytes.
pub(super) const MAX_BYTES: u64 = 64 * 1024;

/// The assertion in what was read from `source`, without the white space around it.
pub(super) fn assertion(content: Vec<u8>, source: &str) -> Result<Secret, BoxError> {
    let content = Zeroizing::new(content);
    if content.len() as u64 > MAX_BYTES {
        return Err(format!("{source} has more than 64 KiB, which is no assertion").into());
    }
    let text = std::str::from_utf8(&content)
        .map_err(|_invalid| format!("{source} has no text, and so no assertion"))?;
    // Some tools write a byte order mark.
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err(format!("{source} is empty").into());
    }
    if text.contains(|it: char| it.is_whitespace() || it.is_control()) {
        return Err(format!("{source} has more than one word, which is no assertion").into());
    }
    Ok(Secret::new(text))
}

/// A source that makes no request has no response.
pub(super) fn no_response() -> Error {
    Error::usage("the source of the assertion makes no request")
}

/// Source of assertions that is read at once.
macro_rules! read_at_once {
    ($source:ty) => {
        impl AssertionSource for $source {
            fn read(&self) -> Result<SourceRead, BoxError> {
                self.content().map(SourceRead::Assertion)
            }

            fn read_response(
                &self,
                _request: &EndpointRequest,
                _response: &EndpointResponse,
            ) -> Result<Secret> {
                Err($crate::oauth2::client_auth::federated::read::no_response())
            }
        }
    };
}
pub(super) use read_at_once;

/// File that the platform replaces.
pub(super) struct TokenFile(pub(super) PathBuf);

read_at_once!(TokenFile);

impl TokenFile {
    fn content(&self) -> Result<Secret, BoxError> {
        let name = format!("the file {}", self.0.display());
        let mut content = Vec::new();
        // A FIFO or a device would never end; already the opening of a FIFO waits for a writer.
        let read = fs::metadata(&self.0).and_then(|metadata| match metadata.is_file() {
            true => File::open(&self.0)?
                .take(MAX_BYTES + 1)
                .read_to_end(&mut content),
            false => Err(std::io::Error::other("it is no regular file")),
        });
        read.map_err(|error| format!("{name} could not be read ({error})"))?;
        assertion(content, &name)
    }
}

/// Environment variable.
pub(super) struct EnvironmentVariable(pub(super) String);

read_at_once!(EnvironmentVariable);

impl EnvironmentVariable {
    fn content(&self) -> Result<Secret, BoxError> {
        let name = format!("the environment variable {}", self.0);
        match std::env::var(&self.0) {
            Ok(value) => assertion(value.into_bytes(), &name),
            Err(std::env::VarError::NotPresent) => Err(format!("{name} is not set").into()),
            Err(_not_unicode) => Err(format!("{name} has no text, and so no assertion").into()),
        }
    }
}

/// Function of the calling code.
pub(super) struct Function<F>(pub(super) F);

impl<F: Fn() -> Result<Secret, BoxError> + Send + Sync> AssertionSource for Function<F> {
    fn read(&self) -> Result<SourceRead, BoxError> {
        (self.0)().map(SourceRead::Assertion)
    }

    fn read_response(
        &self,
        _request: &EndpointRequest,
        _response: &EndpointResponse,
    ) -> Result<Secret> {
        Err(no_response())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assertion_is_one_word() {
        let read = |content: &[u8]| assertion(content.to_vec(), "the file x");
        for content in ["a.b.c", " \r\n a.b.c\n\n", "\u{feff}a.b.c\r\n"] {
            let read = read(content.as_bytes()).expect("an assertion");
            assert_eq!(read.expose_secret(), "a.b.c");
        }
        let long = vec![b'x'; 70_000];
        for content in [
            &b""[..],
            b" \n",
            b"hunter2 hunter2",
            b"hunter2\xff",
            b"hunter2\0",
            &long,
        ] {
            let error = read(content).expect_err("none").to_string();
            assert!(error.starts_with("the file x "), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_file_is_a_regular_one() {
        let read = |path: &str| TokenFile(path.into()).content().map(|_| ());
        let missing = read("/nonexistent/token").expect_err("none").to_string();
        assert!(missing.contains("/nonexistent/token"), "{missing}");
        let folder = std::env::temp_dir();
        assert!(read(&folder.display().to_string()).is_err());
        #[cfg(unix)]
        assert!(read("/dev/zero").is_err());
    }

    /// Nobody writes to it: the opening alone would wait for ever.
    #[cfg(unix)]
    #[test]
    fn a_fifo_is_refused_at_once() {
        let fifo = std::env::temp_dir().join(format!("oauth-twin-fifo-{}", std::process::id()));
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.expect("mkfifo").success());
        let read = TokenFile(fifo.clone()).content();
        std::fs::remove_file(fifo).expect("the FIFO");
        assert!(read.expect_err("a FIFO").to_string().contains("regular"));
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let variable = EnvironmentVariable("OAUTH_TWIN_NO_SUCH_VARIABLE".to_owned());
        let error = variable.content().expect_err("not set").to_string();
        assert!(
            error.contains("OAUTH_TWIN_NO_SUCH_VARIABLE is not set"),
            "{error}"
        );
    }
}
