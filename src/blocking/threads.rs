//! Running and waiting: threads, and the user's own code.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    error::{BoxError, Error, Result},
    signal::Signal,
    trace::{self, RequestSpan},
};

pub(super) fn sleep(time: Duration) {
    std::thread::sleep(time);
}

/// Returns `done`, which has run to its end: a thread cannot be dropped.
pub(super) fn run_to_completion<T>(done: Result<T>) -> Result<T> {
    done
}

/// Runs `work` within `span`.
pub(super) fn in_span<T>(span: &RequestSpan, work: impl FnOnce() -> T) -> T {
    span.run(work)
}

/// Returns `done`: a function has no future.
pub(super) fn boxed<T>(done: T) -> T {
    done
}

/// The result of `work`, waited for until `limit`, on a thread of its own, where it continues.
pub(super) fn run_detached_for<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Option<Result<T>> {
    let result = Arc::new(Mutex::new(None));
    let kept = result.clone();
    let ended = on_thread_for(
        limit,
        Box::new(move || {
            let done = work();
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
        }),
    );
    match ended {
        Ok(()) => result.lock().unwrap_or_else(PoisonError::into_inner).take(),
        Err(error) => Some(Err(error)),
    }
}

/// Runs `work`, whose result is kept elsewhere: this is compiled once, not once for each work.
fn on_thread_for(limit: Duration, work: Box<dyn FnOnce() + Send>) -> Result<()> {
    // A channel would bring all kinds of channels into the program.
    let ended = Arc::new(Signal::default());
    let signal = ended.clone();
    let marks = CALLBACKS.with_borrow(Vec::clone);
    let span = RequestSpan::current();
    let spawned = std::thread::Builder::new().spawn(move || {
        CALLBACKS.set(marks);
        let worked = catch_unwind(AssertUnwindSafe(|| span.run(work)));
        signal.set(worked.is_ok());
        if let Err(panic) = worked {
            resume_unwind(panic);
        }
    });
    let Ok(thread) = spawned else {
        return Err(Error::unprovided("the system gave no thread"));
    };
    if wait_for(&ended, limit) == Some(false)
        && let Err(panic) = thread.join()
    {
        resume_unwind(panic);
    }
    Ok(())
}

/// The same: a thread cannot be dropped.
pub(super) fn with_timeout<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Option<Result<T>> {
    run_detached_for(limit, work)
}

/// The same: all work blocks.
pub(super) fn run_blocking<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Option<Result<T>> {
    run_detached_for(limit, work)
}

/// Returns `done`: the work has ended already.
pub(super) fn spawn_and_forget(done: Result<()>) -> Result<()> {
    done
}

/// Runs `work` on a background thread, if the system provides one.
pub(super) fn run_in_background(work: impl FnOnce() -> Result<()> + Send + 'static) {
    let work: Box<dyn FnOnce() -> Result<()> + Send> = Box::new(work);
    let span = RequestSpan::current();
    let _ = std::thread::Builder::new().spawn(move || {
        if let Err(error) = span.run(work) {
            trace::update_failed(&error);
        }
    });
}

/// Does `work` with all `items` at once, on some threads; returns an error, if there is one.
pub(super) fn side_by_side<T: Send>(
    items: Vec<T>,
    work: impl Fn(T) -> Result<()> + Sync,
) -> Result<()> {
    const THREADS: usize = 32;
    if items.len() <= 1 {
        return items.into_iter().try_for_each(work);
    }
    let threads = items.len().min(THREADS);
    let marks = CALLBACKS.with_borrow(Vec::clone);
    let (items, all) = (Mutex::new(items), Mutex::new(Ok(())));
    let next = || items.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let work_off = || {
        while let Some(item) = next() {
            if let Err(error) = work(item) {
                *all.lock().unwrap_or_else(PoisonError::into_inner) = Err(error);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let spawned = std::thread::Builder::new().spawn_scoped(scope, || {
                CALLBACKS.set(marks.clone());
                work_off();
            });
            if spawned.is_err() {
                // The system gives no more of them; this one does what is left.
                work_off();
                break;
            }
        }
    });
    all.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The value, waited for until `limit`.
pub(super) fn wait_for<T: Clone>(signal: &Signal<T>, limit: Duration) -> Option<T> {
    signal.block(limit);
    signal.get()
}

thread_local! {
    /// The callbacks that run on this thread, or wait for it.
    static CALLBACKS: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Runs code of the user's under these marks. A panic is an error.
pub(super) fn in_callback<T>(
    own: &[usize],
    work: impl FnOnce() -> Result<T, BoxError>,
) -> Result<T, BoxError> {
    let before = add_marks(own);
    let done = catch_unwind(AssertUnwindSafe(work));
    restore_marks(before);
    done.unwrap_or_else(|_| Err("it panicked".into()))
}

/// Returns how many there were.
fn add_marks(own: &[usize]) -> usize {
    CALLBACKS.with_borrow_mut(|marks| {
        let before = marks.len();
        marks.extend(own);
        before
    })
}

fn restore_marks(before: usize) {
    CALLBACKS.with_borrow_mut(|marks| marks.truncate(before));
}

pub(super) fn is_in_callback(mark: usize) -> bool {
    CALLBACKS.with_borrow(|marks| marks.contains(&mark))
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
