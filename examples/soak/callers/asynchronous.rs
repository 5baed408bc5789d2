//! Callers that are tasks.

use std::{
    ops::Deref,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use oauth_twin::{AsyncOAuth2Client, Error, Result};
use tokio::{
    runtime::{Builder, Handle},
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{Action, Call};
use crate::{
    Soak,
    counters::{Reply, SLACK},
    services::{AsyncService, CheckedOut, User},
};

/// The wait before something is tried again.
const RETRY: Duration = Duration::from_millis(20);

/// Makes calls on behalf of one of the users until the end.
pub async fn run_caller(soak: Arc<Soak>, service: Arc<AsyncService>, number: usize) {
    let mut rng = soak.random.rng("task", number);
    let user = &service.users[number % service.users.len()];
    sleep(rng.millis(0, 1000)).await;
    while !soak.is_stopping() {
        let mut call = Call::new(&mut rng);
        // The client of all is closed by `run_restarts`.
        if let (Action::Close, true) = (call.action, service.has_store) {
            call.action = Action::EnsureActiveToken;
        }
        let Some(client) = service.check_out(user) else {
            sleep(RETRY).await;
            continue;
        };
        if call.log_in {
            service.log_in(user, &client, &soak);
        }
        make_call(&call, &soak, &service, user, &client).await;
        sleep(call.pause).await;
    }
}

async fn make_call(
    call: &Call,
    soak: &Soak,
    service: &AsyncService,
    user: &User,
    client: &CheckedOut<AsyncOAuth2Client>,
) {
    let began = Instant::now();
    soak.counters.calls.fetch_add(1, Ordering::SeqCst);
    let task = tokio::spawn(perform(call.action, soak.url("/api"), client.clone()));
    if let Some(after) = call.abort_after {
        sleep(after).await;
        task.abort();
        soak.counters.aborted.fetch_add(1, Ordering::SeqCst);
        return;
    }
    if let Some(outcome) = outcome_of(task, call.action, user, soak).await
        && soak.judge(call.action, user, began, outcome)
    {
        service.log_in_if_revoked(user, client, soak);
    }
}

/// The outcome of a call, or `None` if it hung or panicked.
async fn outcome_of<T>(
    mut task: JoinHandle<Result<T>>,
    action: Action,
    user: &User,
    soak: &Soak,
) -> Option<Result<T>> {
    match timeout(action.limit() + SLACK, &mut task).await {
        Ok(Ok(outcome)) => Some(outcome),
        Ok(Err(_panic)) => {
            soak.counters.panicked(action, user);
            None
        }
        Err(_elapsed) => {
            task.abort();
            soak.counters.hung(action, user);
            None
        }
    }
}

async fn perform(
    action: Action,
    url: String,
    client: impl Deref<Target = AsyncOAuth2Client>,
) -> Result<Reply> {
    match action {
        Action::EnsureActiveToken => client.ensure_active_token().await.map(Reply::Token),
        Action::RefreshToken => client.refresh_token().await.map(Reply::Token),
        Action::Request(timeout) => {
            let response = client.get(url).timeout(timeout).send().await?;
            let status = response.status().as_u16();
            response.bytes().await.map_err(Error::from)?;
            Ok(Reply::Status(status))
        }
        Action::Close => client.close().await.map(|()| Reply::Closed),
    }
}

/// Closes the client of a service now and then, and goes on with a new one.
pub async fn run_restarts(soak: Arc<Soak>, service: Arc<AsyncService>, number: usize) {
    let mut rng = soak.random.rng("restart", number);
    loop {
        sleep(rng.millis(1000, 5000)).await;
        while !soak.is_stopping() && !service.drain() {
            sleep(RETRY).await;
        }
        while !soak.is_stopping() && !close(&soak, &service).await {
            sleep(RETRY).await;
        }
        if soak.is_stopping() {
            return;
        }
        service.rebuild();
        soak.counters.restarts.fetch_add(1, Ordering::SeqCst);
    }
}

/// Whether the client of a service could be closed.
pub async fn close(soak: &Soak, service: &AsyncService) -> bool {
    let began = Instant::now();
    let client = service.client();
    let task = tokio::spawn(perform(Action::Close, String::new(), Box::new(client)));
    soak.counters.calls.fetch_add(1, Ordering::SeqCst);
    let Some(outcome) = outcome_of(task, Action::Close, &service.users[0], soak).await else {
        return false;
    };
    let is_closed = outcome.is_ok();
    soak.judge(Action::Close, &service.users[0], began, outcome);
    is_closed
}

/// Leads renewals in a runtime that is not driven any more while they are in flight.
pub fn lead_in_undriven_runtimes(
    soak: &Soak,
    service: &AsyncService,
    number: usize,
    main: &Handle,
) {
    let mut rng = soak.random.rng("undriven", number);
    let user = &service.users[number % service.users.len()];
    while !soak.is_stopping() {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let check_out = || {
            service
                .check_out(user)
                .expect("a client that is not replaced")
        };
        let client = check_out();
        let before = soak.ledger.requests_of(user.number);
        runtime.block_on(async {
            tokio::spawn(async move { client.refresh_token().await });
            let began = Instant::now();
            while soak.ledger.requests_of(user.number) == before
                && began.elapsed() < Duration::from_secs(1)
            {
                sleep(Duration::from_millis(1)).await;
            }
        });
        soak.counters.undriven.fetch_add(1, Ordering::SeqCst);
        // Another runtime asks next.
        let client = check_out();
        let call = Call {
            action: Action::EnsureActiveToken,
            log_in: false,
            abort_after: None,
            pause: rng.millis(300, 3000),
        };
        main.block_on(async {
            make_call(&call, soak, service, user, &client).await;
            sleep(call.pause).await;
        });
        if rng.below(2) == 0 {
            runtime.block_on(async { sleep(Duration::from_millis(300)).await });
        }
    }
}
