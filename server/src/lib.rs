//! Tutti's collaboration server.
//!
//! [`ws`] takes in sockets, [`room`] holds one document each, [`rooms`] opens and closes rooms,
//! [`store`] makes documents durable and [`fanout`] links nodes. Beside them, [`auth`] knows
//! projects and links, [`api`] is the REST interface, and [`web`] serves the web client.

pub mod api;
pub mod auth;
pub mod config;
pub mod fanout;
mod headers;
pub mod health;
pub mod limits;
pub mod metrics;
pub mod rooms;
pub mod store;
pub mod web;
pub mod ws;
