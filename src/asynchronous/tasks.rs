//! Running and waiting: tasks, timers, and the user's own code.

use std::{
    any::Any,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use tokio::{runtime::Handle, task::JoinHandle};

use super::require_runtime;
use crate::{
    error::{BoxError, Error, Result},
    signal::Signal,
    trace::{self, RequestSpan, in_current_span},
};

pub(super) async fn sleep(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Work on the heap: what runs it is compiled once for each result, not once for each work.
type Work<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// Runs `work` to its end, whatever happens to the caller.
pub(super) fn run_to_completion<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> impl Future<Output = Result<T>> {
    complete(Box::pin(work))
}

async fn complete<T: Send + 'static>(work: Work<T>) -> Result<T> {
    require_runtime()?;
    joined(spawn(work)).await
}

/// The result of a task that runs to its end also if nothing waits for it.
async fn joined<T>(task: JoinHandle<Result<T>>) -> Result<T> {
    match task.await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_cancelled) => Err(Error::interrupted("the runtime shut down")),
        },
    }
}

fn spawn<T: Send + 'static>(work: Work<T>) -> JoinHandle<Result<T>> {
    let callbacks = callbacks();
    let work = match callbacks.is_empty() {
        true => work,
        false => Box::pin(CALLBACKS.scope(callbacks, work)),
    };
    tokio::spawn(in_current_span(work))
}

/// Runs `work` within `span`.
pub(super) fn in_span<T, F: Future<Output = T>>(
    span: &RequestSpan,
    work: impl FnOnce() -> F,
) -> impl Future<Output = T> {
    span.around(work())
}

/// Work that is rarely done, so that the futures which may do it stay small.
pub(super) fn boxed<F: Future>(work: F) -> Pin<Box<F>> {
    Box::pin(work)
}

/// The same, waited for no longer than `limit`.
pub(super) fn run_detached_for<T: Send + 'static, F>(
    limit: Duration,
    work: impl FnOnce() -> F,
) -> impl Future<Output = Option<Result<T>>>
where
    F: Future<Output = Result<T>> + Send + 'static,
{
    complete_within(limit, Box::pin(work()))
}

async fn complete_within<T: Send + 'static>(limit: Duration, work: Work<T>) -> Option<Result<T>> {
    if let Err(error) = require_runtime() {
        return Some(Err(error));
    }
    tokio::time::timeout(limit, joined(spawn(work))).await.ok()
}

/// The result of `work`, which is dropped after `limit`.
pub(super) async fn with_timeout<T, F>(
    limit: Duration,
    work: impl FnOnce() -> F,
) -> Option<Result<T>>
where
    F: Future<Output = Result<T>>,
{
    if let Err(error) = require_runtime() {
        return Some(Err(error));
    }
    tokio::time::timeout(limit, work()).await.ok()
}

/// The result of `work`, which blocks, waited for until `limit`, on a thread for such work.
pub(super) async fn run_blocking<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Option<Result<T>> {
    if let Err(error) = require_runtime() {
        return Some(Err(error));
    }
    let done = tokio::time::timeout(limit, tokio::task::spawn_blocking(work)).await;
    let cut_off = |_| Err(Error::interrupted("the runtime shut down"));
    done.ok().map(|done| done.unwrap_or_else(cut_off))
}

/// Runs `work` in a background task, if there is a runtime.
pub(super) fn spawn_and_forget(
    work: impl Future<Output = Result<()>> + Send + 'static,
) -> Result<()> {
    run_in_background(|| work);
    Ok(())
}

/// The same for work that is created by a closure.
pub(super) fn run_in_background<F>(work: impl FnOnce() -> F)
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(in_current_span(complete_alone(Box::pin(work()))));
    }
}

/// Reports the error of `work`, as no caller gets it.
async fn complete_alone(work: Work<()>) {
    if let Err(error) = work.await {
        trace::update_failed(&error);
    }
}

/// Does `work` with all `items` at once; returns the first error, if there is one.
pub(super) async fn side_by_side<T, F>(items: Vec<T>, work: impl Fn(T) -> F) -> Result<()>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    if items.is_empty() {
        return Ok(());
    }
    require_runtime()?;
    let works = items.into_iter().map(work);
    let works: Vec<_> = works.map(|work| spawn(Box::pin(work))).collect();
    let mut all = Ok(());
    for work in works {
        let done = work.await;
        let done = done.unwrap_or_else(|_| Err(Error::interrupted("the runtime shut down")));
        all = all.and(done);
    }
    all
}

/// The value, waited for until `limit`.
pub(super) async fn wait_for<T: Clone>(signal: &Signal<T>, limit: Duration) -> Option<T> {
    require_runtime().ok()?;
    if !signal.is_set() {
        tokio::time::timeout(limit, signal.wait()).await.ok()?;
    }
    signal.get()
}

tokio::task_local! {
    /// The callbacks that run in this task, or wait for it.
    static CALLBACKS: Vec<usize>;
}

fn callbacks() -> Vec<usize> {
    CALLBACKS.try_with(Vec::clone).unwrap_or_default()
}

/// Runs code of the user's under these marks. A panic is an error.
pub(super) async fn in_callback<T, F>(
    own: &[usize],
    work: impl FnOnce() -> F,
) -> Result<T, BoxError>
where
    F: Future<Output = Result<T, BoxError>>,
{
    let marks = [&callbacks(), own].concat();
    let work = CALLBACKS.scope(marks, async { work().await });
    let done = catch_panic(pin!(work)).await;
    done.unwrap_or_else(|_| Err("it panicked".into()))
}

pub(super) fn is_in_callback(mark: usize) -> bool {
    let is_one = |marks: &Vec<usize>| marks.contains(&mark);
    CALLBACKS.try_with(is_one).unwrap_or(false)
}

/// The result of `work`, or the panic that it ended with.
pub(super) async fn catch_panic<T>(
    mut work: Pin<&mut impl Future<Output = T>>,
) -> Result<T, Box<dyn Any + Send>> {
    std::future::poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}
