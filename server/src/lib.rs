//! Tutti's collaboration server.
//!
//! [`ws`] takes in sockets, [`room`] holds one document each, [`rooms`] opens and closes rooms,
//! [`store`] makes documents durable and [`fanout`] links nodes.

pub mod auth;
pub mod config;
pub mod fanout;
pub mod limits;
pub mod rooms;
pub mod store;
pub mod ws;
