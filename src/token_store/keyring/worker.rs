//! The thread that talks to the keyring.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Instant,
};

use zeroize::Zeroizing;

use super::{keyring_failure::KeyringFailure, platform};

/// Keyring, which holds texts under the names of a service and an entry.
pub(super) trait Keyring {
    /// Maximum length of a value in UTF-16 code units, if there is one.
    fn limit(&self) -> Option<usize>;

    fn read(&self, service: &str, entry: &str)
    -> Result<Option<Zeroizing<String>>, KeyringFailure>;

    fn write(&self, service: &str, entry: &str, value: &str) -> Result<(), KeyringFailure>;

    /// Removes an entry, and returns whether there was one.
    fn remove(&self, service: &str, entry: &str) -> Result<bool, KeyringFailure>;
}

type OpenKeyring = dyn Fn() -> Result<Box<dyn Keyring>, KeyringFailure> + Send + Sync;
type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Handle of the one thread that talks to a keyring, which begins with the first call and ends with
/// the last handle. A call that never returns occupies this thread and no other.
pub(super) struct Worker {
    name: &'static str,
    open: Arc<OpenKeyring>,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    is_trusted: AtomicBool,
}

impl Worker {
    pub(super) fn new(
        name: &'static str,
        open: impl Fn() -> Result<Box<dyn Keyring>, KeyringFailure> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            name,
            open: Arc::new(open),
            jobs: Mutex::default(),
            is_trusted: AtomicBool::new(false),
        })
    }

    /// The keyring of the operating system, with one connection for all stores of the process.
    pub(super) fn of_platform() -> Arc<Self> {
        static SHARED: Mutex<Weak<Worker>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let worker = Self::new(platform::NAME, || Ok(Box::new(platform::open()?)));
            *shared = Arc::downgrade(&worker);
            worker
        })
    }

    /// Name of the keyring for errors.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether a value was written, read and removed in this process before.
    pub(super) fn is_trusted(&self) -> bool {
        self.is_trusted.load(Ordering::Relaxed)
    }

    pub(super) fn trust(&self) {
        self.is_trusted.store(true, Ordering::Relaxed);
    }

    /// Makes a call and waits for its result until the deadline; none then. A call that has not
    /// begun by the deadline is not made.
    pub(super) fn call<T: Send + 'static>(
        &self,
        deadline: Instant,
        call: impl Fn(&dyn Keyring) -> Result<T, KeyringFailure> + Send + 'static,
    ) -> Option<Result<T, KeyringFailure>> {
        let (result, receiver) = mpsc::sync_channel(1);
        let job: Job = Box::new(move |connection| {
            if Instant::now() < deadline {
                let _ = result.send(connection.call(&call));
            }
        });
        if let Err(failure) = self.send(job) {
            return Some(Err(failure));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        receiver.recv_timeout(left).ok()
    }

    /// Drops `guard` once the calls that were made before have ended, whether anyone waits for them or
    /// not.
    pub(super) fn drop_after_calls(&self, guard: impl Send + 'static) {
        // It is dropped at once if the thread has ended.
        let _ = self.send(Box::new(move |_| drop(guard)));
    }

    fn send(&self, job: Job) -> Result<(), KeyringFailure> {
        let mut jobs = self.jobs();
        let sender = match jobs.take() {
            Some(sender) => sender,
            None => self.start()?,
        };
        let sent = sender.send(job);
        *jobs = sent.is_ok().then_some(sender);
        sent.map_err(|_| KeyringFailure::Other("cannot be used, as its thread has ended".into()))
    }

    fn start(&self) -> Result<mpsc::Sender<Job>, KeyringFailure> {
        let (sender, jobs) = mpsc::channel::<Job>();
        let open = self.open.clone();
        let thread = thread::Builder::new().name("oauth-twin-keyring".into());
        let started = thread.spawn(move || {
            let mut connection = Connection {
                open,
                keyring: None,
            };
            for job in jobs {
                job(&mut connection);
            }
        });
        started.map_err(|error| KeyringFailure::Other(format!("needs a thread ({error})")))?;
        Ok(sender)
    }

    fn jobs(&self) -> MutexGuard<'_, Option<mpsc::Sender<Job>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connection to a keyring, opened when it is needed.
struct Connection {
    open: Arc<OpenKeyring>,
    keyring: Option<Box<dyn Keyring>>,
}

impl Connection {
    fn call<T>(
        &mut self,
        call: &impl Fn(&dyn Keyring) -> Result<T, KeyringFailure>,
    ) -> Result<T, KeyringFailure> {
        let was_open = self.keyring.is_some();
        match self.call_once(call) {
            // The service may have been restarted. Each call may be repeated.
            Err(KeyringFailure::Other(_)) if was_open => self.call_once(call),
            result => result,
        }
    }

    /// Makes a call, and closes the connection if that fails.
    fn call_once<T>(
        &mut self,
        call: &impl Fn(&dyn Keyring) -> Result<T, KeyringFailure>,
    ) -> Result<T, KeyringFailure> {
        let open = self.keyring.take();
        let called = catch_unwind(AssertUnwindSafe(|| {
            let keyring = match open {
                Some(keyring) => keyring,
                None => (self.open)()?,
            };
            let result = call(&*keyring)?;
            Ok((result, keyring))
        }));
        let panicked = |_| Err(KeyringFailure::Other("failed with a panic".into()));
        let (result, keyring) = called.unwrap_or_else(panicked)?;
        self.keyring = Some(keyring);
        Ok(result)
    }
}
