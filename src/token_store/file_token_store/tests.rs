use std::fs;

use crate::token_store::file_token_store::*;

/// Folder of a test, removed at its end.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Self {
        let name = format!("oauth-twin-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    pub(super) fn store(&self) -> FileTokenStore {
        FileTokenStore::new(self.0.join("deep/token.json"))
    }

    pub(super) fn with(&self, content: impl AsRef<[u8]>) -> FileTokenStore {
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

pub(super) fn stored(token: &str, version: u64) -> StoredToken {
    StoredToken::new(Some(Token::new(token)), version)
}

#[test]
fn versions_are_stored_in_order() {
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
fn one_of_many_concurrent_writes_of_a_version_succeeds() {
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
fn the_lease_reserves_space_until_it_ends() {
    let folder = Folder::new("room");
    let store = folder.with(serde_json::json!({"access_token": "t".repeat(9000)}).to_string());
    let new = beside(&store.path, "new");
    let room = || fs::metadata(&new).map(|file| file.len()).ok();
    let lease = store.try_lease().expect("a file").expect("the lease");
    assert!(room() >= Some(9000 + 4096), "{:?}", room());
    assert!(store.try_lease().expect("a file").is_none());
    assert!(room().is_some(), "others who ask leave it there");
    drop(lease);
    assert_eq!(room(), None, "nothing was renewed");
    let lease = store.try_lease().expect("a file").expect("the lease");
    assert!(!store.replace(&stored("early", 2)).expect("a refusal"));
    assert!(room().is_some(), "nothing was written");
    assert!(store.clone().replace(&stored("t", 1)).expect("a file"));
    assert_eq!(room(), None, "the token has it");
    assert!(store.replace(&stored("u", 2)).expect("a file"), "once more");
    fs::write(&new, "of another process").expect("a file");
    drop(lease);
    assert!(new.exists(), "only its own is taken away");
    assert_eq!(store.read().expect("a file"), Some(stored("u", 2)));
}

/// A login does not wait for the lease, and uses the reserved space; another process may do so, too.
#[test]
fn a_write_without_the_lease_does_not_mix_with_one_under_it() {
    let folder = Folder::new("mixed");
    let (store, other) = (folder.store(), folder.store());
    let lease = store.try_lease().expect("a file").expect("the lease");
    assert!(other.replace(&stored("login", 1)).expect("a file"));
    assert!(!store.replace(&stored("renewed", 1)).expect("a refusal"));
    assert_eq!(store.read().expect("a file"), Some(stored("login", 1)));
    assert!(store.replace(&stored("renewed", 2)).expect("a file"));
    drop(lease);
    let _lease = store.try_lease().expect("a file").expect("the lease");
    // A file that a killed process left behind instead of the reserved one.
    let new = beside(&store.path, "new");
    fs::remove_file(&new).expect("a file");
    fs::write(&new, "half of a tok").expect("a file");
    assert!(store.replace(&stored("next", 3)).expect("a file"));
    assert_eq!(store.read().expect("a file"), Some(stored("next", 3)));
    assert!(!new.exists());
}

#[test]
fn a_deleted_folder_is_made_again() {
    let folder = Folder::new("deleted");
    let store = folder.store();
    assert!(store.replace(&stored("t", 1)).expect("a file"));
    fs::remove_dir_all(&folder.0).expect("a folder");
    assert_eq!(store.read().expect("no file"), None);
    let lease = store.try_lease().expect("a folder").expect("the lease");
    fs::remove_dir_all(&folder.0).expect("a folder");
    assert!(!store.replace(&stored("u", 2)).expect("a refusal"));
    assert!(store.replace(&stored("u", 1)).expect("a folder"));
    assert_eq!(store.read().expect("a file"), Some(stored("u", 1)));
    fs::remove_dir_all(&folder.0).expect("a folder");
    drop(lease);
    assert!(!folder.0.exists(), "by what is to be stored alone");
}

#[test]
fn a_folder_at_the_path_is_an_error_that_says_so() {
    let folder = Folder::new("a-folder");
    let store = folder.store();
    let expected = |name: &str| format!("({name} is a folder; move it away");
    let failed = |result: Result<(), BoxError>, name: &str| {
        let error = result.expect_err(name).to_string();
        assert!(error.contains(&expected(name)), "{error}");
    };
    fs::create_dir_all(&store.path).expect("a folder");
    failed(store.read().map(|_| ()), "token.json");
    failed(store.try_lease().map(|_| ()), "token.json");
    failed(store.replace(&stored("t", 1)).map(|_| ()), "token.json");
    fs::remove_dir(&store.path).expect("a folder");
    for what in ["lock", "lease"] {
        let path = beside(&store.path, what);
        let _ = fs::remove_file(&path);
        fs::create_dir(&path).expect("a folder");
        let name = format!("token.json.{what}");
        failed(store.try_lease().map(|_| ()), &name);
        fs::remove_dir(&path).expect("a folder");
    }
    fs::create_dir(beside(&store.path, "new")).expect("a folder");
    let error = store.try_lease().expect_err("no room").to_string();
    assert!(error.contains("token.json.new, which reserves"), "{error}");
    store.replace(&stored("t", 1)).expect_err("no room");
}

#[test]
fn debug_tells_the_path() {
    let store = FileTokenStore::new("token.json");
    assert_eq!(
        format!("{store:?}"),
        r#"FileTokenStore { path: "token.json" }"#
    );
}

#[test]
fn a_bare_token_has_version_zero() {
    let folder = Folder::new("bare");
    let store = folder.with(r#"{"access_token": "a", "token_type": "Bearer", "expires_at": 1}"#);
    let read = store.read().expect("a token").expect("a token");
    assert_eq!((read.version, read.token.is_some()), (0, true));
    assert!(store.replace(&stored("b", 1)).expect("a file"));
    assert_eq!(store.read().expect("a file"), Some(stored("b", 1)));
}

/// Some editors write it.
#[test]
fn a_byte_order_mark_is_passed_over() {
    let folder = Folder::new("mark");
    for (content, version) in [
        (r#"{"access_token": "a"}"#, 0),
        (
            r#"{"format": 1, "version": 3, "token": {"access_token": "a"}}"#,
            3,
        ),
    ] {
        let store = folder.with(format!("\u{feff}{content}"));
        let read = store.read().expect(content).expect(content);
        assert_eq!((read.version, read.token.is_some()), (version, true));
        let next = stored("b", version + 1);
        assert!(store.replace(&next).expect("a file"));
        assert_eq!(store.read().expect("a file"), Some(next));
    }
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
                error.contains("token.json does not contain a token; move it"),
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
        error.contains("was written by a later version of oauth-twin; upgrade"),
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
fn a_file_left_by_a_killed_process_is_replaced() {
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
fn what_could_not_be_read_again_is_not_written() {
    let folder = Folder::new("large");
    let store = folder.store();
    let error = store.replace(&stored(&"t".repeat(1024 * 1024), 1));
    assert!(
        error
            .expect_err("too large")
            .to_string()
            .contains("larger than 1 MiB")
    );
    assert_eq!(store.read().expect("no file"), None);
}

#[test]
fn a_lock_that_a_stopped_process_keeps_is_an_error() {
    let folder = Folder::new("stopped");
    let store = folder.store();
    assert!(store.replace(&stored("t", 1)).expect("a file"));
    let lock = File::open(beside(&store.path, "lock")).expect("a file");
    lock.lock().expect("the lock");
    let errors = std::thread::scope(|scope| {
        let lease = scope.spawn(|| store.try_lease().expect_err("it could not be written"));
        let replace = store.replace(&stored("u", 2)).expect_err("no lock");
        [replace, lease.join().expect("a thread")]
    });
    for error in errors {
        assert!(
            error
                .to_string()
                .contains("another process has held the lock for 5 seconds"),
            "{error}"
        );
    }
    drop(lock);
    assert!(store.try_lease().expect("a file").is_some());
    assert!(store.replace(&stored("u", 2)).expect("a file"));
}

#[test]
fn a_path_without_a_folder_is_in_the_working_directory() {
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
    // A file that others can read is replaced by one that they cannot.
    fs::set_permissions(&store.path, fs::Permissions::from_mode(0o644)).expect("a file");
    let link = folder.0.join("link.json");
    symlink("deep/token.json", &link).expect("a link");
    let linked = FileTokenStore::new(&link);
    assert!(linked.replace(&stored("u", 2)).expect("a file"));
    assert_eq!(mode(&store.path), 0o600);
    assert_eq!(store.read().expect("a file"), Some(stored("u", 2)));
    // Also if its target does not exist yet.
    fs::remove_file(&store.path).expect("a file");
    assert!(linked.replace(&stored("v", 1)).expect("a file"));
    assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
    assert_eq!(store.read().expect("a file"), Some(stored("v", 1)));
}

proptest::proptest! {
    #[test]
    fn no_content_makes_it_panic(content: Vec<u8>, json in r#"\{("(format|version|token|access_token)": ?(1|2|-1|"x"|\{\}|null),? ?){0,4}\}"#) {
        let store = FileTokenStore::new("token.json");
        let _ = store.parse(&content);
        let _ = store.parse(json.as_bytes());
    }
}
