//! Polling for device codes, by one caller for all that wait for the same code.

mod polls;

pub(super) use polls::{DevicePolls, PollLeader, PollRole};
