//! Documents of the server, which are fetched when they are needed: its metadata and its keys.

pub(super) mod cache;

/// Part of the timeout within which a document has to be there that can be done without: metadata of
/// which there are old ones, and the keys for the ID token of a refresh, or of a login that did not ask for
/// it.
pub(super) const SHARE: u32 = 6;
