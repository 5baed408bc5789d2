//! Regular files. Nothing else is opened: a FIFO would block for ever, a device may do anything.

use std::{
    fs::{self, File, FileType, OpenOptions},
    io::{self, ErrorKind},
    path::Path,
};

use crate::token_store::private_files;

/// Opens a regular file, or creates one if `options` say so.
pub(super) fn open(options: &OpenOptions, path: &Path) -> io::Result<File> {
    match fs::metadata(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(metadata) => check(path, metadata.file_type())?,
        Err(_) => {}
    }
    // A FIFO that was created meanwhile does not block: see `private_files`.
    let file = options.open(path)?;
    check(path, file.metadata()?.file_type())?;
    Ok(file)
}

/// The length of a file that is to be replaced; 0 if there is none.
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

/// Checks that the file is no mount point: that could not be replaced, and would not show what
/// replaced the mounted file elsewhere.
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
    let what = format!("{kind}; move it away, or use the path of a regular file");
    Err(irregular(path, &what))
}

fn irregular(path: &Path, what: &str) -> io::Error {
    let name = path.file_name().unwrap_or(path.as_os_str());
    io::Error::other(format!("{} is {what}", name.display()))
}
