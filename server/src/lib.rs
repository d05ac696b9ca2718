//! Tutti's collaboration server.
//!
//! [`app`] starts what [`config`] asks for. [`ws`] takes in sockets, [`room`] holds one document
//! each, [`rooms`] opens and closes rooms, [`store`] makes documents durable and [`fanout`] links
//! nodes. [`update`] reads Yjs updates before yrs does, and [`document`] is one document in
//! memory. Beside them, [`auth`] knows
//! projects and links, [`api`] is the REST interface, `history` keeps versions, `collect` deletes what
//! no file has any more, and [`web`] serves the web client.

pub mod api;
pub mod app;
pub mod auth;
mod collect;
pub mod config;
pub mod document;
pub mod fanout;
mod headers;
pub mod health;
mod history;
pub mod limits;
pub mod metrics;
pub mod migrate;
pub mod mongo;
pub mod room;
pub mod rooms;
pub mod store;
pub mod update;
pub mod web;
pub mod ws;
