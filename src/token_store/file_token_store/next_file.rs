//! The file beside that of the token, with `.new` behind its name, that takes its place.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read as _, Seek as _, Write as _},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use crate::token_store::{
    file_token_store::{beside, folder},
    private_files,
};

/// The file for the next token, kept open from the lease on: what it takes on the disk is there
/// for the token. Whoever uses it has locked the token's file.
#[derive(Clone, Default)]
pub(super) struct NextFile(Arc<Mutex<Option<File>>>);

impl NextFile {
    /// Makes room for a token of `size` bytes.
    pub(super) fn reserve(&self, path: &Path, size: u64) -> io::Result<()> {
        self.keep(None);
        let mut file = created(path)?;
        if let Err(error) = io::copy(&mut io::repeat(0).take(size), &mut file) {
            let _ = remove(path);
            return Err(error);
        }
        self.keep(Some(file));
        Ok(())
    }

    /// Puts `text` in the place of the file at `path`: all or nothing, whenever the process or the
    /// system is stopped.
    pub(super) fn replace(&self, path: &Path, text: &[u8]) -> io::Result<()> {
        let new = beside(path, "new");
        // Another process may have put its own in the place of ours.
        let reserved = self.keep(None);
        let reserved = reserved.filter(|file| private_files::is_same(file, &new));
        let is_reserved = reserved.is_some();
        let mut file = match reserved {
            Some(file) => file,
            None => created(path)?,
        };
        let written = write(&mut file, text).and_then(|()| fs::rename(&new, path));
        if let Err(error) = written {
            // The next attempt needs the room, too.
            match is_reserved {
                true => drop(self.keep(Some(file))),
                false => drop(remove(path)),
            }
            return Err(error);
        }
        // The token is in its place. Not every file system can do more, nor every folder.
        let _ = private_files::sync_folder(folder(path));
        Ok(())
    }

    /// Closes what no token has come into, and tells whether it is there.
    pub(super) fn close(&self) -> bool {
        self.keep(None).is_some()
    }

    /// Keeps `file`, and returns the one that was kept.
    fn keep(&self, file: Option<File>) -> Option<File> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut kept, file)
    }
}

fn write(file: &mut File, text: &[u8]) -> io::Result<()> {
    file.rewind()?;
    file.write_all(text)?;
    file.set_len(text.len() as u64)?;
    file.sync_all()
}

/// A new file, so that nobody else has it open.
fn created(path: &Path) -> io::Result<File> {
    remove(path)?;
    let mut options = private_files::writing();
    options.create_new(true).open(beside(path, "new"))
}

/// Removes the file, perhaps one of a process that was killed.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(beside(path, "new")) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
