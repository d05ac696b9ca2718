//! The server from outside: real requests over real sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod blobs;
mod files;
mod limits;
mod links;
mod process;
mod projects;
mod proxy;
mod roles;
mod support;
mod versions;
mod web;
