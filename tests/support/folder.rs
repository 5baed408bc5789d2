//! Folder of a test, removed at its end.

use std::path::PathBuf;

pub struct Folder(PathBuf);

impl Folder {
    /// `name` tells the tests of a program apart.
    pub fn new(name: &str) -> Self {
        let name = format!("oauth-twin-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    /// A file of that name in it, which need not be there.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A temporary folder that cannot be removed is no reason to fail.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
