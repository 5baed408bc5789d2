//! The parts of an interactive login that are the same in both modes. Nothing in it waits: sockets
//! and standard input are polled, and the clients sleep in between.

pub(crate) mod answer;
pub(crate) mod browser;
pub(crate) mod browser_request;
pub(crate) mod environment;
#[cfg_attr(unix, path = "input/unix.rs")]
#[cfg_attr(not(unix), path = "input/other.rs")]
pub(crate) mod input;
pub(crate) mod listeners;
pub(crate) mod loopback_uri;
pub(crate) mod pasted;
pub(crate) mod prompt;
pub(crate) mod receiver;
pub(crate) mod settings;
pub(crate) mod surface;

pub use {prompt::LoginPrompt, settings::InteractiveLogin};
