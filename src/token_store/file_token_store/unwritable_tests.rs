use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt as _, symlink},
        net::UnixListener,
    },
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::token_store::file_token_store::{
    tests::{Folder, stored},
    *,
};

/// Mount of a test, removed at its end.
struct Mount(PathBuf);

impl Mount {
    /// Returns none, and prints so, if the test has no permission to mount.
    fn new(arguments: &[&str], at: &Path) -> Option<Self> {
        if run("mount", arguments, at) {
            return Some(Self(at.to_owned()));
        }
        eprintln!("passed over: this needs the right to mount");
        None
    }

    fn is_remounted_read_only(&self) -> bool {
        run("mount", &["-o", "remount,ro"], &self.0)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        run("umount", &["-l"], &self.0);
    }
}

fn run(program: &str, arguments: &[&str], path: &Path) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).arg(path).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A small disk in the folder of the token.
fn disk(store: &FileTokenStore) -> Option<Mount> {
    let folder = folder(&store.path);
    fs::create_dir_all(folder).expect("a folder");
    Mount::new(&["-t", "tmpfs", "-o", "size=64k", "tmpfs"], folder)
}

/// Fills the disk.
fn fill(store: &FileTokenStore) -> PathBuf {
    let path = folder(&store.path).join("others");
    fs::write(&path, vec![b'x'; 1024 * 1024]).expect_err("a full disk");
    path
}

/// The error of each method, none of which may block.
fn failures(store: &FileTokenStore) -> [String; 3] {
    let began = Instant::now();
    let errors = [
        store.read().expect_err("a file").to_string(),
        store.try_lease().expect_err("a lease").to_string(),
        store
            .replace(&stored("t", 1))
            .expect_err("a file")
            .to_string(),
    ];
    assert!(began.elapsed() < Duration::from_secs(3), "{errors:?}");
    errors
}

#[test]
fn what_is_no_regular_file_is_an_error_at_once() {
    let folder = Folder::new("irregular");
    let store = folder.store();
    fs::create_dir_all(folder.0.join("deep")).expect("a folder");
    let pipe = folder.0.join("pipe");
    assert!(run("mkfifo", &[], &pipe));
    let _socket = UnixListener::bind(folder.0.join("socket")).expect("a socket");
    for (target, expected) in [
        (pipe.as_path(), "pipe is a named pipe (FIFO); move it away"),
        (&folder.0.join("socket"), "socket is a socket; move it away"),
        (Path::new("/dev/null"), "null is a device; move it away"),
    ] {
        // The path of it, or of a link to it.
        symlink(target, &store.path).expect("a link");
        let kind = expected.split_once(" is ").expect("a kind").1;
        for (store, expected) in [(&FileTokenStore::new(target), expected), (&store, kind)] {
            for error in failures(store) {
                assert!(error.contains(expected), "{error}");
            }
            assert!(!beside(target, "lock").exists() && !beside(target, "lease").exists());
        }
        fs::remove_file(&store.path).expect("a link");
    }
    assert!(store.replace(&stored("t", 1)).expect("a file"));
    for what in ["lock", "lease"] {
        let path = beside(&store.path, what);
        let _ = fs::remove_file(&path);
        assert!(run("mkfifo", &[], &path));
        let error = store.try_lease().expect_err("a FIFO").to_string();
        let expected = format!("token.json.{what} is a named pipe (FIFO); move it");
        assert!(error.contains(&expected), "{error}");
        fs::remove_file(&path).expect("a FIFO");
    }
    // Nothing is written into a FIFO, nor waited for.
    assert!(run("mkfifo", &[], &beside(&store.path, "new")));
    let _lease = store.try_lease().expect("room").expect("the lease");
    assert!(store.replace(&stored("u", 2)).expect("a file"));
}

/// A FIFO that replaces the file after the check.
#[test]
fn no_open_blocks() {
    let folder = Folder::new("swapped");
    fs::create_dir_all(&folder.0).expect("a folder");
    let pipe = folder.0.join("pipe");
    assert!(run("mkfifo", &[], &pipe));
    private_files::reading().open(&pipe).expect("a FIFO");
    private_files::writing().open(&pipe).expect_err("no reader");
}

#[test]
fn a_full_disk_is_an_error_of_the_lease() {
    let folder = Folder::new("full");
    let store = folder.store();
    let Some(_disk) = disk(&store) else { return };
    assert!(store.replace(&stored("t", 1)).expect("a file"));
    let others = fill(&store);
    for _ in 0..2 {
        let error = store.try_lease().expect_err("no room").to_string();
        assert!(
            error.contains("token.json.new, which reserves space for the next token")
                && error.contains("No space left"),
            "{error}"
        );
        assert!(!beside(&store.path, "new").exists());
    }
    store.replace(&stored("u", 2)).expect_err("no room");
    assert!(!beside(&store.path, "new").exists());
    assert_eq!(store.read().expect("a file"), Some(stored("t", 1)));
    fs::remove_file(others).expect("a file");
    // The lease was released each time.
    assert!(store.try_lease().expect("room").is_some());
}

#[test]
fn a_disk_that_fills_up_under_the_lease_has_room_for_the_token() {
    let folder = Folder::new("filling");
    let store = folder.store();
    let Some(_disk) = disk(&store) else { return };
    assert!(store.replace(&stored("t", 1)).expect("a file"));
    let lease = store.try_lease().expect("room").expect("the lease");
    let others = fill(&store);
    let large = "u".repeat(20_000);
    store.replace(&stored(&large, 2)).expect_err("no such room");
    assert_eq!(store.read().expect("a file"), Some(stored("t", 1)));
    // A token that does not fit leaves the reserved space unchanged.
    let next = stored(&"u".repeat(3000), 2);
    assert!(store.replace(&next).expect("room"));
    drop(lease);
    assert_eq!(store.read().expect("a file"), Some(next));
    fs::remove_file(others).expect("a file");
}

#[test]
fn a_folder_that_is_read_only_is_an_error_of_the_lease() {
    let folder = Folder::new("read-only");
    let store = folder.store();
    let Some(disk) = disk(&store) else { return };
    for with_locks in [false, true] {
        if with_locks {
            assert!(run("mount", &["-o", "remount,rw"], &disk.0));
            assert!(store.replace(&stored("t", 1)).expect("a file"));
            assert!(store.try_lease().expect("a file").is_some());
        }
        assert!(disk.is_remounted_read_only());
        let error = store.try_lease().expect_err("a lease").to_string();
        assert!(
            error.contains("token.json") && error.contains("Read-only"),
            "{error}"
        );
        let read = store.read().expect("a file");
        assert_eq!(read, with_locks.then(|| stored("t", 1)));
    }
}

/// Files in the folder can be locked, but none can be created.
#[test]
fn missing_permissions_are_an_error_of_the_lease() {
    let folder = Folder::new("permissions");
    let store = folder.store();
    assert!(store.replace(&stored("t", 1)).expect("a file"));
    assert!(store.try_lease().expect("a file").is_some());
    let deep = folder.0.join("deep");
    let allow = |mode| fs::set_permissions(&deep, fs::Permissions::from_mode(mode));
    allow(0o500).expect("a folder");
    let is_root = fs::write(deep.join("probe"), "").is_ok();
    let lease = store.try_lease();
    allow(0o700).expect("a folder");
    if is_root {
        eprintln!("skipped: permissions do not apply to root");
        assert!(lease.expect("a file").is_some());
        return;
    }
    let error = lease.expect_err("no room").to_string();
    assert!(
        error.contains("token.json.new, to which") && error.contains("denied"),
        "{error}"
    );
    assert!(store.try_lease().expect("a file").is_some());
}

#[test]
fn a_file_that_is_mounted_is_an_error_of_the_lease() {
    let folder = Folder::new("mount point");
    let store = folder.with(r#"{"access_token": "t"}"#);
    let path = store.path.to_str().expect("a path");
    let Some(mount) = Mount::new(&["--bind", path], &store.path) else {
        return;
    };
    let link = folder.0.join("link.json");
    symlink("deep/token.json", &link).expect("a link");
    for store in [&store, &FileTokenStore::new(link)] {
        let token = store.read().expect("a file");
        assert_eq!(token, Some(stored("t", 0)));
        let errors = [
            store.try_lease().expect_err("a lease"),
            store.replace(&stored("u", 1)).expect_err("a file"),
        ];
        for error in errors.map(|error| error.to_string()) {
            assert!(
                error.contains("token.json is a mount point") && error.contains("mount its folder"),
                "{error}"
            );
        }
        assert!(!beside(&folder.0.join("deep/token.json"), "lease").exists());
    }
    drop(mount);
    assert!(store.replace(&stored("u", 1)).expect("a file"));
}

/// The folder of a container with a volume.
#[test]
fn a_folder_that_is_mounted_is_none() {
    let folder = Folder::new("volume");
    let store = folder.store();
    let Some(_disk) = disk(&store) else { return };
    assert!(store.replace(&stored("t", 1)).expect("a file"));
    let _lease = store.try_lease().expect("a file").expect("the lease");
    assert!(store.replace(&stored("u", 2)).expect("a file"));
    assert_eq!(store.read().expect("a file"), Some(stored("u", 2)));
}
