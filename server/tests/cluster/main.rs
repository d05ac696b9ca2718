//! Several nodes on one store and one real Redis: what is typed, shown and withdrawn on one of
//! them is so on all, whatever becomes of Redis, of messages, or of a node.
//!
//! `SEED` in the environment repeats a random run; the seed is printed.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod basics;
#[allow(dead_code, reason = "another test binary uses the rest")]
#[path = "../collab/client.rs"]
mod client;
mod losses;
mod node;
mod outages;
mod proxy;
mod redis_server;
mod server;
mod standing;
