//! A token in a file.

mod next_file;
mod regular_file;

use std::{
    ffi::OsString,
    fmt,
    fs::{self, File, TryLockError},
    io::{self, ErrorKind, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use self::next_file::NextFile;
use crate::{
    encoding::without_byte_order_mark,
    error::BoxError,
    oauth2::token::Token,
    token_store::{Lease, StoredToken, private_files},
};

/// As large as a file may be, in bytes.
const LIMIT: u64 = 1024 * 1024;

/// By how much the next token may be larger than the present one, in bytes.
const SLACK: u64 = 4096;

/// How long the file is waited for while another process writes, which takes it a moment.
const BUSY: Duration = Duration::from_secs(5);

/// What this version writes, and the latest that it reads.
const FORMAT: u64 = 1;

/// Keeps a token in a file, for a program that stays logged in between runs and may run several
/// times at once.
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
/// client.ensure_active_token()?;           // that of the last run, or a new one
/// # client.close()?;
/// # assert!(folder.join("token.json").exists());
/// # std::fs::remove_dir_all(folder)?;
/// # Ok(()) }
/// # #[cfg(not(feature = "blocking"))] fn main() {}
/// ```
///
/// A program that is killed leaves the old token or the new one, never half of one, and holds up
/// nobody: the operating system frees its locks. One that is only stopped keeps them, and others go
/// on as long as their token is good. Where refresh tokens are good for once, a program that is
/// killed between the server's answer and the file has spent the one that stands there, and the
/// user has to log in again.
///
/// Nothing is renewed, and so no refresh token is spent, before the store has shown that it can be
/// written: the lease makes room for the next token in the folder, which is kept for it. A full
/// disk, a folder that is read-only and missing permissions are errors by then; a folder that was
/// deleted is made again. File systems that write a changed file to another place (Btrfs, ZFS) can
/// run full all the same.
///
/// The path leads to a regular file, or to none, or is a link to one; a link stays. A folder, a
/// FIFO, a device or a socket is an error at once, and so is a single file that is mounted (as in
/// `docker run -v …/token.json:/token.json`): it cannot be replaced. Mount its folder instead.
///
/// Two empty files stand beside the token's, with `.lease` and `.lock` behind its name; leave them
/// there. During a renewal a third, with `.new`, has the room for the next token. A file with a
/// bare token, as Authlib's users keep it, is read, too. Locks need a file system that has them: a
/// local one, or a network one that is set up for it.
///
/// # Security
///
/// The token stands there as it is. On Unix the file can be read by its owner alone (0600), and so
/// can a folder that had to be made (0700); elsewhere they have the rights of the folder above.
#[derive(Clone)]
pub struct FileTokenStore {
    path: Arc<Path>,
    next_file: NextFile,
}

impl FileTokenStore {
    /// A store in the file at `path`, which is made when there is something to be stored, with its
    /// folder.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path: PathBuf = path.into();
        Self {
            path: path.into(),
            next_file: NextFile::default(),
        }
    }

    /// What the file holds, if it is there.
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
    /// If it cannot be read, is not a regular file that can be replaced, or holds something else.
    pub fn read(&self) -> Result<Option<StoredToken>, BoxError> {
        let mut content = Zeroizing::new(Vec::new());
        let read = regular_file::open(&private_files::reading(), &self.path).and_then(|file| {
            regular_file::check_not_mounted(&self.place())?;
            // Room for all of it, as what grows leaves copies behind.
            let length = file.metadata()?.len().min(LIMIT);
            content.reserve_exact(usize::try_from(length).unwrap_or_default() + 2);
            file.take(LIMIT + 1).read_to_end(&mut content)
        });
        match read {
            Ok(0) => Ok(None),
            Ok(_) => self.parsed(&content).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("could not be read", error)),
        }
    }

    /// Puts `next` in the place of the one that it [replaces](StoredToken::replaces), and tells
    /// whether that stood there.
    ///
    /// # Errors
    ///
    /// If the file cannot be locked, read or written.
    pub fn replace(&self, next: &StoredToken) -> Result<bool, BoxError> {
        let path = self.place();
        // Nor is anything made beside what is not a file.
        regular_file::replaceable_length(&path)
            .map_err(|error| self.failed("could not be replaced", error))?;
        let _lock = self.locked(&path)?;
        let version = self.read()?.map_or(0, |stored| stored.version);
        if version != next.replaces() {
            return Ok(false);
        }
        let text = text(next)?;
        if text.len() as u64 > LIMIT {
            return Err(self.wrong("cannot take so large a token"));
        }
        let written = self.next_file.replace(&path, &text);
        written.map_err(|error| self.failed("could not be written", error))?;
        Ok(true)
    }

    /// The right to renew the token, unless somebody else has it; and room for the next one, which
    /// [`replace`](Self::replace) uses.
    ///
    /// # Errors
    ///
    /// If the lease cannot be opened, or the next token could not be written. Nothing is to be
    /// renewed then, as it could not be stored.
    pub fn try_lease(&self) -> Result<Option<Lease>, BoxError> {
        let failed = |error| self.failed("could not be leased", error);
        let path = self.place();
        let length = regular_file::replaceable_length(&path).map_err(failed)?;
        let lease = self.opened(&path, "lease").map_err(failed)?;
        match lease.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let lock = self.locked(&path)?;
        let size = length.saturating_add(SLACK).min(LIMIT);
        let reserved = self.next_file.reserve(&path, size);
        drop(lock);
        reserved.map_err(|error| {
            let new = beside(&path, "new");
            let new = new.display();
            format!("the file {new}, to which the next token is to be written, could not be made ({error})")
        })?;
        Ok(Some(Lease::new(Held {
            path,
            next_file: self.next_file.clone(),
            _lease: lease,
        })))
    }

    /// The file itself where the path is a link to it, so that the link stays.
    fn place(&self) -> PathBuf {
        let target = self.path.canonicalize();
        // What a link leads to need not be there yet.
        let target = target.or_else(|_| Ok(folder(&self.path).join(fs::read_link(&self.path)?)));
        target.unwrap_or_else(|_: io::Error| self.path.to_path_buf())
    }

    /// An empty file beside the token's, to be locked. It stays: to remove one that somebody else
    /// is about to lock would give the lock to both.
    fn opened(&self, path: &Path, what: &str) -> io::Result<File> {
        private_files::create_folder(folder(path))?;
        let mut options = private_files::writing();
        options.create(true).truncate(false);
        regular_file::open(&options, &beside(path, what))
    }

    /// The lock of those who write.
    fn locked(&self, path: &Path) -> Result<File, BoxError> {
        let lock = self.opened(path, "lock").and_then(locked);
        lock.map_err(|error| self.failed("could not be locked", error))
    }

    /// Nothing of a file that is not one of ours is told: it may be any secret.
    fn parsed(&self, content: &[u8]) -> Result<StoredToken, BoxError> {
        let broken = || self.wrong("does not hold a token; move it away, or name another file");
        if content.len() as u64 > LIMIT {
            return Err(broken());
        }
        let content = without_byte_order_mark(content);
        let known: Content = serde_json::from_slice(content).map_err(|_| broken())?;
        match (known.format, known.version) {
            (Some(FORMAT), Some(version)) => Ok(StoredToken::new(known.token, version)),
            (Some(later), _) if later > FORMAT => {
                Err(self.wrong("was written by a later version of this library"))
            }
            (None, None) => {
                let token: Token = serde_json::from_slice(content).map_err(|_| broken())?;
                Ok(StoredToken::new(Some(token), 0))
            }
            _ => Err(broken()),
        }
    }

    fn failed(&self, what: &str, error: io::Error) -> BoxError {
        self.wrong(&format!("{what} ({error})"))
    }

    fn wrong(&self, what: &str) -> BoxError {
        format!("the file {} {what}", self.path.display()).into()
    }
}

impl fmt::Debug for FileTokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("FileTokenStore");
        debug.field("path", &self.path).finish()
    }
}

/// A lease that is held. Its lock ends when the file is closed, also by the end of the process.
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
        // Somebody who is writing takes the file away; what is left is made anew next time.
        let lock = regular_file::open(&private_files::writing(), &beside(&self.path, "lock"));
        if let Ok(lock) = lock
            && lock.try_lock().is_ok()
        {
            let _ = next_file::remove(&self.path);
        }
    }
}

/// What stands in a file. One with a bare token has neither `format` nor `version`.
#[derive(Deserialize, Serialize)]
struct Content {
    format: Option<u64>,
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Token>,
}

/// Locks a file, which nobody holds for long unless they have been stopped.
fn locked(file: File) -> io::Result<File> {
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if began.elapsed() < BUSY => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other("another process keeps it"));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
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
fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".");
    name.push(what);
    name.into()
}

/// The folder of a file; that of the program's own work where the path names none.
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
