//! A token in a file.

pub(super) mod app;
pub(super) mod lock_files;
mod next_file;
mod registrations;
mod regular_file;

use std::{
    ffi::OsString,
    fmt,
    fs::File,
    io::{self, ErrorKind, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use self::{
    next_file::{Durability, NextFile},
    regular_file::Located,
};
use crate::{
    encoding::without_byte_order_mark,
    error::BoxError,
    oauth2::token::Token,
    token_store::{Lease, StoredToken, private_files},
};

/// Maximum size of a file.
const MAX_BYTES: u64 = 1024 * 1024;

/// Space that is reserved for the next token beyond the size of the present file.
const GROWTH_BYTES: u64 = 4096;

const UNREADABLE: &str = "could not be read";

/// File format that this version writes, and the latest that it reads.
const FORMAT: u64 = 1;

/// Token store in a file, for a program that stays logged in between runs and may run in several
/// processes at once.
///
/// ```
/// # #[cfg(feature = "blocking")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = httpmock::MockServer::start();
/// # server.mock(|when, then| {
/// #     when.path("/token");
/// #     then.json_body_obj(&serde_json::json!({"access_token": "t", "expires_in": 600}));
/// # });
/// # let token_endpoint = server.url("/token");
/// # let folder = std::env::temp_dir().join(format!("oauth-twin-{}", std::process::id()));
/// use oauth_twin::{FileTokenStore, OAuth2Client, oauth2::ClientCredentials};
///
/// // let folder = the program's own folder in the user's home
/// let client = OAuth2Client::builder("client-id")
///     .client_secret("client-secret")
///     .token_endpoint(token_endpoint)
///     .grant(ClientCredentials::new())
///     .token_store(FileTokenStore::new(folder.join("token.json")))
///     .build()?;
/// client.ensure_active_token()?;           // the token of the last run, or a new one
/// # client.close()?;
/// # assert!(folder.join("token.json").exists());
/// # std::fs::remove_dir_all(folder)?;
/// # Ok(()) }
/// # #[cfg(not(feature = "blocking"))] fn main() {}
/// ```
///
/// Writes are atomic: a process that is killed leaves the old token or the new one, never a part of
/// one, and the operating system releases its locks. After a crash of the system the file may be
/// the old one only if its refresh token is that of the new one, and so still valid. A process that is stopped but not killed keeps
/// its locks; the others continue while their token is valid. If the server rotates refresh tokens,
/// a process that is killed between the server's response and the write leaves a used refresh token
/// in the file, and the user has to log in again.
///
/// No refresh token is used before the store has shown that it can be written: acquiring the lease
/// reserves disk space for the next token in the same folder. A full disk, a read-only folder and
/// missing permissions are errors at that point; a folder that was deleted is created again. On
/// copy-on-write file systems (Btrfs, ZFS) a reservation does not guarantee the space.
///
/// The path must name a regular file, a symbolic link to one, or nothing yet; a link is kept. A
/// folder, a FIFO, a device or a socket is an error at once. A single file that is a mount point (as
/// in `docker run -v …/token.json:/token.json`) can be read but not replaced, so acquiring the lease
/// is an error: before a refresh token is used, and before `ensure_login` asks the user. Mount its
/// folder instead.
///
/// Registrations of a client that registers itself are kept beside the token, by issuer, in a file
/// with the suffix `.clients`.
///
/// Two empty files are kept beside the token, with the suffixes `.lease` and `.lock`; do not delete
/// them. During a renewal a third one, with the suffix `.new`, holds the reserved space. A file that
/// contains a bare token, as written by programs that use Authlib, is read, too. The file system
/// must support locks: a local one does, a network file system if it is set up for it.
///
/// # Security
///
/// The token is stored in plain text. On Unix the file is readable by its owner only (0600), and so
/// is a folder that the store creates (0700); elsewhere they have the permissions of the parent
/// folder.
#[derive(Clone)]
pub struct FileTokenStore {
    path: Arc<Path>,
    next_file: NextFile,
}

impl FileTokenStore {
    /// Creates a store in the file at `path`. The file and its folder are created when the first
    /// token is stored.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path: PathBuf = path.into();
        Self {
            path: path.into(),
            next_file: NextFile::default(),
        }
    }

    /// Returns the stored token with its version; none if there is no file.
    ///
    /// ```
    /// use oauth_twin::{BoxError, FileTokenStore, StoredToken, Token};
    ///
    /// # let folder = std::env::temp_dir().join(format!("oauth-twin-read-{}", std::process::id()));
    /// let store = FileTokenStore::new(folder.join("token.json"));
    /// if let Some(_lease) = store.try_lease()? {
    ///     let version = store.read()?.map_or(0, |stored| stored.version);
    ///     // … obtain or refresh the token, then:
    ///     let next = StoredToken::new(Some(Token::new("2YotnFZFEjr1zCsicMWpAA")), version + 1);
    ///     assert!(store.replace(&next)?);
    /// }
    /// # assert_eq!(store.read()?.unwrap().version, 1);
    /// # std::fs::remove_dir_all(folder)?;
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is not a regular file, or does not contain a token.
    pub fn read(&self) -> Result<Option<StoredToken>, BoxError> {
        let located = Located::at(&self.path);
        let located = located.map_err(|error| self.io_error(UNREADABLE, error))?;
        self.content(&located)
    }

    fn content(&self, located: &Located) -> Result<Option<StoredToken>, BoxError> {
        let mut content = Zeroizing::new(Vec::new());
        let read = located.open().and_then(|(file, length)| {
            // The whole capacity at once: a buffer that grows leaves copies of the token behind.
            let length = length.min(MAX_BYTES);
            content.reserve_exact(usize::try_from(length).unwrap_or_default() + 2);
            file.take(MAX_BYTES + 1).read_to_end(&mut content)
        });
        match read {
            Ok(0) => Ok(None),
            Ok(_) => self.parse(&content).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.io_error(UNREADABLE, error)),
        }
    }

    /// Stores `next` if the file has the version that it [replaces](StoredToken::replaces), and
    /// returns whether it did.
    ///
    /// # Errors
    ///
    /// If the file cannot be locked, read or written.
    pub fn replace(&self, next: &StoredToken) -> Result<bool, BoxError> {
        // Checked before the lock file is created beside something that is not a file.
        let located = Located::at(&self.path);
        let located = located.map_err(|error| self.io_error("could not be replaced", error))?;
        let _lock = self.lock(&located.path)?;
        let stored = self.content(&located)?;
        let version = stored.as_ref().map_or(0, |stored| stored.version);
        if version != next.replaces() {
            return Ok(false);
        }
        let text = text(next)?;
        if text.len() as u64 > MAX_BYTES {
            return Err(self.error("cannot hold the token, which is larger than 1 MiB"));
        }
        let durability = Durability::of(stored.as_ref(), next);
        let written = self.next_file.replace(&located.path, &text, durability);
        // A file that is mounted cannot be renamed over, so that is checked only then.
        let written = written.or_else(|error| located.check_replaceable().and(Err(error)));
        written.map_err(|error| self.io_error("could not be written", error))?;
        Ok(true)
    }

    /// Acquires the right to renew the token, and reserves space for the next one, which
    /// [`replace`](Self::replace) uses. Returns none if another process holds the lease.
    ///
    /// # Errors
    ///
    /// If the file cannot be replaced, the lease file cannot be opened, or no space can be reserved.
    /// Do not renew the token then, as a new one could not be stored.
    pub fn try_lease(&self) -> Result<Option<Lease>, BoxError> {
        let failed = |error| self.io_error("could not be locked for a renewal", error);
        let located = Located::at(&self.path).map_err(failed)?;
        located.check_replaceable().map_err(failed)?;
        let Located { path, length } = located;
        let lease = lock_files::try_lock(&beside(&path, "lease")).map_err(failed)?;
        let Some(lease) = lease else {
            return Ok(None);
        };
        let lock = self.lock(&path)?;
        let size = length
            .unwrap_or(0)
            .saturating_add(GROWTH_BYTES)
            .min(MAX_BYTES);
        let reserved = self.next_file.reserve(&path, size);
        drop(lock);
        reserved.map_err(|error| {
            let new = beside(&path, "new");
            let new = new.display();
            format!("the file {new}, which reserves space for the next token, could not be created ({error})")
        })?;
        Ok(Some(Lease::of_process(Held {
            path,
            next_file: self.next_file.clone(),
            _lease: lease,
        })))
    }

    /// Acquires the lock for writing.
    fn lock(&self, path: &Path) -> Result<File, BoxError> {
        let lock = lock_files::lock(&beside(path, "lock"));
        lock.map_err(|error| self.io_error("could not be locked", error))
    }

    /// Parses the content. Errors do not quote it: another file may contain any secret.
    fn parse(&self, content: &[u8]) -> Result<StoredToken, BoxError> {
        let invalid = || self.error("does not contain a token; move it away, or use another path");
        if content.len() as u64 > MAX_BYTES {
            return Err(invalid());
        }
        let content = without_byte_order_mark(content);
        let known: Content = serde_json::from_slice(content).map_err(|_| invalid())?;
        match (known.format, known.version) {
            (Some(FORMAT), Some(version)) => Ok(StoredToken::new(known.token, version)),
            (Some(later), _) if later > FORMAT => {
                Err(self.error("was written by a later version of oauth-twin; upgrade this program, or use another path"))
            }
            (None, None) => {
                let token: Token = serde_json::from_slice(content).map_err(|_| invalid())?;
                Ok(StoredToken::new(Some(token), 0))
            }
            _ => Err(invalid()),
        }
    }

    fn io_error(&self, what: &str, error: io::Error) -> BoxError {
        self.error(&format!("{what} ({error})"))
    }

    fn error(&self, what: &str) -> BoxError {
        format!("the file {} {what}", self.path.display()).into()
    }
}

impl fmt::Debug for FileTokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("FileTokenStore");
        debug.field("path", &self.path).finish()
    }
}

/// Lease that is held. Its lock ends when the file is closed, at the latest with the process.
struct Held {
    path: PathBuf,
    next_file: NextFile,
    _lease: File,
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.next_file.close() {
            return;
        }
        // If another process is writing, it removes the file, or the next reservation does.
        let lock = regular_file::open(&private_files::writing(), &beside(&self.path, "lock"));
        if let Ok(lock) = lock
            && lock.try_lock().is_ok()
        {
            let _ = next_file::remove(&self.path);
        }
    }
}

/// Content of a file. One with a bare token has neither `format` nor `version`.
#[derive(Deserialize, Serialize)]
struct Content {
    format: Option<u64>,
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Token>,
}

fn text(next: &StoredToken) -> Result<Zeroizing<Vec<u8>>, BoxError> {
    let content = Content {
        format: Some(FORMAT),
        version: Some(next.version),
        token: next.token.clone(),
    };
    Ok(Zeroizing::new(serde_json::to_vec_pretty(&content)?))
}

/// `token.json.lock` beside `token.json`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".");
    name.push(suffix);
    name.into()
}

/// The folder of a file; the working directory if the path names none.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests;
#[cfg(all(test, unix))]
mod unwritable_tests;
