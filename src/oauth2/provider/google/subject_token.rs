//! Subject tokens of external accounts: where they come from.
//!
//! [AIP-4117](https://google.aip.dev/auth/4117#expected-behavior)

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use url::Url;

use super::{
    aws::AwsSource,
    credentials::Wanted,
    executable::{Account, ExecutableSource},
    hosts::source_url,
    journal::{Journal, Outgoing, Paused, PlainRequest},
};
use crate::{
    error::{Error, Result},
    json::Members,
    secret::Secret,
};

/// Limit of a file, in bytes.
const FILE_LIMIT: u64 = 1024 * 1024;

/// Source of subject tokens, read anew for each token.
#[derive(Clone, Debug)]
pub(super) enum SubjectTokenSource {
    File(PathBuf, Format),
    Url(Box<Url>, HeaderMap, Format),
    Executable(ExecutableSource),
    Aws(Box<AwsSource>),
}

/// How the token stands in what is read.
#[derive(Clone, Debug)]
pub(super) enum Format {
    Text,
    /// In this member of a JSON object.
    Json(String),
}

impl SubjectTokenSource {
    /// Reads `credential_source`.
    pub(super) fn from_members(source: &Map<String, Value>) -> Result<Self> {
        let refused = |problem: &str| {
            Error::usage(format!(
                "credential_source of the credential file {problem}"
            ))
        };
        if source.contains_key("certificate") {
            return Err(refused(
                "has a certificate (X.509 federation), which is not supported",
            ));
        }
        // The `url` of AWS is another one.
        if source.contains_key("environment_id") {
            return match source.contains_key("file") || source.contains_key("executable") {
                true => Err(refused("has an environment_id and another source")),
                false => Ok(Self::Aws(Box::new(AwsSource::from_members(source)?))),
            };
        }
        let format = Format::from_members(source.get("format"))?;
        let kinds = ["file", "url", "executable"].map(|kind| source.get(kind));
        match kinds {
            [Some(file), None, None] => match file.as_str() {
                Some(file) if !file.is_empty() => Ok(Self::File(file.into(), format)),
                _ => Err(refused("has a file that is no path")),
            },
            [None, Some(url), None] => {
                let url = source_url(url.as_str().unwrap_or_default())?;
                Ok(Self::Url(
                    Box::new(url),
                    headers(source.get("headers"))?,
                    format,
                ))
            }
            [None, None, Some(executable)] => {
                let members = executable.as_object();
                let members =
                    members.ok_or_else(|| refused("has an executable that is no object"))?;
                Ok(Self::Executable(ExecutableSource::from_members(members)?))
            }
            [None, None, None] => Err(refused("has no file, url, executable or environment_id")),
            _ => Err(refused(
                "has several of file, url and executable; which one is meant?",
            )),
        }
    }

    pub(super) fn subject_token(
        &self,
        account: &Account<'_>,
        wanted: &Wanted<'_>,
        journal: &mut Journal,
    ) -> Paused<Secret> {
        let now = wanted.clock.unix();
        match self {
            Self::File(path, format) => {
                let text = journal.once(|| read_file(path))?;
                Ok(format.read(&text, "the file of credential_source")?)
            }
            Self::Url(url, headers, format) => {
                let sent = journal.send(|| {
                    let mut request =
                        PlainRequest::get("the URL of credential_source", (**url).clone());
                    request.headers = headers.clone();
                    Ok(Outgoing::Plain(Box::new(request)))
                })?;
                let (Outgoing::Plain(request), response) = sent else {
                    return Err(Error::usage("the request is not that of credential_source").into());
                };
                let text = request.read_text(&response)?;
                Ok(format.read(&text, request.service)?)
            }
            Self::Executable(source) => {
                source.subject_token(account, now, wanted.variable, journal)
            }
            Self::Aws(source) => {
                source.subject_token(account.audience, now, wanted.variable, journal)
            }
        }
    }
}

impl Format {
    fn from_members(format: Option<&Value>) -> Result<Self> {
        let refused = |problem: &str| {
            Err(Error::usage(format!(
                "credential_source.format of the credential file {problem}"
            )))
        };
        let Some(format) = format.filter(|format| !format.is_null()) else {
            return Ok(Self::Text);
        };
        let Some(format) = format.as_object() else {
            return refused("is no object");
        };
        let text = |name| format.get(name).and_then(Value::as_str);
        match (text("type"), text("subject_token_field_name")) {
            (Some("text"), _) => Ok(Self::Text),
            (None, _) if !format.contains_key("type") => Ok(Self::Text),
            (Some("json"), Some(name)) if !name.is_empty() => Ok(Self::Json(name.to_owned())),
            (Some("json"), _) => refused("of the type json lacks subject_token_field_name"),
            _ => refused("has a type other than text and json"),
        }
    }

    fn read(&self, text: &Secret, origin: &str) -> Result<Secret> {
        let refused = |problem: &str| Error::untrusted(format!("{origin} {problem}"));
        let token = match self {
            Self::Text => text.expose_secret().trim().to_owned(),
            Self::Json(name) => {
                let mut members = Members::from_slice(text.expose_secret().as_bytes())
                    .map_err(|_| refused("is not a JSON object"))?;
                match members.remove(name) {
                    Some(Value::String(token)) => token,
                    _ => return Err(refused(&format!("has no text {name}"))),
                }
            }
        };
        match token.is_empty() {
            true => Err(refused("has an empty token")),
            false => Ok(token.into()),
        }
    }
}

fn headers(headers: Option<&Value>) -> Result<HeaderMap> {
    let refused =
        || Error::usage("credential_source.headers of the credential file are no HTTP headers");
    let Some(headers) = headers.filter(|headers| !headers.is_null()) else {
        return Ok(HeaderMap::new());
    };
    let headers = headers.as_object().ok_or_else(refused)?;
    let header = |(name, value): (&String, &Value)| {
        let name = HeaderName::try_from(name.as_str()).ok()?;
        let mut value = HeaderValue::try_from(value.as_str()?).ok()?;
        value.set_sensitive(true);
        Some((name, value))
    };
    headers
        .iter()
        .map(|entry| header(entry).ok_or_else(refused))
        .collect()
}

fn read_file(path: &Path) -> Result<Secret> {
    read_regular_file(path).map_err(|error| {
        let path = path.display();
        Error::usage(format!(
            "the subject token cannot be read from {path}, the credential_source.file of the \
             credential file: {error}"
        ))
    })
}

/// The text of a file, which is not waited for: a pipe or a device could keep the program for ever.
pub(super) fn read_regular_file(path: &Path) -> io::Result<Secret> {
    let refused = |problem| io::Error::new(io::ErrorKind::InvalidInput, problem);
    if !fs::metadata(path)?.is_file() {
        return Err(refused("it is not a regular file"));
    }
    let mut text = String::new();
    let file = fs::File::open(path)?;
    file.take(FILE_LIMIT + 1).read_to_string(&mut text)?;
    match text.len() as u64 > FILE_LIMIT {
        true => Err(refused("it is longer than 1 MiB")),
        false => Ok(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn source(source: Value) -> Result<SubjectTokenSource> {
        SubjectTokenSource::from_members(source.as_object().expect("an object"))
    }

    #[test]
    fn the_member_tells_the_kind() {
        use SubjectTokenSource::{Aws, Executable, File, Url};
        assert!(matches!(
            source(json!({"file": "/var/run/token", "format": {"type": "text"}})),
            Ok(File(_, Format::Text))
        ));
        assert!(matches!(
            source(json!({"file": "/var/run/token"})),
            Ok(File(_, Format::Text))
        ));
        let url = source(json!({
            "url": "http://169.254.169.254/metadata/identity/oauth2/token",
            "headers": {"Metadata": "True"},
            "format": {"type": "json", "subject_token_field_name": "access_token"},
        }));
        let Ok(Url(_, headers, Format::Json(name))) = url else {
            panic!("{url:?}");
        };
        assert_eq!(
            (&headers["metadata"], name.as_str()),
            (&"True".parse().expect("a value"), "access_token")
        );
        assert!(matches!(
            source(json!({"executable": {"command": "/bin/token"}})),
            Ok(Executable(_))
        ));
        assert!(matches!(
            source(
                json!({"environment_id": "aws1", "url": "http://169.254.169.254/a", "regional_cred_verification_url": "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity"})
            ),
            Ok(Aws(_))
        ));
    }

    #[test]
    fn what_is_no_source_is_refused() {
        for (value, word) in [
            (json!({}), "has no file, url"),
            (json!({"file": "/a", "url": "https://a.example"}), "several"),
            (
                json!({"url": "https://a.example", "executable": {"command": "/a"}}),
                "several",
            ),
            (
                json!({"environment_id": "aws1", "file": "/a"}),
                "another source",
            ),
            (json!({"certificate": {}}), "X.509"),
            (json!({"file": ""}), "no path"),
            (json!({"file": 7}), "no path"),
            (json!({"url": "http://evil.example/"}), "https"),
            (json!({"url": null}), "https"),
            (json!({"executable": 7}), "no object"),
            (
                json!({"file": "/a", "format": {"type": "json"}}),
                "subject_token_field_name",
            ),
            (
                json!({"file": "/a", "format": {"type": "xml"}}),
                "other than",
            ),
            (json!({"file": "/a", "format": {"type": 7}}), "other than"),
            (json!({"file": "/a", "format": "text"}), "no object"),
            (
                json!({"url": "https://a.example", "headers": {"a b": "c"}}),
                "headers",
            ),
            (
                json!({"url": "https://a.example", "headers": {"a": 7}}),
                "headers",
            ),
            (
                json!({"url": "https://a.example", "headers": []}),
                "headers",
            ),
        ] {
            let error = source(value.clone()).expect_err(word).to_string();
            assert!(error.contains(word), "{value}: {error}");
        }
    }

    #[test]
    fn formats() {
        let read = |format: &Format, text: &str| format.read(&text.into(), "it");
        assert_eq!(
            read(&Format::Text, " eyJ\n").expect("a token"),
            "eyJ".into()
        );
        let json = Format::Json("id_token".to_owned());
        assert_eq!(
            read(&json, r#"{"id_token":"eyJ","a":1}"#).expect("a token"),
            "eyJ".into()
        );
        assert!(read(&Format::Text, " \n").is_err());
        for bad in [
            "",
            "eyJ",
            "{}",
            r#"{"id_token":7}"#,
            r#"{"id_token":""}"#,
            r#"{"id_token":"a","id_token":"b"}"#,
        ] {
            assert!(read(&json, bad).is_err(), "{bad}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_could_keep_the_program_is_not_read() {
        for path in ["/dev/zero", "/dev/tty", "/"] {
            let error = read_file(Path::new(path)).expect_err(path).to_string();
            assert!(
                error.contains(path) && error.contains("cannot be read"),
                "{error}"
            );
        }
    }
}
