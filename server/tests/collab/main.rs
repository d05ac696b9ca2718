//! Both WebSocket endpoints through real sockets, on a real store.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod auth;
mod awareness;
mod client;
mod durability;
mod garbage;
mod hocuspocus;
mod limits;
mod nodes;
mod races;
mod server;
mod slow;
mod sync;
