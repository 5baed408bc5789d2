//! Many users of one client, whose tokens are in a store of each.

mod client;
mod settings;
