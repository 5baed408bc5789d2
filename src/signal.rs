//! Value that is set once and waited for by many: by threads, or by tasks.
//!
//! What the standard library has is for threads alone, and what runs tasks is known to the clients
//! alone.

use std::{
    pin::Pin,
    sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

/// Longest single wait of a thread; longer ones consist of several.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Value that is set once.
#[derive(Debug)]
pub(crate) struct Signal<T> {
    value: OnceLock<T>,
    waiting: Waiting,
}

/// The threads and tasks that wait for a value.
#[derive(Debug, Default)]
struct Waiting {
    state: Mutex<WaitState>,
    /// For threads.
    released: Condvar,
}

#[derive(Debug, Default)]
struct WaitState {
    is_over: bool,
    /// Those of tasks, each at a place of its own.
    wakers: Vec<Option<Waker>>,
    /// The places of tasks that no longer wait.
    free: Vec<usize>,
}

/// Wait of a task for a value to be set.
pub(crate) struct TaskWait<'a> {
    waiting: &'a Waiting,
    place: Option<usize>,
}

impl<T> Default for Signal<T> {
    fn default() -> Self {
        Self {
            value: OnceLock::new(),
            waiting: Waiting::default(),
        }
    }
}

impl<T> Signal<T> {
    /// Keeps the first value, and releases all that wait, now and later.
    pub(crate) fn set(&self, value: T) {
        if self.value.set(value).is_ok() {
            self.waiting.release();
        }
    }

    pub(crate) fn is_set(&self) -> bool {
        self.value.get().is_some()
    }

    /// Lets the thread wait until the value is set, for no longer than `limit`.
    pub(crate) fn block(&self, limit: Duration) {
        self.waiting.block(limit);
    }

    /// Lets a task wait until the value is set.
    pub(crate) fn wait(&self) -> TaskWait<'_> {
        TaskWait {
            waiting: &self.waiting,
            place: None,
        }
    }
}

impl<T: Clone> Signal<T> {
    pub(crate) fn get(&self) -> Option<T> {
        self.value.get().cloned()
    }
}

impl Waiting {
    fn release(&self) {
        let mut state = self.lock();
        state.is_over = true;
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.released.notify_all();
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    fn block(&self, limit: Duration) {
        let started = Instant::now();
        let mut state = self.lock();
        while !state.is_over {
            let left = limit.saturating_sub(started.elapsed());
            if left.is_zero() {
                return;
            }
            let waited = self.released.wait_timeout(state, left.min(LONGEST_WAIT));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, WaitState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WaitState {
    /// A place for one more task.
    fn place(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.wakers.push(None);
            self.wakers.len() - 1
        })
    }
}

impl Future for TaskWait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.waiting.lock();
        if state.is_over {
            return Poll::Ready(());
        }
        let place = self.place.unwrap_or_else(|| state.place());
        let earlier = state.wakers[place].replace(context.waker().clone());
        drop(state);
        // It may be the last that holds a task, with waits that lock the same.
        drop(earlier);
        self.place = Some(place);
        Poll::Pending
    }
}

impl Drop for TaskWait<'_> {
    fn drop(&mut self) {
        let Some(place) = self.place else {
            return;
        };
        let mut state = self.waiting.lock();
        if state.is_over {
            return;
        }
        let waker = state.wakers[place].take();
        state.free.push(place);
        drop(state);
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Wake,
        thread,
    };

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// Task that counts how often it was woken.
    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Task {
        fn poll(self: &Arc<Self>, wait: &mut TaskWait<'_>) -> bool {
            let waker = Waker::from(self.clone());
            let wait = Pin::new(wait);
            wait.poll(&mut Context::from_waker(&waker)).is_ready()
        }

        fn woken(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn places(signal: &Signal<u8>) -> usize {
        signal.waiting.lock().wakers.len()
    }

    #[test]
    fn the_first_value_counts_and_releases_threads() {
        let signal = Signal::default();
        let values = thread::scope(|scope| {
            let waits = [(); 3].map(|()| {
                scope.spawn(|| {
                    signal.block(LONG);
                    signal.get()
                })
            });
            assert!(!signal.is_set() && signal.get().is_none());
            signal.set(1);
            signal.set(2);
            waits.map(|wait| wait.join().expect("no panic"))
        });
        assert_eq!(values, [Some(1); 3]);
        // Whoever comes later does not wait.
        let started = Instant::now();
        signal.block(LONG);
        assert!(started.elapsed() < LONG && signal.is_set());
    }

    #[test]
    fn a_thread_waits_no_longer_than_its_limit() {
        let signal = Signal::<u8>::default();
        let started = Instant::now();
        signal.block(Duration::from_millis(20));
        assert!(started.elapsed() >= Duration::from_millis(20));
        signal.block(Duration::ZERO);
        assert!(!signal.is_set());
    }

    #[test]
    fn each_task_that_waits_is_woken_once() {
        let signal = Signal::default();
        let tasks = [(); 3].map(|()| Arc::<Task>::default());
        let mut waits = [(); 3].map(|()| signal.wait());
        for (task, wait) in tasks.iter().zip(&mut waits) {
            assert!(!task.poll(wait));
            // It may be polled for another reason.
            assert!(!task.poll(wait));
        }
        assert_eq!(places(&signal), 3);
        signal.set(1);
        for (task, wait) in tasks.iter().zip(&mut waits) {
            assert_eq!(task.woken(), 1);
            assert!(task.poll(wait));
        }
        assert!(tasks[0].poll(&mut signal.wait()));
    }

    #[test]
    fn a_wait_wakes_the_task_that_has_polled_it_last() {
        let signal = Signal::default();
        let [first, last] = [(); 2].map(|()| Arc::<Task>::default());
        let mut wait = signal.wait();
        assert!(!first.poll(&mut wait) && !last.poll(&mut wait));
        signal.set(1);
        assert_eq!([first.woken(), last.woken()], [0, 1]);
    }

    #[test]
    fn a_task_that_no_longer_waits_is_not_woken_and_leaves_its_place() {
        let signal = Signal::default();
        let tasks = [(); 3].map(|()| Arc::<Task>::default());
        let mut waits = [(); 3].map(|()| Some(signal.wait()));
        for (task, wait) in tasks.iter().zip(waits.iter_mut().flatten()) {
            assert!(!task.poll(wait));
        }
        waits[1] = None;
        waits[2] = None;
        assert_eq!(Arc::strong_count(&tasks[1]), 1);
        let late = [(); 2].map(|()| Arc::<Task>::default());
        let mut late_waits = [(); 2].map(|()| signal.wait());
        for (task, wait) in late.iter().zip(&mut late_waits) {
            assert!(!task.poll(wait));
        }
        assert_eq!(places(&signal), 3);
        signal.set(1);
        assert_eq!(tasks.map(|task| task.woken()), [1, 0, 0]);
        assert_eq!(late.map(|task| task.woken()), [1, 1]);
    }

    #[test]
    fn a_wait_that_is_dropped_with_the_last_waker_of_its_task_does_not_hang() {
        /// Task that holds another wait.
        struct Holder {
            _wait: TaskWait<'static>,
        }

        impl Wake for Holder {
            fn wake(self: Arc<Self>) {}
        }

        let signal: &'static Signal<u8> = Box::leak(Box::default());
        let other = Arc::<Task>::default();
        let mut held = signal.wait();
        assert!(!other.poll(&mut held));
        let mut wait = signal.wait();
        let waker = Waker::from(Arc::new(Holder { _wait: held }));
        let polled = Pin::new(&mut wait).poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        drop(waker);
        assert!(!other.poll(&mut wait));
        assert_eq!(signal.waiting.lock().free, [0]);
    }
}
