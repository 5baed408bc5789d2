//! Clients whose tokens are made of those of other clients.

mod builder;
mod identity;
