//! Files that only their owner can read.

use std::{
    fs::{self, DirBuilder, File, FileType, OpenOptions},
    io::{self, Read as _},
    os::{
        fd::AsRawFd as _,
        unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _},
    },
    path::Path,
};

/// Options to read a file.
pub(super) fn reading() -> OpenOptions {
    let mut options = non_blocking();
    options.read(true);
    options
}

/// Options to create or to lock a file.
pub(super) fn writing() -> OpenOptions {
    let mut options = non_blocking();
    options.write(true).mode(0o600);
    options
}

/// Options that do not block on a FIFO without a writer, and do not affect regular files.
fn non_blocking() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.custom_flags(libc::O_NONBLOCK);
    options
}

/// Creates a folder and its missing parents.
pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Syncs a folder, so that renames in it survive a system crash.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Whether `file` is the one at `path`.
pub(super) fn is_same(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(file), Ok(there)) => (file.dev(), file.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Whether `file`, which is in `folder`, is a mount point.
///
/// Linux tells the mount of an open file; elsewhere single files are not mounted. The device number
/// is no evidence: it is the same for a mount from the same disk, and may differ in an overlay
/// without one.
pub(super) fn is_mount_point(file: &File, folder: &Path) -> bool {
    let Some(mount) = mount(file) else {
        return false;
    };
    // A folder that cannot be opened has no mount to compare with.
    let of_folder = File::open(folder)
        .ok()
        .and_then(|folder| self::mount(&folder));
    of_folder.is_some_and(|of_folder| of_folder != mount)
}

/// The identifier of the mount that an open file is in.
fn mount(file: &File) -> Option<u64> {
    let mut content = [0; 512];
    let path = format!("/proc/self/fdinfo/{}", file.as_raw_fd());
    let length = File::open(path).ok()?.read(&mut content).ok()?;
    let mut lines = std::str::from_utf8(&content[..length]).ok()?.lines();
    let mount = lines.find_map(|line| line.strip_prefix("mnt_id:"))?;
    mount.trim().parse().ok()
}

/// The name of a type of file other than a regular one.
pub(super) fn name(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a named pipe (FIFO)"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_block_device() || kind.is_char_device() {
        "a device"
    } else {
        "not a regular file"
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn an_open_file_has_a_mount() {
        let [root, proc] = ["/", "/proc"].map(|path| File::open(path).expect("a folder"));
        let mounts = [mount(&root), mount(&proc)];
        assert!(mounts[0].is_some() && mounts[1].is_some(), "{mounts:?}");
        assert!(is_mount_point(&proc, Path::new("/")));
        assert!(!is_mount_point(&root, Path::new("/")));
        let file = File::open("/proc/self/stat").expect("a file");
        assert!(!is_mount_point(&file, Path::new("/proc/self")));
        assert!(!is_mount_point(&file, Path::new("/proc/no such folder")));
    }
}
