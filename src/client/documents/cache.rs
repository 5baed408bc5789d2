//! Cache of one document: one caller fetches it for all, and the old one is kept if that fails.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::super::{maybe_async, run_detached_for, transport::Transport, wait_for};
use crate::{
    clock::Clock,
    error::{Call, Error, ErrorKind, Result},
    lifecycle::pacing::Pacing,
    signal::Signal,
    trace,
    wire::document::{Document, DocumentSource, FetchStep},
};

/// Cache of one document, which clones share.
pub(in super::super) struct DocumentCache<T>(Arc<Mutex<CacheState<T>>>);

struct CacheState<T> {
    document: Option<T>,
    /// The wait after failures while there is no document.
    pacing: Pacing,
    fetching: Option<Fetched<T>>,
}

/// Outcome of a fetch, for all that wait for it.
type Fetched<T> = Arc<Signal<Result<T>>>;

/// Step of a caller that needs the document.
enum CacheAction<T: Document> {
    Use(T),
    Wait(Fetched<T>),
    Fetch(FetchClaim<T>),
    Fail(Error),
}

/// Right to fetch the document. When it is dropped, in whatever way, no caller waits any longer.
struct FetchClaim<T: Document> {
    cache: DocumentCache<T>,
    fetched: Fetched<T>,
    clock: Clock,
}

impl<T> Clone for DocumentCache<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Document> DocumentCache<T> {
    pub(in super::super) fn new(document: Option<T>) -> Self {
        Self(Arc::new(Mutex::new(CacheState {
            document,
            pacing: Pacing::default(),
            fetching: None,
        })))
    }

    /// The document, as old as it may be.
    pub(in super::super) fn document(&self) -> Option<T> {
        self.lock().document.clone()
    }

    /// Takes over a document that was fetched a moment ago by somebody else.
    pub(in super::super) fn learn(&self, document: T) {
        let mut state = self.lock();
        state.document = Some(document);
        state.pacing = Pacing::default();
    }

    /// The next step of a caller that is content with a document for which `is_current` holds, or
    /// with one that `is_usable`, if another caller is about to replace it.
    fn next(
        &self,
        is_current: impl Fn(&T) -> bool,
        is_usable: impl Fn(&T) -> bool,
        clock: &Clock,
    ) -> CacheAction<T> {
        let now = clock.monotonic();
        let mut state = self.lock();
        let known = state.document.as_ref();
        if let Some(document) = known.filter(|document| {
            is_current(document) || (state.fetching.is_some() && is_usable(document))
        }) {
            return CacheAction::Use(document.clone());
        }
        if let Some(fetching) = &state.fetching {
            return CacheAction::Wait(fetching.clone());
        }
        if let Some(error) = state.pacing.error(now) {
            return CacheAction::Fail(error);
        }
        let fetched = Fetched::default();
        state.fetching = Some(fetched.clone());
        CacheAction::Fetch(FetchClaim {
            cache: self.clone(),
            fetched,
            clock: clock.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, CacheState<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[maybe_async]
impl<T: Document> DocumentCache<T> {
    /// The document for which `is_current` holds: the cached one, or by fetching it from `source`
    /// or waiting for that. If it cannot be fetched, an old one that `is_usable`.
    pub(in super::super) async fn obtain<S: DocumentSource<Document = T>>(
        &self,
        fetch: DocumentFetch<S>,
        is_current: impl Fn(&T) -> bool + Send + Sync,
        is_usable: impl Fn(&T) -> bool + Send + Sync,
        limit: Duration,
    ) -> Result<T> {
        let fetched = match self.next(is_current, &is_usable, &fetch.clock) {
            CacheAction::Use(document) => return Ok(document),
            CacheAction::Fail(error) => return Err(error),
            CacheAction::Wait(fetched) => wait_for(&fetched, limit).await,
            CacheAction::Fetch(claim) => run_detached_for(limit, move || fetch.run(claim)).await,
        };
        let late = || {
            Err(Error::timed_out(
                "timed out waiting for a document of the server",
            ))
        };
        let error = match fetched.unwrap_or_else(late) {
            Ok(document) => return Ok(document),
            Err(error) => error,
        };
        match self.document().filter(is_usable) {
            Some(document) => {
                trace::refetch_failed(&error);
                Ok(document)
            }
            None => Err(error),
        }
    }
}

/// Fetch of a document for all callers.
pub(in super::super) struct DocumentFetch<S> {
    pub(in super::super) source: S,
    pub(in super::super) transport: Arc<Transport>,
    pub(in super::super) clock: Clock,
}

#[maybe_async]
impl<S: DocumentSource> DocumentFetch<S> {
    async fn run(mut self, claim: FetchClaim<S::Document>) -> Result<S::Document> {
        let started = Instant::now();
        let (mut response, mut call) = (None, None);
        loop {
            match self.source.step(response) {
                FetchStep::Done(fetched) => {
                    let fetched = fetched.map_err(Error::without_consequence);
                    return claim.finish(fetched.map_err(|error| match call {
                        Some(call) if error.kind() == ErrorKind::Server => error.of_call(&call),
                        _ => error,
                    }));
                }
                FetchStep::Get(url) => {
                    let left = self.transport.timeout().saturating_sub(started.elapsed());
                    let here = Call::new(S::NAME, &url, "the request");
                    let received = self.transport.get(url, left).await;
                    response = Some(received.map_err(|error| error.of_call(&here)));
                    call = Some(here);
                }
            }
        }
    }
}

impl<T: Document> FetchClaim<T> {
    /// Ends the fetch. Without a document the old one is kept.
    fn finish(&self, fetched: Result<T>) -> Result<T> {
        let (now, monotonic) = (self.clock.now(), self.clock.monotonic());
        let mut state = self.cache.lock();
        let is_own = |fetching: &Fetched<T>| Arc::ptr_eq(fetching, &self.fetched);
        if !state.fetching.as_ref().is_some_and(is_own) {
            return fetched;
        }
        state.fetching = None;
        let fetched = match (fetched, &mut state.document) {
            (Ok(mut new), old) => {
                if let Some(old) = old {
                    new.freshness_mut().replace(old.freshness_mut(), now);
                }
                for reason in new.skipped() {
                    trace::key_skipped(reason);
                }
                *old = Some(new.clone());
                state.pacing = Pacing::default();
                Ok(new)
            }
            (Err(error), Some(old)) => {
                old.freshness_mut().fail(now);
                Err(error)
            }
            (Err(error), None) => {
                state.pacing.fail(monotonic, error.clone());
                Err(error)
            }
        };
        drop(state);
        self.fetched.set(fetched.clone());
        fetched
    }
}

impl<T: Document> Drop for FetchClaim<T> {
    fn drop(&mut self) {
        // Nothing, if the fetch has ended.
        let _ = self.finish(Err(Error::interrupted(
            "the fetch of a document of the server was interrupted",
        )));
    }
}
