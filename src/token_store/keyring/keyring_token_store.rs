//! Public type.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    access::Access, entries, keyring_failure::KeyringFailure, names::Names, registrations,
    worker::Worker,
};
use crate::{
    error::BoxError,
    oauth2::client::RegisteredClient,
    token_store::{
        FileTokenStore, Lease, StoredToken,
        file_token_store::{app, lock_files},
    },
};

/// Time limit of a call, which ends before that of the clients for a call of a store.
const TIMEOUT: Duration = Duration::from_secs(9);

/// Token store in the keyring of the operating system: the keychain of macOS, the Credential Manager
/// of Windows, or the Secret Service (GNOME Keyring, KWallet, KeePassXC) of Linux and the BSDs.
///
/// It is named by the program (`service`) and by whose token it is (`user`).
///
/// ```no_run
/// # // It would write into the keyring of the user who runs it.
/// # #[cfg(feature = "blocking")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use oauth_twin::{KeyringTokenStore, OAuth2Client};
///
/// let client = OAuth2Client::builder("client-id")
///     .token_endpoint("https://id.example.com/token")
///     .token_store(KeyringTokenStore::new("com.example.reports", "alice"))
///     .build()?;
/// client.ensure_active_token()?;           // the token of the last run
/// # Ok(()) }
/// # #[cfg(not(feature = "blocking"))] fn main() {}
/// ```
///
/// The keyring is not trusted before a value was written, read and removed: so a locked keyring, a
/// missing one and one that forgets are errors at the first use, and again before each renewal, so
/// that no refresh token is used if the new one cannot be stored. Every value is read and compared
/// after it was written. Values above the limit of the keyring (2,560 bytes on Windows) are split;
/// a process that is killed leaves the old token or the new one.
///
/// Processes that share a token coordinate by two empty files, which are locked during a renewal and
/// during a write; see [`lock_folder`](Self::lock_folder). They must run on one machine and have
/// one home folder.
///
/// Creating a store does not access the keyring. All stores of a process share one connection, on a
/// thread of its own, which ends with the last store. No default store of the crate `keyring-core`
/// is set or used.
///
/// # Security
///
/// On macOS the token is accessible to this program, and to others if the user allows it; on
/// Windows and Linux to all programs of the user. The names of service and user are visible without
/// unlocking the keyring, and so are those of the two files.
#[derive(Clone)]
pub struct KeyringTokenStore {
    settings: Arc<KeyringSettings>,
}

#[derive(Clone)]
struct KeyringSettings {
    worker: Arc<Worker>,
    names: Names,
    timeout: Duration,
    lock_folder: Option<PathBuf>,
    fallback: Option<Arc<Fallback>>,
}

/// File that is used if the keyring is not usable at first.
struct Fallback {
    file: FileTokenStore,
    choice: OnceLock<Choice>,
    is_told: AtomicBool,
}

/// Place of the token, chosen once.
enum Choice {
    Keyring,
    File { reason: String },
}

/// Where an operation takes place.
enum Place<'a> {
    Keyring(Access<'a>),
    File(&'a FileTokenStore),
}

impl KeyringTokenStore {
    /// Creates a store for the token of `user` in the program `service`. Names that differ have
    /// different entries, whatever characters they contain; an empty name is an error of all calls.
    pub fn new(service: impl AsRef<str>, user: impl AsRef<str>) -> Self {
        Self::with_worker(Worker::of_platform(), service.as_ref(), user.as_ref())
    }

    pub(super) fn with_worker(worker: Arc<Worker>, service: &str, user: &str) -> Self {
        Self {
            settings: Arc::new(KeyringSettings {
                worker,
                names: Names::new(service, user),
                timeout: TIMEOUT,
                lock_folder: None,
                fallback: None,
            }),
        }
    }

    /// Sets the time limit of a call, within which the user can unlock the keyring, if asked.
    /// Defaults to 9 seconds. A client waits for a call of a store at most 10 seconds.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|settings| settings.timeout = timeout)
    }

    /// Sets the folder of the files that are locked. Defaults to `oauth-twin/keyring` in the folder
    /// that [`FileTokenStore::for_app`] uses.
    pub fn lock_folder(self, folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        self.with(|settings| settings.lock_folder = Some(folder))
    }

    /// Sets a file for the token, which is used if the keyring is not usable when this store, or a
    /// clone of it, is first used: where there is no keyring, as in a container, or where it is
    /// locked. With the feature `tracing` this is an event of level WARN.
    ///
    /// A token is never moved from one place to the other, as two copies of a refresh token would
    /// be used twice: where the keyring is usable, a token in the file is neither used nor removed.
    ///
    /// ```
    /// use oauth_twin::{FileTokenStore, KeyringTokenStore};
    ///
    /// let store = KeyringTokenStore::new("com.example.reports", "alice")
    ///     .or_file(FileTokenStore::new("/home/alice/.local/state/reports/token.json"));
    /// ```
    ///
    /// # Security
    ///
    /// The token is in plain text then; see [`FileTokenStore`].
    pub fn or_file(self, file: FileTokenStore) -> Self {
        let fallback = Fallback {
            file,
            choice: OnceLock::new(),
            is_told: AtomicBool::new(false),
        };
        self.with(|settings| settings.fallback = Some(Arc::new(fallback)))
    }

    fn with(self, set: impl FnOnce(&mut KeyringSettings)) -> Self {
        let mut settings = Arc::unwrap_or_clone(self.settings);
        set(&mut settings);
        Self {
            settings: Arc::new(settings),
        }
    }

    /// Returns the stored token with its version; none if there is no entry.
    ///
    /// # Errors
    ///
    /// If the keyring cannot be used or does not answer in time, or if the entry does not contain a
    /// token.
    pub fn read(&self) -> Result<Option<StoredToken>, BoxError> {
        match self.place()? {
            Place::Keyring(access) => entries::read(&access).map_err(|failure| self.error(failure)),
            Place::File(file) => file.read(),
        }
    }

    /// Stores `next` if the keyring holds the version that it [replaces](StoredToken::replaces), and
    /// returns whether it did.
    ///
    /// # Errors
    ///
    /// If the keyring cannot be used, does not answer in time, or does not hold what it reported as
    /// stored; the previous token is kept then, if the keyring allows it. If the file that is locked
    /// meanwhile cannot be created or locked.
    pub fn replace(&self, next: &StoredToken) -> Result<bool, BoxError> {
        match self.place()? {
            Place::Keyring(access) => self.locked(|| entries::replace(&access, next)),
            Place::File(file) => file.replace(next),
        }
    }

    /// Acquires the right to renew the token, after the keyring has shown that it can be written.
    /// Returns none if another process holds the lease.
    ///
    /// # Errors
    ///
    /// If the keyring cannot be used or does not answer in time, or if the file of the lease cannot
    /// be created. Do not renew the token then, as a new one could not be stored.
    pub fn try_lease(&self) -> Result<Option<Lease>, BoxError> {
        let access = match self.place()? {
            Place::Keyring(access) => access,
            Place::File(file) => return file.try_lease(),
        };
        let Some(lease) = self.lock(".lease", lock_files::try_lock)? else {
            return Ok(None);
        };
        access.probe().map_err(|failure| self.error(failure))?;
        Ok(Some(Lease::of_process(lease)))
    }

    /// Returns the registration of the client at `issuer`; none if there is none.
    ///
    /// # Errors
    ///
    /// If the keyring cannot be used or does not answer in time, or if the entry does not contain a
    /// registration.
    pub fn read_registration(&self, issuer: &str) -> Result<Option<RegisteredClient>, BoxError> {
        match self.place()? {
            Place::Keyring(access) => {
                registrations::read(access, issuer).map_err(|failure| self.error(failure))
            }
            Place::File(file) => file.read_registration(issuer),
        }
    }

    /// Replaces the registration of the client at `issuer`, or removes it.
    ///
    /// # Errors
    ///
    /// Those of [`replace`](Self::replace).
    pub fn replace_registration(
        &self,
        issuer: &str,
        registration: Option<&RegisteredClient>,
    ) -> Result<(), BoxError> {
        match self.place()? {
            Place::Keyring(access) => {
                self.locked(|| registrations::replace(access, issuer, registration))
            }
            Place::File(file) => file.replace_registration(issuer, registration),
        }
    }

    /// Why the file is used, once.
    #[allow(dead_code, reason = "the clients report it")]
    pub(crate) fn take_fallback_reason(&self) -> Option<&str> {
        let fallback = self.settings.fallback.as_ref()?;
        match fallback.choice.get()? {
            Choice::File { reason } if !fallback.is_told.swap(true, Ordering::Relaxed) => {
                Some(reason)
            }
            _ => None,
        }
    }

    /// Where the token is, once the keyring has been tried.
    fn place(&self) -> Result<Place<'_>, BoxError> {
        let KeyringSettings {
            worker,
            names,
            timeout,
            ..
        } = &*self.settings;
        if let Some(name) = names.empty() {
            return Err(format!("the name of the {name} in the keyring is empty").into());
        }
        let access = Access::new(worker, names, *timeout);
        let probe = || match worker.is_trusted() {
            true => Ok(()),
            false => access.probe(),
        };
        let Some(fallback) = &self.settings.fallback else {
            probe().map_err(|failure| self.error(failure))?;
            return Ok(Place::Keyring(access));
        };
        let choice = match fallback.choice.get() {
            Some(choice) => choice,
            None => {
                let choice = match probe() {
                    Ok(()) => Choice::Keyring,
                    Err(failure) => Choice::File {
                        reason: self.error(failure).to_string(),
                    },
                };
                // A call at the same time may have chosen otherwise.
                fallback.choice.get_or_init(|| choice)
            }
        };
        Ok(match choice {
            Choice::Keyring => Place::Keyring(access),
            Choice::File { .. } => Place::File(&fallback.file),
        })
    }

    /// Writes while no other process does: a write that nobody waits for any longer is one still.
    fn locked<T>(&self, write: impl FnOnce() -> Result<T, KeyringFailure>) -> Result<T, BoxError> {
        let lock = self.lock(".lock", lock_files::lock)?;
        let written = write();
        self.settings.worker.drop_after_calls(lock);
        written.map_err(|failure| self.error(failure))
    }

    /// Locks the file with this suffix.
    fn lock<T>(
        &self,
        suffix: &str,
        lock: impl FnOnce(&Path) -> std::io::Result<T>,
    ) -> Result<T, BoxError> {
        let folder = match &self.settings.lock_folder {
            Some(folder) => folder.clone(),
            None => app::state_folder()
                .ok_or("the user has no home folder; set lock_folder of the store")?
                .join("oauth-twin")
                .join("keyring"),
        };
        let path = folder.join(self.settings.names.file(suffix));
        lock(&path).map_err(|error| {
            let path = path.display();
            format!("the file {path}, which protects a token in the keyring, could not be locked ({error})").into()
        })
    }

    fn error(&self, failure: KeyringFailure) -> BoxError {
        format!("the keyring ({}) {failure}", self.settings.worker.name()).into()
    }
}

impl fmt::Debug for KeyringTokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let KeyringSettings {
            names,
            timeout,
            lock_folder,
            fallback,
            ..
        } = &*self.settings;
        let (service, user) = names.entry("");
        f.debug_struct("KeyringTokenStore")
            .field("service", &service)
            .field("user", &user)
            .field("timeout", timeout)
            .field("lock_folder", lock_folder)
            .field("file", &fallback.as_ref().map(|fallback| &fallback.file))
            .finish()
    }
}
