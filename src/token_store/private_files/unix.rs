//! Files that only their owner can read.

use std::{
    fs::{self, DirBuilder, File, FileType, OpenOptions},
    io,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _},
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

/// Whether there is a mount point at exactly this path, which contains no links.
///
/// Linux lists its mounts; elsewhere single files are not mounted. The device number is no
/// evidence: it is the same for a mount from the same disk, and may differ in an overlay without
/// one.
pub(super) fn is_mount_point(path: &Path) -> bool {
    let mounts = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let path = escaped(path.as_os_str().as_bytes());
    mounts.split(|byte| *byte == b'\n').any(|mount| {
        let place = mount.split(|byte| *byte == b' ').nth(4);
        place.is_some_and(|place| place == path)
    })
}

/// A path, escaped as in that list.
fn escaped(path: &[u8]) -> Vec<u8> {
    let escaped = path.iter().map(|byte| match byte {
        b' ' | b'\t' | b'\n' | b'\\' => format!("\\{byte:03o}").into_bytes(),
        _ => vec![*byte],
    });
    escaped.flatten().collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_escaped_as_in_the_list_of_mounts() {
        for (path, expected) in [
            ("/a/token.json", "/a/token.json"),
            ("/a b\\\t\nc", r"/a\040b\134\011\012c"),
            ("", ""),
        ] {
            assert_eq!(escaped(path.as_bytes()), expected.as_bytes(), "{path}");
        }
    }
}
