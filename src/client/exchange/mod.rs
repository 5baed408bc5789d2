//! Clients whose tokens are made of others.

mod builder;
mod identity;
mod subject;
