//! Programs that print a subject token.
//!
//! [AIP-4117](https://google.aip.dev/auth/4117#determining-the-subject-token-in-executable-sourced-credentials)

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::{Map, Value};

use super::{
    journal::{Journal, Paused},
    subject_token::read_regular_file,
};
use crate::{
    error::{Error, Result},
    json::Members,
    oauth2::client_auth::federated::command::output,
    secret::Secret,
};

/// Limit of the output, in bytes.
const OUTPUT_LIMIT: u64 = 1024 * 1024;

/// "Must be set to 1."
const PERMISSION: &str = "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES";

/// Longest text of an error that is quoted, in characters.
const QUOTED: usize = 200;

/// Program of a credential file.
#[derive(Clone, Debug)]
pub(super) struct ExecutableSource {
    /// The program and its arguments.
    command: Vec<String>,
    timeout: Duration,
    output_file: Option<PathBuf>,
}

/// Program that is to be run.
pub(crate) struct Executable {
    command: Vec<String>,
    environment: Vec<(&'static str, String)>,
    timeout: Duration,
}

/// Account that the program gets a token for.
pub(super) struct Account<'a> {
    pub(super) audience: &'a str,
    pub(super) subject_token_type: &'a str,
    pub(super) impersonated_email: Option<&'a str>,
}

impl ExecutableSource {
    /// Reads `credential_source.executable`.
    pub(super) fn from_members(executable: &Map<String, Value>) -> Result<Self> {
        let refused = |problem: &str| {
            Error::usage(format!(
                "credential_source.executable of the credential file {problem}"
            ))
        };
        let text = |name| executable.get(name).and_then(Value::as_str);
        let command = text("command").map(words).unwrap_or_default();
        let Some(program) = command.first() else {
            return Err(refused("lacks command"));
        };
        if !Path::new(program).is_absolute() {
            return Err(refused("has a command that is not an absolute path"));
        }
        let timeout = match executable.get("timeout_millis") {
            None | Some(Value::Null) => Duration::from_secs(30),
            Some(value) => {
                let millis = value.as_u64().or_else(|| value.as_str()?.parse().ok());
                let millis = millis.filter(|millis| (5_000..=120_000).contains(millis));
                Duration::from_millis(millis.ok_or_else(|| {
                    refused("has a timeout_millis that is not between 5000 and 120000")
                })?)
            }
        };
        Ok(Self {
            command,
            timeout,
            output_file: text("output_file")
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
        })
    }

    /// The subject token: from the output file while it is valid, else of the program.
    pub(super) fn subject_token(
        &self,
        account: &Account<'_>,
        now: Duration,
        variable: &dyn Fn(&str) -> Option<String>,
        journal: &mut Journal,
    ) -> Paused<Secret> {
        if variable(PERMISSION).as_deref() != Some("1") {
            return Err(Error::usage(format!(
                "the credential file names a program to be run; set {PERMISSION} to 1 if you trust \
                 that file"
            ))
            .into());
        }
        let cached = journal.once(|| match &self.output_file {
            Some(file) => read_if_present(file),
            None => Ok(Secret::default()),
        })?;
        if !cached.is_empty()
            && let Ok(token) = self.read(&cached, now)
        {
            return Ok(token);
        }
        let output = journal.run(|| Ok(self.executable(account)))?;
        Ok(self.read(&output, now)?)
    }

    fn executable(&self, account: &Account<'_>) -> Executable {
        let mut environment = vec![
            (
                "GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE",
                account.audience.to_owned(),
            ),
            (
                "GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE",
                account.subject_token_type.to_owned(),
            ),
            ("GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE", "0".to_owned()),
        ];
        if let Some(email) = account.impersonated_email {
            environment.push((
                "GOOGLE_EXTERNAL_ACCOUNT_IMPERSONATED_EMAIL",
                email.to_owned(),
            ));
        }
        if let Some(file) = &self.output_file {
            let file = file.to_string_lossy().into_owned();
            environment.push(("GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE", file));
        }
        Executable {
            command: self.command.clone(),
            environment,
            timeout: self.timeout,
        }
    }

    /// The token in what a program printed.
    fn read(&self, output: &Secret, now: Duration) -> Result<Secret> {
        let refused = |problem: &str| {
            Error::untrusted(format!(
                "the output of the program of the credential file {problem}"
            ))
        };
        let members = Members::from_slice(output.expose_secret().as_bytes())
            .map_err(|_| refused("is not a JSON object"))?;
        let text = |name| members.get(name).and_then(Value::as_str);
        if members.get("version").and_then(Value::as_u64) != Some(1) {
            return Err(refused("has no version 1"));
        }
        match members.get("success").and_then(Value::as_bool) {
            Some(true) => {}
            Some(false) => {
                let code = one_line(text("code").unwrap_or("no code"));
                let message = one_line(text("message").unwrap_or("no message"));
                return Err(Error::untrusted_because(
                    "the program of the credential file failed",
                    format!("{code}: {message}").into(),
                ));
            }
            None => return Err(refused("lacks success")),
        }
        match members.get("expiration_time").map(Value::as_u64) {
            Some(Some(at)) if Duration::from_secs(at) <= now => {
                return Err(refused("has an expiration_time that has passed"));
            }
            Some(Some(_)) => {}
            Some(None) => return Err(refused("has an expiration_time that is no number")),
            None if self.output_file.is_some() => {
                return Err(refused(
                    "lacks expiration_time, which it needs as there is an output_file",
                ));
            }
            None => {}
        }
        let member = match text("token_type") {
            Some(
                "urn:ietf:params:oauth:token-type:jwt"
                | "urn:ietf:params:oauth:token-type:id_token",
            ) => "id_token",
            Some("urn:ietf:params:oauth:token-type:saml2") => "saml_response",
            _ => return Err(refused("has an unknown token_type")),
        };
        let token = text(member).filter(|token| !token.is_empty());
        token
            .map(Secret::from)
            .ok_or_else(|| refused(&format!("lacks {member}")))
    }
}

impl Executable {
    /// The output of the program, which is waited for.
    pub(crate) fn run(&self) -> Result<Secret> {
        const NAME: &str = "the program of the credential file";
        let failed = |problem: &str| Error::usage(format!("{NAME} {problem}"));
        let program = self.command.first().map_or("", String::as_str);
        let mut command = Command::new(program);
        command.args(self.command.iter().skip(1));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let (status, output) = output(command, NAME, self.timeout, OUTPUT_LIMIT)
            .map_err(|error| Error::usage(error.to_string()))?;
        if output.len() as u64 > OUTPUT_LIMIT {
            return Err(failed("printed more than 1 MiB"));
        }
        // A program that fails may say why; what else it prints then is no token.
        let says_why = || {
            let members = Members::from_slice(&output);
            members.is_ok_and(|members| members.get("success") == Some(&Value::Bool(false)))
        };
        if !status.success() && !says_why() {
            return Err(failed(&format!("failed ({status})")));
        }
        let text = String::from_utf8(output).map(Secret::from);
        text.map_err(|_| failed("printed what is not UTF-8"))
    }
}

fn read_if_present(file: &Path) -> Result<Secret> {
    match read_regular_file(file) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Secret::default()),
        Err(error) => Err(Error::usage(format!(
            "credential_source.executable.output_file of the credential file cannot be read: {error}"
        ))),
    }
}

/// The text in one line, of limited length.
fn one_line(text: &str) -> String {
    let words = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    words.take(QUOTED).collect()
}

/// The words of a command line, which may be quoted. No shell reads it.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in command.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests;
