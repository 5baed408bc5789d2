//! Callers that are threads.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::Ordering,
    thread::sleep,
    time::{Duration, Instant},
};

use oauth_twin::{Error, OAuth2Client, Result};

use super::{Action, Call};
use crate::{
    Soak,
    counters::Reply,
    services::{BlockingService, CheckedOut, User},
};

/// The wait before something is tried again.
const RETRY: Duration = Duration::from_millis(20);

/// Makes calls on behalf of one of the users until the end.
pub fn run_caller(soak: &Soak, service: &BlockingService, number: usize) {
    let mut rng = soak.random.rng("thread", number);
    let user = &service.users[number % service.users.len()];
    sleep(rng.millis(0, 1000));
    while !soak.is_stopping() {
        let mut call = Call::new(&mut rng);
        // The client of all is closed by `run_restarts`.
        if let (Action::Close, true) = (call.action, service.has_store) {
            call.action = Action::EnsureActiveToken;
        }
        let Some(client) = service.check_out(user) else {
            sleep(RETRY);
            continue;
        };
        // The drop of a client is a part of it.
        catch_panic(call.action, user, soak, || {
            make_call(&call, soak, service, user, client);
        });
        sleep(call.pause);
    }
}

fn make_call(
    call: &Call,
    soak: &Soak,
    service: &BlockingService,
    user: &User,
    client: CheckedOut<OAuth2Client>,
) {
    if call.log_in {
        service.log_in(user, &client, soak);
    }
    let began = Instant::now();
    soak.counters.calls.fetch_add(1, Ordering::SeqCst);
    let outcome = perform(call.action, soak.url("/api"), &client);
    if soak.judge(call.action, user, began, outcome) {
        service.log_in_if_revoked(user, &client, soak);
    }
}

fn catch_panic<T>(action: Action, user: &User, soak: &Soak, work: impl FnOnce() -> T) -> Option<T> {
    let outcome = catch_unwind(AssertUnwindSafe(work));
    if outcome.is_err() {
        soak.counters.panicked(action, user);
    }
    outcome.ok()
}

fn perform(action: Action, url: String, client: &OAuth2Client) -> Result<Reply> {
    match action {
        Action::EnsureActiveToken => client.ensure_active_token().map(Reply::Token),
        Action::RefreshToken => client.refresh_token().map(Reply::Token),
        Action::Request(timeout) => {
            let response = client.get(url).timeout(timeout).send()?;
            let status = response.status().as_u16();
            response.bytes().map_err(Error::from)?;
            Ok(Reply::Status(status))
        }
        Action::Close => client.close().map(|()| Reply::Closed),
    }
}

/// Closes the client of a service now and then, and goes on with a new one.
pub fn run_restarts(soak: &Soak, service: &BlockingService, number: usize) {
    let mut rng = soak.random.rng("restart", number);
    loop {
        sleep(rng.millis(1000, 5000));
        while !soak.is_stopping() && !service.drain() {
            sleep(RETRY);
        }
        while !soak.is_stopping() && !close(soak, service) {
            sleep(RETRY);
        }
        if soak.is_stopping() {
            return;
        }
        service.rebuild();
        soak.counters.restarts.fetch_add(1, Ordering::SeqCst);
    }
}

/// Whether the client of a service could be closed.
pub fn close(soak: &Soak, service: &BlockingService) -> bool {
    let user = &service.users[0];
    let closed = catch_panic(Action::Close, user, soak, || {
        let began = Instant::now();
        soak.counters.calls.fetch_add(1, Ordering::SeqCst);
        let outcome = perform(Action::Close, String::new(), &service.client());
        let is_closed = outcome.is_ok();
        soak.judge(Action::Close, user, began, outcome);
        is_closed
    });
    closed.unwrap_or(false)
}

/// Threads that are waited for no longer than a time.
#[derive(Default)]
pub struct Threads(Vec<std::thread::JoinHandle<()>>);

impl Threads {
    pub fn spawn(&mut self, work: impl FnOnce() + Send + 'static) {
        let spawned = std::thread::Builder::new()
            .stack_size(512 * 1024)
            .spawn(work);
        self.0.push(spawned.expect("a thread"));
    }

    /// Waits until all have ended; how many have not.
    pub fn join_for(self, limit: Duration) -> usize {
        let began = Instant::now();
        let mut running = self.0;
        loop {
            let ended = running.extract_if(.., |thread| thread.is_finished());
            ended.for_each(|thread| thread.join().expect("a thread of this program"));
            if running.is_empty() || began.elapsed() >= limit {
                return running.len();
            }
            sleep(Duration::from_millis(20));
        }
    }
}
