//! The loopback receiver, to which the browser returns.
//!
//! [RFC 8252 section 7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3)

use std::{
    borrow::Cow,
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use zeroize::Zeroizing;

use crate::{
    error::Result,
    login::{
        answer::{PAGE, PageAnswer},
        browser_request::{BrowserRequest, LIMIT, ParsedRequest, read},
        listeners::bind,
        loopback_uri::LoopbackUri,
    },
    secret::Secret,
};

/// Maximum number of connections at once. A browser opens a few, some of which it never uses.
const CONNECTIONS: usize = 64;

/// The time that a browser has for its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The time in which what follows an answered request is read, so that the answer arrives.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Maximum number of bytes that are read from one connection before the others are served.
const READ_LIMIT: usize = 2 * LIMIT;

/// Sockets of the redirection URI, and the connections of the browser. Nothing waits: each
/// [`step`](Self::step) does what can be done. Dropped, it leaves no port.
pub(crate) struct Receiver {
    listeners: Vec<TcpListener>,
    state: ReceiverState,
    connections: Vec<BrowserConnection>,
}

/// State of the receiver: its settings, and the answer once it has arrived.
struct ReceiverState {
    uri: LoopbackUri,
    port: u16,
    takes_posts: bool,
    page: Cow<'static, str>,
    is_answered: bool,
    was_shown: bool,
}

/// A connection.
struct BrowserConnection {
    stream: TcpStream,
    since: Instant,
    phase: Phase,
}

enum Phase {
    Reading(Zeroizing<Vec<u8>>),
    Writing(Vec<u8>, usize),
    Draining(Instant),
    Ended,
}

impl Receiver {
    /// Listens for `uri`.
    pub(crate) fn bind(uri: LoopbackUri) -> Result<Self> {
        let (listeners, port) = bind(&uri)?;
        Ok(Self {
            listeners,
            state: ReceiverState {
                uri,
                port,
                takes_posts: false,
                page: Cow::Borrowed(PAGE),
                is_answered: false,
                was_shown: false,
            },
            connections: Vec::new(),
        })
    }

    /// The redirection URI of an authorization request.
    pub(crate) fn redirect_uri(&self) -> String {
        self.state.uri.with_port(self.state.port)
    }

    /// Takes the answer from a form, too, as with `response_mode=form_post`.
    pub(crate) fn take_posts(&mut self) {
        self.state.takes_posts = true;
    }

    /// Replaces the page of the end.
    pub(crate) fn set_page(&mut self, page: String) {
        self.state.page = Cow::Owned(page);
    }

    /// Whether the answer has come.
    pub(crate) fn is_answered(&self) -> bool {
        self.state.is_answered
    }

    /// Whether the browser has got the page, and nothing is left to be written.
    pub(crate) fn is_finished(&self) -> bool {
        let is_writing =
            |connection: &BrowserConnection| matches!(connection.phase, Phase::Writing(..));
        self.state.was_shown && !self.connections.iter().any(is_writing)
    }

    /// Serves what is there, and returns the answer to the authorization request when it comes:
    /// the first that `is_answer` accepts.
    pub(crate) fn step(&mut self, is_answer: impl Fn(&str) -> bool) -> Option<Secret> {
        self.accept();
        let mut answer = None;
        for connection in &mut self.connections {
            let taken = connection.step(&mut self.state, &is_answer);
            answer = answer.or(taken);
        }
        let has_ended = |connection: &BrowserConnection| matches!(connection.phase, Phase::Ended);
        self.connections.retain(|connection| !has_ended(connection));
        answer
    }

    fn accept(&mut self) {
        for listener in &self.listeners {
            // Whatever else fails, such as a connection that was reset meanwhile, ends no login.
            while let Ok((stream, _)) = listener.accept() {
                if stream.set_nonblocking(true).is_err() {
                    continue;
                }
                if self.connections.len() >= CONNECTIONS {
                    // The oldest of those that have not sent anything, or else the oldest.
                    let is_idle = |connection: &BrowserConnection| matches!(&connection.phase, Phase::Reading(bytes) if bytes.is_empty());
                    let oldest = self.connections.iter().position(is_idle).unwrap_or(0);
                    self.connections.remove(oldest);
                }
                self.connections.push(BrowserConnection {
                    stream,
                    since: Instant::now(),
                    phase: Phase::Reading(Zeroizing::default()),
                });
            }
        }
    }
}

impl BrowserConnection {
    /// Does what can be done without waiting.
    fn step(
        &mut self,
        state: &mut ReceiverState,
        is_answer: &impl Fn(&str) -> bool,
    ) -> Option<Secret> {
        let mut answer = None;
        if let Phase::Reading(bytes) = &mut self.phase {
            match read_available(&mut self.stream, bytes) {
                Some(more) if more || !bytes.is_empty() => {
                    let arrived = read(bytes);
                    if let Some((reply, taken)) = state.reply(arrived, is_answer) {
                        answer = taken;
                        let is_post = state.takes_posts;
                        let reply = reply.bytes(&state.uri.path, &state.page, is_post);
                        self.phase = Phase::Writing(reply, 0);
                    } else if !more {
                        // It has sent all that it will, and that is no request.
                        self.phase = Phase::Ended;
                    }
                }
                Some(true) if self.since.elapsed() < REQUEST_TIMEOUT => {}
                _ => self.phase = Phase::Ended,
            }
            if matches!(self.phase, Phase::Reading(_)) && self.since.elapsed() >= REQUEST_TIMEOUT {
                self.phase = Phase::Ended;
            }
        }
        if let Phase::Writing(bytes, written) = &mut self.phase {
            match write_available(&mut self.stream, bytes, written) {
                Some(true) => {
                    let _ = self.stream.shutdown(Shutdown::Write);
                    self.phase = Phase::Draining(Instant::now());
                }
                Some(false) if self.since.elapsed() < 2 * REQUEST_TIMEOUT => {}
                _ => self.phase = Phase::Ended,
            }
        }
        if let Phase::Draining(since) = self.phase
            && (since.elapsed() >= DRAIN_TIMEOUT || !may_have_more(&mut self.stream))
        {
            self.phase = Phase::Ended;
        }
        answer
    }
}

impl ReceiverState {
    /// The reply to what has arrived, if that is all, and the answer in it.
    fn reply(
        &mut self,
        arrived: ParsedRequest<'_>,
        is_answer: &impl Fn(&str) -> bool,
    ) -> Option<(PageAnswer, Option<Secret>)> {
        let request = match arrived {
            ParsedRequest::Incomplete => return None,
            ParsedRequest::Invalid => return Some((PageAnswer::InvalidRequest, None)),
            ParsedRequest::TooLarge => return Some((PageAnswer::TooLarge, None)),
            ParsedRequest::Complete(request) => request,
        };
        Some(match self.answer_in(&request) {
            Err(reply) => (reply, None),
            // As a query, whatever it begins with.
            Ok(text) => match Secret::new(format!("?{text}")) {
                callback if !is_answer(callback.expose_secret()) => (PageAnswer::NoLogin, None),
                // A page that is loaded again answers nothing twice.
                callback => {
                    let is_first = !std::mem::replace(&mut self.is_answered, true);
                    (PageAnswer::Redirect, is_first.then_some(callback))
                }
            },
        })
    }

    /// The parameters that may be the answer, or the reply to a request without any.
    fn answer_in<'a>(&mut self, request: &BrowserRequest<'a>) -> Result<&'a str, PageAnswer> {
        // A name that an attacker has resolved to this machine is another site.
        if !request
            .host
            .is_some_and(|host| self.uri.is_host(host, self.port))
        {
            return Err(PageAnswer::WrongHost);
        }
        if request.method == "OPTIONS" {
            return Err(PageAnswer::Nothing);
        }
        if request.path != self.uri.path {
            return Err(PageAnswer::NotFound);
        }
        let given = match (request.method, request.form) {
            ("GET", _) => request.query,
            ("POST", Some(form)) if self.takes_posts => Some(form),
            ("HEAD", _) => return Err(PageAnswer::Nothing),
            _ => return Err(PageAnswer::NotAllowed),
        };
        match given.filter(|given| !given.is_empty()) {
            Some(given) => Ok(given),
            None if self.is_answered => {
                self.was_shown = true;
                Err(PageAnswer::Page)
            }
            None => Err(PageAnswer::NoLogin),
        }
    }
}

/// Adds what has arrived. Returns whether more may come, or none if the connection is broken.
fn read_available(stream: &mut TcpStream, bytes: &mut Zeroizing<Vec<u8>>) -> Option<bool> {
    // Room for all of it, as what grows leaves copies behind.
    if bytes.capacity() == 0 {
        bytes.reserve_exact(READ_LIMIT);
    }
    let mut buffer = Zeroizing::new([0; 2048]);
    loop {
        match stream.read(&mut *buffer) {
            Ok(0) => return Some(false),
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Some(true),
            Err(_) => return None,
        }
        if bytes.len() > LIMIT {
            return Some(true);
        }
    }
}

/// Writes what can be written. Returns whether that was all, or none if the connection is broken.
fn write_available(stream: &mut TcpStream, bytes: &[u8], written: &mut usize) -> Option<bool> {
    while *written < bytes.len() {
        match stream.write(&bytes[*written..]) {
            Ok(0) => return None,
            Ok(count) => *written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Some(false),
            Err(_) => return None,
        }
    }
    Some(true)
}

/// Reads and discards. Returns whether more may come.
fn may_have_more(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 2048];
    for _ in 0..READ_LIMIT / buffer.len() {
        match stream.read(&mut buffer) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
    true
}

#[cfg(test)]
mod tests;
