//! Regular files. Nothing else is opened: a FIFO would block for ever, a device may do anything.

use std::{
    fs::{self, File, FileType, Metadata, OpenOptions},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use crate::token_store::{file_token_store::folder, private_files};

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

/// File of a token, which may not exist yet.
pub(super) struct Located {
    /// The path of the file itself if there is a symbolic link to it, so that the link is kept.
    pub(super) path: PathBuf,
    pub(super) length: Option<u64>,
}

impl Located {
    /// Finds the file at `path`, which must be a regular one.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let mut path = path.to_path_buf();
        let mut found = fs::symlink_metadata(&path);
        if found.as_ref().is_ok_and(Metadata::is_symlink) {
            path = target(&path)?;
            found = fs::metadata(&path);
        }
        let length = match found {
            Ok(metadata) => {
                check(&path, metadata.file_type())?;
                Some(metadata.len())
            }
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Self { path, length })
    }

    /// Opens the file to read it, and returns it with its length.
    pub(super) fn open(&self) -> io::Result<(File, u64)> {
        // A FIFO that was created meanwhile does not block: see `private_files`.
        let file = private_files::reading().open(&self.path)?;
        let metadata = file.metadata()?;
        check(&self.path, metadata.file_type())?;
        Ok((file, metadata.len()))
    }

    /// Checks that the file can be replaced.
    pub(super) fn check_replaceable(&self) -> io::Result<()> {
        match self.open() {
            // Such a file would not show what replaced the mounted one elsewhere either.
            Ok((file, _)) if private_files::is_mount_point(&file, folder(&self.path)) => {
                Err(irregular(
                    &self.path,
                    "a mount point, so it cannot be replaced; mount its folder instead",
                ))
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The target of a symbolic link, which need not exist yet.
fn target(link: &Path) -> io::Result<PathBuf> {
    let target = link.canonicalize();
    target.or_else(|_| Ok(folder(link).join(fs::read_link(link)?)))
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
