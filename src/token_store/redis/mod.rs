//! A token in Redis: its keys, the commands, and the content of a row, which may be sealed. Beside it
//! the registrations of its client.

mod commands;
mod keys;
mod registrations;
mod row;
mod sealing_keys;

pub(crate) use {
    commands::{Commands, explained, explained_url, is_encrypted},
    keys::RedisKeys,
};

pub use sealing_keys::SealingKeys;
