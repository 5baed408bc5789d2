//! Documents of the server, which are fetched when they are needed: its keys.

pub(super) mod cache;
