//! File with the suffix `.new`, which is renamed over the file of the token.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read as _, Seek as _, Write as _},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use crate::token_store::{
    StoredToken,
    file_token_store::{beside, folder},
    private_files,
};

/// What has to be in a file after a crash of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// The new token: the old one may be of no use.
    Certain,
    /// Either, as the same refresh token renews both. A folder need not be synced for that, which
    /// takes as long as the file itself.
    Either,
}

impl Durability {
    pub(super) fn of(stored: Option<&StoredToken>, next: &StoredToken) -> Self {
        let [old, new] = [stored, Some(next)].map(|stored| stored?.token.as_ref()?.refresh_token());
        match new.is_some() && old == new {
            true => Self::Either,
            false => Self::Certain,
        }
    }
}

/// File for the next token, kept open from the lease on, so that its disk space stays reserved. Used
/// under the lock for writing only.
#[derive(Clone, Default)]
pub(super) struct NextFile(Arc<Mutex<Option<File>>>);

impl NextFile {
    /// Reserves space for a token of `size` bytes.
    pub(super) fn reserve(&self, path: &Path, size: u64) -> io::Result<()> {
        self.keep(None);
        let mut file = create(path)?;
        if let Err(error) = io::copy(&mut io::repeat(0).take(size), &mut file) {
            let _ = remove(path);
            return Err(error);
        }
        self.keep(Some(file));
        Ok(())
    }

    /// Replaces the file at `path` by one with `text`, atomically, whenever the process is killed
    /// or the system crashes.
    pub(super) fn replace(
        &self,
        path: &Path,
        text: &[u8],
        durability: Durability,
    ) -> io::Result<()> {
        let new = beside(path, "new");
        // Another process may have replaced the reserved file by its own.
        let reserved = self.keep(None);
        let reserved = reserved.filter(|file| private_files::is_same(file, &new));
        let is_reserved = reserved.is_some();
        let mut file = match reserved {
            Some(file) => file,
            None => create(path)?,
        };
        let written = write(&mut file, text).and_then(|()| fs::rename(&new, path));
        if let Err(error) = written {
            // The next attempt needs the space, too.
            match is_reserved {
                true => drop(self.keep(Some(file))),
                false => drop(remove(path)),
            }
            return Err(error);
        }
        if durability == Durability::Certain {
            // The token is stored by now. Not every file system can sync a folder.
            let _ = private_files::sync_folder(folder(path));
        }
        Ok(())
    }

    /// Closes the reserved file, and returns whether there was one.
    pub(super) fn close(&self) -> bool {
        self.keep(None).is_some()
    }

    /// Replaces the open file, and returns the previous one.
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

/// Creates a new file, which no other process has open.
fn create(path: &Path) -> io::Result<File> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth2::token::Token;

    #[test]
    fn only_the_same_refresh_token_makes_the_old_file_as_good() {
        let token = |access| Token::new(access);
        let (old, new) = (token("a").with_refresh_token("r"), token("b"));
        for (old, new, expected) in [
            (
                Some(old.clone()),
                Some(new.clone().with_refresh_token("r")),
                Durability::Either,
            ),
            (
                Some(old.clone()),
                Some(new.clone().with_refresh_token("s")),
                Durability::Certain,
            ),
            (Some(old.clone()), Some(new.clone()), Durability::Certain),
            (Some(token("a")), Some(new.clone()), Durability::Certain),
            (Some(old), None, Durability::Certain),
            (None, Some(new.with_refresh_token("r")), Durability::Certain),
        ] {
            let [old, new] = [old, new].map(|token| StoredToken::new(token, 1));
            assert_eq!(
                Durability::of(Some(&old), &new),
                expected,
                "{old:?} {new:?}"
            );
            assert_eq!(Durability::of(None, &new), Durability::Certain);
        }
    }
}
