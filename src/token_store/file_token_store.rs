//! A token in a file.

use std::{
    ffi::OsString,
    fs::{self, File, TryLockError},
    io::{self, ErrorKind, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Lease, StoredToken, private_files};
use crate::{error::BoxError, oauth2::Token};

/// As large as a file may be, in bytes.
const LIMIT: u64 = 1024 * 1024;

/// What this version writes, and the latest that it reads.
const FORMAT: u64 = 1;

/// Keeps a token in a file, for a program that stays logged in between runs and may run several
/// times at once.
///
#[cfg_attr(
    feature = "blocking",
    doc = r#"```
# fn main() -> Result<(), Box<dyn std::error::Error>> {
# let server = httpmock::MockServer::start();
# server.mock(|when, then| {
#     when.path("/token");
#     then.json_body_obj(&serde_json::json!({"access_token": "t", "expires_in": 600}));
# });
# let token_endpoint = server.url("/token");
# let folder = std::env::temp_dir().join(format!("oauth-twin-{}", std::process::id()));
use oauth_twin::{FileTokenStore, OAuth2Client, oauth2::ClientCredentials};

// let folder = the program's own folder in the person's home
let client = OAuth2Client::builder("client-id")
    .client_secret("client-secret")
    .token_endpoint(token_endpoint)
    .grant(ClientCredentials::new())
    .token_store(FileTokenStore::new(folder.join("token.json")))
    .build()?;
client.ensure_active_token()?;           // that of the last run, or a new one
# client.close()?;
# assert!(folder.join("token.json").exists());
# std::fs::remove_dir_all(folder)?;
# Ok(()) }
```"#
)]
///
/// A program that is killed leaves the old token or the new one, never half of one, and holds up
/// nobody: the operating system frees its locks. One that is only stopped keeps them, and others go
/// on as long as their token is good. Where refresh tokens are good for once, a program that is
/// killed between the server's answer and the file has spent the one that stands there, and the
/// person has to log in again.
///
/// Two empty files stand beside the token's, with `.lease` and `.lock` behind its name; leave them
/// there. A file with a bare token, as Authlib's users keep it, is read, too. Locks need a file
/// system that has them: a local one, or a network one that is set up for it.
///
/// # Security
///
/// The token stands there as it is. On Unix the file can be read by its owner alone (0600), and so
/// can a folder that had to be made (0700); elsewhere they have the rights of the folder above.
#[derive(Clone, Debug)]
pub struct FileTokenStore {
    path: Arc<Path>,
}

impl FileTokenStore {
    /// A store in the file at `path`, which is made when there is something to be stored, with its
    /// folder.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path: PathBuf = path.into();
        Self { path: path.into() }
    }

    /// What the file holds.
    pub(crate) fn read(&self) -> Result<Option<StoredToken>, BoxError> {
        let mut content = Zeroizing::new(Vec::new());
        let read =
            File::open(&self.path).and_then(|file| file.take(LIMIT + 1).read_to_end(&mut content));
        match read {
            Ok(0) => Ok(None),
            Ok(_) => self.parsed(&content).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("could not be read", error)),
        }
    }

    /// Puts `next` in the place of the one that it replaces, if that stands there.
    pub(crate) fn replace(&self, next: &StoredToken) -> Result<bool, BoxError> {
        let path = self.place();
        let _lock = self
            .opened(&path, "lock")
            .and_then(|file| file.lock().map(|()| file))
            .map_err(|error| self.failed("could not be locked", error))?;
        let version = self.read()?.map_or(0, |stored| stored.version);
        if version != next.replaces() {
            return Ok(false);
        }
        let written = self.write(&path, &text(next)?);
        written.map_err(|error| self.failed("could not be written", error))?;
        Ok(true)
    }

    /// The lease, unless somebody has it.
    pub(crate) fn try_lease(&self) -> Result<Option<Lease>, BoxError> {
        let file = self.opened(&self.place(), "lease");
        let file = file.map_err(|error| self.failed("could not be leased", error))?;
        match file.try_lock() {
            // The lock ends when the file is closed, also by the end of the process.
            Ok(()) => Ok(Some(Lease::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(self.failed("could not be leased", error)),
        }
    }

    /// The file itself where the path is a link to it, so that the link stays.
    fn place(&self) -> PathBuf {
        self.path
            .canonicalize()
            .unwrap_or_else(|_| self.path.to_path_buf())
    }

    /// An empty file beside the token's, to be locked. It stays: to remove one that somebody else
    /// is about to lock would give the lock to both.
    fn opened(&self, path: &Path, what: &str) -> io::Result<File> {
        private_files::create_folder(folder(path))?;
        private_files::options()
            .create(true)
            .truncate(false)
            .open(beside(path, what))
    }

    /// All or nothing, whenever the process or the system is stopped.
    fn write(&self, path: &Path, text: &[u8]) -> io::Result<()> {
        let new = beside(path, "new");
        // That of a process that was killed, or one that somebody else could read.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = private_files::options().create_new(true).open(&new)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        private_files::sync_folder(folder(path))
    }

    /// Nothing of a file that is not one of ours is told: it may be any secret.
    fn parsed(&self, content: &[u8]) -> Result<StoredToken, BoxError> {
        let broken = || self.wrong("does not hold a token; move it away, or name another file");
        if content.len() as u64 > LIMIT {
            return Err(broken());
        }
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

/// What stands in a file. One with a bare token has neither `format` nor `version`.
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
mod tests {
    use super::*;

    /// A folder of the test's own, which goes with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("oauth-twin-{}-{name}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let _ = fs::remove_dir_all(&path);
            Self(path)
        }

        fn store(&self) -> FileTokenStore {
            FileTokenStore::new(self.0.join("deep/token.json"))
        }

        fn with(&self, content: impl AsRef<[u8]>) -> FileTokenStore {
            let store = self.store();
            fs::create_dir_all(folder(&store.path)).expect("a folder");
            fs::write(&store.path, content).expect("a file");
            store
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn stored(token: &str, version: u64) -> StoredToken {
        StoredToken::new(Some(Token::new(token)), version)
    }

    #[test]
    fn nothing_is_stored_at_first_and_then_each_in_its_turn() {
        let folder = Folder::new("turns");
        let store = folder.store();
        assert_eq!(store.read().expect("a file that is not there"), None);
        assert!(!store.replace(&stored("early", 2)).expect("a refusal"));
        assert!(store.replace(&stored("first", 1)).expect("a file"));
        assert!(!store.replace(&stored("again", 1)).expect("a refusal"));
        assert!(!store.replace(&stored("early", 3)).expect("a refusal"));
        assert_eq!(store.read().expect("a file"), Some(stored("first", 1)));
        let revoked = StoredToken::new(None, 2);
        assert!(store.replace(&revoked).expect("a file"));
        assert_eq!(store.read().expect("a file"), Some(revoked));
        assert!(!beside(&store.path, "new").exists());
    }

    #[test]
    fn of_many_who_replace_the_same_one_does() {
        let folder = Folder::new("race");
        let store = folder.store();
        for version in 1..20 {
            let won: usize = std::thread::scope(|scope| {
                let replace = |n: usize| {
                    let next = stored(&format!("{version}/{n}"), version);
                    usize::from(store.replace(&next).expect("a file"))
                };
                let threads: Vec<_> = (0..4).map(|n| scope.spawn(move || replace(n))).collect();
                threads
                    .into_iter()
                    .map(|one| one.join().expect("a thread"))
                    .sum()
            });
            assert_eq!(won, 1, "{version}");
        }
    }

    #[test]
    fn one_has_the_lease_until_it_is_dropped() {
        let folder = Folder::new("lease");
        let (store, other) = (folder.store(), folder.store());
        let lease = store.try_lease().expect("a file").expect("the lease");
        assert!(other.try_lease().expect("a file").is_none());
        assert!(store.try_lease().expect("a file").is_none());
        assert!(
            other.replace(&stored("login", 1)).expect("a file"),
            "needs no lease"
        );
        drop(lease);
        assert!(other.try_lease().expect("a file").is_some());
    }

    #[test]
    fn a_bare_token_is_the_first_of_all() {
        let folder = Folder::new("bare");
        let store =
            folder.with(r#"{"access_token": "a", "token_type": "Bearer", "expires_at": 1}"#);
        let read = store.read().expect("a token").expect("a token");
        assert_eq!((read.version, read.token.is_some()), (0, true));
        assert!(store.replace(&stored("b", 1)).expect("a file"));
        assert_eq!(store.read().expect("a file"), Some(stored("b", 1)));
    }

    #[test]
    fn a_file_of_something_else_is_an_error_that_tells_nothing_of_it_and_stays() {
        let folder = Folder::new("strange");
        for content in [
            "hunter2",
            r#"{"access_token": "hunter2""#,
            r#"["hunter2"]"#,
            r#"{"format": "hunter2"}"#,
            r#"{"format": 1, "token": {"access_token": "hunter2"}}"#,
            r#"{"format": 0, "version": 1}"#,
            r#"{"version": 1, "token": {"access_token": "hunter2"}}"#,
            r#"{"format": 1, "version": -1}"#,
            r#"{"format": 1, "version": 1, "token": "hunter2"}"#,
            r#"{"format": 1, "version": 1, "token": {"refresh_token": "hunter2"}}"#,
            r#"{"format": 1, "version": 1, "version": 2}"#,
            "{}",
            "null",
            "\0",
        ] {
            let store = folder.with(content);
            for error in [
                store.read().expect_err(content),
                store.replace(&stored("t", 1)).expect_err(content),
            ] {
                let error = format!("{error} {error:?}");
                assert!(
                    error.contains("token.json does not hold a token; move it"),
                    "{error}"
                );
                assert!(!error.contains("hunter2"), "{error}");
            }
            assert_eq!(fs::read_to_string(&store.path).expect("a file"), content);
        }
        let store = folder.with([0xff, 0xfe]);
        store.read().expect_err("no UTF-8");
        let store = folder.with(vec![b' '; 2_000_000]);
        store.read().expect_err("too large");
        let later = r#"{"format": 2, "version": "hunter2"}"#;
        folder.with(later).read().expect_err("a later one");
        let store = folder.with(r#"{"format": 2, "version": 1, "keys": []}"#);
        let error = store.read().expect_err("a later one").to_string();
        assert!(
            error.ends_with("was written by a later version of this library"),
            "{error}"
        );
    }

    #[test]
    fn an_empty_file_holds_nothing() {
        let folder = Folder::new("empty");
        let store = folder.with("");
        assert_eq!(store.read().expect("a file"), None);
        assert!(store.replace(&stored("t", 1)).expect("a file"));
    }

    #[test]
    fn what_a_killed_process_left_is_in_nobodys_way() {
        let folder = Folder::new("killed");
        let store = folder.store();
        assert!(store.replace(&stored("t", 1)).expect("a file"));
        fs::write(beside(&store.path, "new"), r#"{"format": 1, "ver"#).expect("a file");
        assert_eq!(store.read().expect("a file"), Some(stored("t", 1)));
        assert!(store.replace(&stored("u", 2)).expect("a file"));
        assert_eq!(store.read().expect("a file"), Some(stored("u", 2)));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error_that_names_the_file() {
        let folder = Folder::new("folder");
        fs::write(&folder.0, "a file").expect("a file");
        let store = folder.store();
        for error in [
            store.read().expect_err("no folder"),
            store.replace(&stored("t", 1)).expect_err("no folder"),
            store.try_lease().expect_err("no folder"),
        ] {
            assert!(
                error.to_string().contains("token.json could not be "),
                "{error}"
            );
        }
        fs::remove_file(&folder.0).expect("a file");
    }

    #[test]
    fn a_path_without_a_folder_is_in_the_folder_of_work() {
        assert_eq!(folder(Path::new("token.json")), Path::new("."));
        assert_eq!(folder(Path::new("/token.json")), Path::new("/"));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_and_a_link_stays_a_link() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = Folder::new("rights");
        let store = folder.store();
        let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
        let _lease = store.try_lease().expect("a file");
        assert!(store.replace(&stored("t", 1)).expect("a file"));
        for (path, expected) in [
            (store.path.to_path_buf(), 0o600),
            (beside(&store.path, "lease"), 0o600),
            (beside(&store.path, "lock"), 0o600),
            (folder.0.join("deep"), 0o700),
        ] {
            assert_eq!(mode(&path), expected, "{}", path.display());
        }
        // One that others could read gives way to one that they cannot.
        fs::set_permissions(&store.path, fs::Permissions::from_mode(0o644)).expect("a file");
        let link = folder.0.join("link.json");
        symlink(&store.path, &link).expect("a link");
        assert!(
            FileTokenStore::new(&link)
                .replace(&stored("u", 2))
                .expect("a file")
        );
        assert_eq!(mode(&store.path), 0o600);
        assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
        assert_eq!(store.read().expect("a file"), Some(stored("u", 2)));
    }

    proptest::proptest! {
        #[test]
        fn no_content_makes_it_panic(content: Vec<u8>, json in r#"\{("(format|version|token|access_token)": ?(1|2|-1|"x"|\{\}|null),? ?){0,4}\}"#) {
            let store = FileTokenStore::new("token.json");
            let _ = store.parsed(&content);
            let _ = store.parsed(json.as_bytes());
        }
    }
}
