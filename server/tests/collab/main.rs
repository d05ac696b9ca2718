//! Both WebSocket endpoints through real sockets, on a real store.

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
