//! Files with the rights that their folder hands down.

use std::{
    fs::{DirBuilder, OpenOptions},
    io,
    path::Path,
};

/// To make a file with.
pub(super) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    options
}

/// Makes a folder and those above it that are missing.
pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(folder)
}

/// A folder cannot be opened to be synced.
pub(super) fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}
