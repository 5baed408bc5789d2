//! Calls of endpoints, as error messages name them.

use url::Url;

use super::ErrorResponse;

/// Call of an endpoint of the server: what was called where, and what was asked.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// "token endpoint"
    endpoint: String,
    /// The host, with the port if it is not that of the scheme.
    host: String,
    path: String,
    /// "the refresh token"
    asked: &'static str,
}

impl Call {
    /// Names a call of the endpoint with this name in the metadata, such as `token_endpoint`.
    ///
    /// The query is left out, as some servers require a key there.
    pub(crate) fn new(endpoint: &str, url: &Url, asked: &'static str) -> Self {
        Self {
            endpoint: endpoint.replace('_', " "),
            host: host(url),
            path: url.path().trim_end_matches('/').to_owned(),
            asked,
        }
    }

    /// The endpoint with its host, for failures of the connection.
    fn at_host(&self) -> String {
        format!("the {} at {}", self.endpoint, self.host)
    }

    /// The endpoint with its URL, for failures of the server.
    fn at_path(&self) -> String {
        format!("the {} {}{}", self.endpoint, self.host, self.path)
    }

    /// The message about an unusable response, from the message that does not name the endpoint.
    pub(super) fn answered(&self, message: &str) -> String {
        answered(&self.at_path(), message)
    }

    /// The same without the path, which may name a tenant, for logs.
    pub(super) fn answered_at_host(&self, message: &str) -> String {
        answered(&self.at_host(), message)
    }
}

fn answered(endpoint: &str, message: &str) -> String {
    match (
        message.strip_prefix("the response "),
        message.strip_prefix("the endpoint "),
    ) {
        (Some(rest), _) => format!("the response of {endpoint} {rest}"),
        (_, Some(rest)) => format!("{endpoint} {rest}"),
        _ => format!("{endpoint}: {message}"),
    }
}

/// The message about a refusal.
pub(super) fn refusal(response: &ErrorResponse, call: Option<&Call>) -> String {
    let failed = response.status().is_some_and(|it| it.is_server_error());
    let verb = if failed {
        "could not process"
    } else {
        "refused"
    };
    match (call, response.status()) {
        (Some(call), _) => format!("{} {verb} {}: {response}", call.at_path(), call.asked),
        (None, Some(_)) => format!("the server {verb} the request: {response}"),
        (None, None) => format!("the server refused the login: {response}"),
    }
}

/// The host of a URL, with the port if it is not that of the scheme.
pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or("an unknown host");
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Way in which a request failed without a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "only the clients send")]
pub(super) enum TransportFailure {
    Connect,
    Certificate,
    Tls,
    Timeout,
    NotHttp,
    Broken,
    Unreadable,
    Redirect,
    Status,
    Builder,
}

impl TransportFailure {
    /// The message about it, at `place`: a server or an endpoint, with its host.
    pub(super) fn message(self, place: &str) -> String {
        match self {
            Self::Connect => format!("could not connect to {place}"),
            Self::Certificate => format!(
                "the TLS certificate of {place} is not trusted; add a private root certificate \
                 by configure_http"
            ),
            Self::Tls => format!("the TLS handshake with {place} failed; is it an https server?"),
            Self::Timeout => format!("the request to {place} timed out"),
            Self::NotHttp => format!("the response of {place} is not HTTP; is the URL right?"),
            Self::Broken => format!("the connection to {place} was lost"),
            Self::Unreadable => format!("the response of {place} could not be decoded"),
            Self::Redirect => format!("a redirect of {place} could not be followed"),
            Self::Status => format!("{place} responded with an error status"),
            Self::Builder => "the request could not be built".to_owned(),
        }
    }

    /// The message about it in a call of an endpoint.
    pub(super) fn message_of(self, call: &Call) -> String {
        self.message(&call.at_host())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(url: &str) -> Call {
        let url = Url::parse(url).expect("a URL");
        Call::new("token_endpoint", &url, "the refresh token")
    }

    #[test]
    fn an_endpoint_is_named_without_user_and_query() {
        for (url, host, path) in [
            (
                "https://id.example.com:443/token?key=hunter2",
                "id.example.com",
                "id.example.com/token",
            ),
            ("http://127.0.0.1:9407/", "127.0.0.1:9407", "127.0.0.1:9407"),
            ("https://a:hunter2@[::1]:8/x/y#z", "[::1]:8", "[::1]:8/x/y"),
        ] {
            let call = call(url);
            assert_eq!(call.at_host(), format!("the token endpoint at {host}"));
            assert_eq!(call.at_path(), format!("the token endpoint {path}"));
        }
    }

    #[test]
    fn messages_about_responses() {
        let call = call("https://id.example/token");
        for (message, named) in [
            (
                "the response is not JSON",
                "the response of the token endpoint id.example/token is not JSON",
            ),
            (
                "the endpoint redirects",
                "the token endpoint id.example/token redirects",
            ),
            ("too long", "the token endpoint id.example/token: too long"),
        ] {
            assert_eq!(call.answered(message), named);
        }
        assert_eq!(
            TransportFailure::Connect.message_of(&call),
            "could not connect to the token endpoint at id.example"
        );
    }
}
