//! Empty files that are locked. They are never removed: two processes would hold the lock if one
//! removed a file that the other is about to lock.

use std::{
    fs::{File, TryLockError},
    io::{self, ErrorKind},
    path::Path,
    time::{Duration, Instant},
};

use crate::token_store::{
    file_token_store::{folder, regular_file},
    private_files,
};

/// Limit of the wait for a lock while another process writes, which takes a moment.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Locks the file at `path`, or returns none at once if another process has.
pub(in crate::token_store) fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Locks the file at `path`. No process holds this lock for long, unless it was stopped meanwhile.
pub(in crate::token_store) fn lock(path: &Path) -> io::Result<File> {
    let file = open(path)?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if began.elapsed() < TIMEOUT => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other(
                    "another process has held the lock for 5 seconds",
                ));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Opens the file at `path`, and creates it and its folder if they do not exist.
fn open(path: &Path) -> io::Result<File> {
    let mut options = private_files::writing();
    options.create(true).truncate(false);
    match regular_file::open(&options, path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            private_files::create_folder(folder(path))?;
            regular_file::open(&options, path)
        }
        opened => opened,
    }
}
