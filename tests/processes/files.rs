//! The file that processes share, and its folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{expired_token, folder::Folder};

pub struct Files {
    folder: Folder,
    pub token: PathBuf,
}

impl Files {
    /// A folder without a token.
    pub fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        let token = folder.file("token.json");
        Self { folder, token }
    }

    /// A folder with a token of Authlib's, as a user has it who changes over.
    pub fn with_expired_token(name: &str) -> Self {
        let files = Self::new(name);
        files.put(&expired_token("t0"));
        files
    }

    pub fn put(&self, token: &Value) {
        fs::write(&self.token, token.to_string()).unwrap();
    }

    pub fn content(&self) -> Value {
        serde_json::from_slice(&fs::read(&self.token).unwrap()).expect("all of a token")
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.file(name)
    }

    pub fn folder(&self) -> &Path {
        self.token.parent().unwrap()
    }

    /// Fills a small disk.
    pub fn fill(&self) -> PathBuf {
        let path = self.file("others");
        fs::write(&path, vec![b'x'; 1024 * 1024]).expect_err("a full disk");
        path
    }
}

/// Mount of a test, removed at its end.
pub struct Mount(PathBuf);

impl Mount {
    /// A small disk; none, with a message, if the test has no permission to mount.
    pub fn small_disk(at: &Path) -> Option<Self> {
        Self::new(&["-t", "tmpfs", "-o", "size=64k", "tmpfs"], at)
    }

    /// A file on itself.
    pub fn single_file(at: &Path) -> Option<Self> {
        Self::new(&["--bind", at.to_str().unwrap()], at)
    }

    fn new(arguments: &[&str], at: &Path) -> Option<Self> {
        if run("mount", arguments, at) {
            return Some(Self(at.to_owned()));
        }
        eprintln!("passed over: this needs the right to mount");
        None
    }

    pub fn remount(&self, option: &str) {
        let option = format!("remount,{option}");
        assert!(run("mount", &["-o", &option], &self.0));
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        run("umount", &["-l"], &self.0);
    }
}

/// Whether a command has done its work on `path`.
pub fn run(program: &str, arguments: &[&str], path: &Path) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).arg(path).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
