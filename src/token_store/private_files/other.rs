//! Files with the permissions that they inherit from their folder.

use std::{
    fs::{DirBuilder, File, FileType, OpenOptions},
    io,
    path::Path,
};

/// Options to read a file.
pub(super) fn reading() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    options
}

/// Options to create or to lock a file.
pub(super) fn writing() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    options
}

/// Creates a folder and its missing parents.
pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(folder)
}

/// Does nothing: a folder cannot be opened to be synced.
pub(super) fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Whether `file` is the one at `path`, which is not known here.
pub(super) fn is_same(_file: &File, _path: &Path) -> bool {
    false
}

/// Single files are not mounted.
pub(super) fn is_mount_point(_file: &File, _folder: &Path) -> bool {
    false
}

/// The name of a type of file other than a regular one.
pub(super) fn name(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a folder"
    } else {
        "not a regular file"
    }
}
