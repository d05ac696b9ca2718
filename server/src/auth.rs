//! Who may do what: projects, share links, and the tokens that open them.
//!
//! The administrator's token opens everything. A link's token opens one project in one role. A
//! link with a limited number of uses opens nothing itself: each use turns it into a pass, a token
//! of one person's, which opens what the link would and ends with it.

mod access;
pub mod admin;
mod authorize;
pub mod directory;
mod mongodb;
mod sqlite;
mod token;

pub use access::{Access, Identity, Refusal, now};
pub use directory::{
    Credential, Directory, DirectoryError, Link, Pass, Project, ProjectRecord, UnixMillis,
};
pub use mongodb::MongoDirectory;
pub use sqlite::SqliteDirectory;
pub(crate) use token::random_id;
pub use token::{Token, TokenHash};
