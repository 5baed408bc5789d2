//! Several requests that lead to one token, without doing any of them.
//!
//! What is to be done is one function that is called again after each step, from its beginning: a
//! step that was done returns its result from the journal, and the first one that was not is handed
//! to the caller.

use http::{HeaderMap, Method};
use serde_json::Value;
use url::Url;

use super::executable::Executable;
use crate::{
    error::{Call, Error, Result},
    oauth2::{request::EndpointRequest, response::EndpointResponse},
    secret::Secret,
};

/// Steps that were done, with their results.
#[derive(Default)]
pub(crate) struct Journal {
    entries: Vec<DoneStep>,
    next: usize,
}

enum DoneStep {
    Response(Outgoing, EndpointResponse),
    Text(Secret),
}

/// Request of a step.
#[derive(Clone)]
pub(crate) enum Outgoing {
    /// To a token endpoint.
    Endpoint(Box<EndpointRequest>),
    /// To another service.
    Plain(Box<PlainRequest>),
}

/// Request to a service that is no endpoint of OAuth.
#[derive(Clone)]
pub(crate) struct PlainRequest {
    /// The service, for error messages.
    pub(crate) service: &'static str,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Secret>,
    /// Advice if the service cannot be reached.
    pub(crate) advice: Option<&'static str>,
}

/// CredentialStep that is to be done.
pub(crate) enum CredentialStep {
    Send(Outgoing),
    Run(Executable),
}

/// Reason why there is no result yet.
pub(crate) enum Pause {
    /// A step has to be done first.
    Step(CredentialStep),
    Failed(Error),
}

impl From<Error> for Pause {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Result of what may need a step first.
pub(crate) type Paused<T> = Result<T, Pause>;

impl Journal {
    /// The step that `work` needs next, or its result.
    pub(crate) fn replay<T>(&mut self, work: impl FnOnce(&mut Self) -> Paused<T>) -> Paused<T> {
        self.next = 0;
        work(self)
    }

    /// The response to a request, which is made once.
    pub(super) fn send(
        &mut self,
        request: impl FnOnce() -> Result<Outgoing>,
    ) -> Paused<(Outgoing, EndpointResponse)> {
        match self.advance() {
            Some(DoneStep::Response(request, response)) => Ok((request.clone(), response.clone())),
            _ => Err(Pause::Step(CredentialStep::Send(request()?))),
        }
    }

    /// The output of a program, which is run once.
    pub(super) fn run(
        &mut self,
        executable: impl FnOnce() -> Result<Executable>,
    ) -> Paused<Secret> {
        match self.advance() {
            Some(DoneStep::Text(output)) => Ok(output.clone()),
            _ => Err(Pause::Step(CredentialStep::Run(executable()?))),
        }
    }

    /// What is read or made once, such as the content of a file.
    pub(super) fn once(&mut self, read: impl FnOnce() -> Result<Secret>) -> Result<Secret> {
        if let Some(DoneStep::Text(text)) = self.advance() {
            return Ok(text.clone());
        }
        let text = read()?;
        self.entries.push(DoneStep::Text(text.clone()));
        Ok(text)
    }

    fn advance(&mut self) -> Option<&DoneStep> {
        let entry = self.entries.get(self.next);
        self.next += 1;
        entry
    }

    /// Notes the response to the request of the step.
    pub(crate) fn answered(&mut self, request: Outgoing, response: EndpointResponse) {
        self.entries.push(DoneStep::Response(request, response));
    }

    /// Notes the output of the program of the step.
    pub(crate) fn ran(&mut self, output: Secret) {
        self.entries.push(DoneStep::Text(output));
    }
}

impl PlainRequest {
    pub(super) fn get(service: &'static str, url: Url) -> Self {
        Self {
            service,
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: None,
            advice: None,
        }
    }

    /// The service and what it is asked, for error messages.
    pub(crate) fn call(&self) -> Call {
        let service = self.service.trim_start_matches("the ");
        Call::new(service, &self.url, "the request")
    }

    /// The text of the body of a successful response.
    pub(super) fn read_text(&self, response: &EndpointResponse) -> Result<Secret> {
        let status = response.status();
        if status != http::StatusCode::OK {
            return Err(self.refusal(response));
        }
        let text = std::str::from_utf8(response.body()).map(str::trim);
        match text {
            Ok("") => Err(Error::answer(
                format!("{} returned no text", self.service),
                status,
            )),
            Ok(text) => Ok(text.into()),
            Err(_) => {
                let problem = format!("{} returned what is not UTF-8", self.service);
                Err(Error::answer(problem, status))
            }
        }
    }

    /// The error about a response that is not a success, with Google's own code and message.
    ///
    /// [AIP-193](https://google.aip.dev/193)
    pub(super) fn refusal(&self, response: &EndpointResponse) -> Error {
        let (status, answer) = (response.status(), response.answer());
        let members = answer.json().unwrap_or_default();
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let (code, message) = match members.get("error") {
            Some(Value::Object(error)) => (text(error.get("status")), text(error.get("message"))),
            error => (text(error), text(members.get("error_description"))),
        };
        match code {
            Some(code) if status.is_client_error() || status.is_server_error() => {
                let error = answer.error().with_error(&code, message.as_deref(), None);
                Error::refused(error)
            }
            _ => answer.failure(self.service),
        }
        .of_call(&self.call())
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn outgoing(url: &str) -> Result<Outgoing> {
        let url = Url::parse(url).expect("a URL");
        Ok(Outgoing::Plain(Box::new(PlainRequest::get(
            "a server", url,
        ))))
    }

    fn work(journal: &mut Journal, made: &mut Vec<&'static str>) -> Paused<String> {
        let text = journal.once(|| {
            made.push("file");
            Ok("a".into())
        })?;
        let (_, first) = journal.send(|| {
            made.push("first");
            outgoing("https://a.example/")
        })?;
        let (_, second) = journal.send(|| {
            made.push("second");
            outgoing("https://b.example/")
        })?;
        let read = |response: &EndpointResponse| String::from_utf8(response.body().to_vec());
        let bodies = (read(&first).expect("text"), read(&second).expect("text"));
        Ok(format!("{}{}{}", text.expose_secret(), bodies.0, bodies.1))
    }

    #[test]
    fn each_step_is_done_once_and_in_order() {
        let (mut journal, mut made) = (Journal::default(), Vec::new());
        let result = loop {
            match journal.replay(|journal| work(journal, &mut made)) {
                Ok(result) => break result,
                Err(Pause::Step(CredentialStep::Send(request))) => {
                    let Outgoing::Plain(plain) = &request else {
                        unreachable!("all are plain");
                    };
                    let body = plain.url.host_str().expect("a host").to_owned();
                    let response = EndpointResponse::new(StatusCode::OK, HeaderMap::new(), body);
                    journal.answered(request, response);
                }
                Err(_) => unreachable!("nothing fails or is run"),
            }
        };
        assert_eq!(result, "aa.exampleb.example");
        assert_eq!(made, ["file", "first", "second"]);
    }

    #[test]
    fn a_failure_ends_the_work() {
        let failed = Journal::default().replay(|journal| -> Paused<()> {
            journal.send(|| Err(Error::usage("no")))?;
            unreachable!("it has failed")
        });
        assert!(matches!(failed, Err(Pause::Failed(error)) if error.to_string() == "no"));
    }
}
