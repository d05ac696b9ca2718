//! What crosses Tutti's wire, and nothing else.
//!
//! Both framings ([`hocuspocus`] and [`yws`]) carry the same two inner payloads, [`sync`] and
//! [`awareness`], in lib0's variable-length encoding ([`codec`]). Beside them stand the names that
//! both sides must agree on: [`ids`], [`role`], [`path`], [`link`], [`close`], the project's
//! [`index`], the [`fingerprint`] of a document and the bodies of the [`rest`] interface.
//!
//! Everything here is pure: no sockets, no files, no clock.

pub mod awareness;
pub mod blob;
pub mod bulk;
pub mod close;
pub mod codec;
pub mod fingerprint;
pub mod hint;
pub mod hocuspocus;
pub mod ids;
pub mod index;
pub mod link;
pub mod path;
pub mod remark;
pub mod rest;
pub mod role;
pub mod sync;
pub mod yws;
