//! Interactive logins: the loopback receiver by itself, and logins in one call.

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::TcpStream,
    sync::Mutex,
};

use oauth_twin::{
    ErrorCode, ErrorKind, InteractiveLogin, LoginPrompt,
    oauth2::{AuthorizationRequest, AuthorizationUrl},
    url::Url,
};

use super::{support::server, *};
use crate::mode::Loopback;

mod dead_page;
mod ensured;
pub mod leases;
mod loopback;
mod opened;
mod registered_anew;
mod resource;

/// A client of `server` that users log in with from a command line.
pub fn command_line(server: &Server) -> OAuth2ClientBuilder {
    OAuth2Client::builder("id")
        .authorization_endpoint(server.url("/authorize"))
        .token_endpoint(server.url("/token"))
}

/// The parameters of an authorization request.
fn asked(url: &Url) -> HashMap<String, String> {
    url.query_pairs().into_owned().collect()
}

/// The URL that the server redirects the browser to.
fn callback(url: &Url, code: &str) -> Url {
    let asked = asked(url);
    let mut callback = Url::parse(&asked["redirect_uri"]).unwrap();
    let mut query = callback.query_pairs_mut();
    query
        .append_pair("code", code)
        .append_pair("state", &asked["state"]);
    drop(query);
    callback
}

/// The reply to a browser that loads a page and says so much before the headers end.
fn loaded(page: &Url, start: &str, rest: &str) -> String {
    let (host, port) = (page.host_str().unwrap(), page.port().unwrap());
    let mut stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).unwrap();
    let request = format!("{start}\r\nHost: {host}:{port}\r\n{rest}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

/// The status of a page that a browser loads, following the redirect.
fn visited(page: &Url) -> String {
    let target = &page[oauth_twin::url::Position::BeforePath..];
    let reply = loaded(page, &format!("GET {target} HTTP/1.1"), "\r\n");
    let location = reply
        .lines()
        .find_map(|line| line.strip_prefix("Location: "));
    match location {
        Some(location) => visited(&page.join(location).unwrap()),
        None => reply.split(' ').nth(1).unwrap().to_owned(),
    }
}

/// Whether somebody listens there.
fn is_open(uri: &str) -> bool {
    let uri = Url::parse(uri).unwrap();
    TcpStream::connect((uri.host_str().unwrap(), uri.port().unwrap())).is_ok()
}

/// Whether nobody listens there any more.
fn has_closed(uri: &str) -> bool {
    let uri = Url::parse(uri).unwrap();
    server::has_closed((uri.host_str().unwrap(), uri.port().unwrap()))
}

/// The prompts that the user was shown.
#[derive(Clone, Default)]
pub struct Shown(Arc<Mutex<Vec<LoginPrompt>>>);

impl Shown {
    /// A login whose browser does what `browse` does.
    pub fn login(&self, browse: impl Fn(&Url) + Send + Sync + 'static) -> InteractiveLogin {
        let open = move |url: &Url| {
            browse(url);
            Ok::<(), BoxError>(())
        };
        self.prompted().open_with(open)
    }

    /// A login that is shown here, and opens no browser.
    pub fn prompted(&self) -> InteractiveLogin {
        let shown = self.0.clone();
        InteractiveLogin::new()
            .timeout(seconds(60))
            .on_prompt(move |prompt| shown.lock().unwrap().push(prompt.clone()))
    }

    fn prompts(&self) -> Vec<LoginPrompt> {
        self.0.lock().unwrap().clone()
    }

    /// The kinds of what was shown, without the waits.
    pub fn kinds(&self) -> Vec<&'static str> {
        let kind = |prompt: &LoginPrompt| match prompt {
            LoginPrompt::Browser { opens: true, .. } => Some("opens"),
            LoginPrompt::Browser { .. } => Some("open it"),
            LoginPrompt::Device { .. } => Some("device"),
            LoginPrompt::Done => Some("done"),
            LoginPrompt::Waiting { .. } | LoginPrompt::WaitingForOther { .. } => None,
            _ => Some("other"),
        };
        self.prompts().iter().filter_map(kind).collect()
    }

    /// The address that was shown.
    pub fn url(&self) -> Option<Url> {
        self.prompts().iter().find_map(|prompt| match prompt {
            LoginPrompt::Browser { url, .. } => Some(url.clone()),
            _ => None,
        })
    }
}
