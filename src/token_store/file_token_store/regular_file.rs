//! Regular files, as nothing else is opened: a FIFO would block for ever, a device may do anything.

use std::{
    fs::{self, File, FileType, OpenOptions},
    io::{self, ErrorKind},
    path::Path,
};

use crate::token_store::private_files;

/// Opens a regular file, or makes one where `options` say so.
pub(super) fn open(options: &OpenOptions, path: &Path) -> io::Result<File> {
    match fs::metadata(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(metadata) => check(path, metadata.file_type())?,
        Err(_) => {}
    }
    // What has come here in the meantime does not block: see `private_files`.
    let file = options.open(path)?;
    check(path, file.metadata()?.file_type())?;
    Ok(file)
}

/// The length of a file that another one is to replace, 0 where none is.
pub(super) fn replaceable_length(path: &Path) -> io::Result<u64> {
    match fs::metadata(path) {
        Ok(metadata) => {
            check(path, metadata.file_type())?;
            check_not_mounted(path)?;
            Ok(metadata.len())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// A file that is mounted by itself cannot be replaced, nor does it show what has replaced it
/// elsewhere.
pub(super) fn check_not_mounted(path: &Path) -> io::Result<()> {
    if private_files::is_mount_point(path) {
        return Err(irregular(
            path,
            "a mount point, so it cannot be replaced; mount its folder instead",
        ));
    }
    Ok(())
}

fn check(path: &Path, kind: FileType) -> io::Result<()> {
    if kind.is_file() {
        return Ok(());
    }
    let kind = private_files::name(kind);
    let what = format!("{kind}; move it away, or name the path of a regular file");
    Err(irregular(path, &what))
}

fn irregular(path: &Path, what: &str) -> io::Error {
    let name = path.file_name().unwrap_or(path.as_os_str());
    io::Error::other(format!("{} is {what}", name.display()))
}
