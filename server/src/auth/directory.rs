//! The directory: which projects there are, and who may enter them.

use std::path::PathBuf;

use futures_util::future::BoxFuture;
use tutti_protocol::{ids::ProjectId, role::Role};

use super::token::TokenHash;

/// Milliseconds since 1970-01-01 UTC.
pub type UnixMillis = i64;

/// A project, as the directory knows it. Its documents are in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its id, made by this server.
    pub id: ProjectId,
    /// The name people gave it; any text.
    pub name: String,
    /// When it was made.
    pub created_at: UnixMillis,
}

/// A share link: a token that lets people into one project in one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its public id, the first part of its token.
    pub id: String,
    /// The project it leads to.
    pub project: ProjectId,
    /// What its holders may do.
    pub role: Role,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it ceases to be valid, if ever.
    pub expires_at: Option<UnixMillis>,
    /// How many passes it may be turned into; none: it is itself used, by any number of people.
    pub max_uses: Option<u32>,
    /// How many passes it was turned into so far.
    pub uses: u32,
    /// The link whose holder made this one; none: the administrator did.
    pub made_with: Option<String>,
}

/// What the directory holds about the owner of a token.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The hash that the token must have.
    pub hash: TokenHash,
    /// The link that admits its owner.
    pub link: Link,
    /// Whether the token is a pass that a use of the link gave, rather than the link's own.
    pub is_pass: bool,
}

/// A pass: the token of one person who used a limited link.
#[derive(Debug, Clone)]
pub struct Pass {
    /// Its public id, the first part of its token.
    pub id: String,
    /// The link that was used.
    pub link: String,
    /// The hash that the token must have.
    pub hash: TokenHash,
}

/// All that the directory holds about a project.
#[derive(Debug, Clone)]
pub struct ProjectRecord {
    /// The project.
    pub project: Project,
    /// Its links with their tokens' hashes, oldest first.
    pub links: Vec<(Link, TokenHash)>,
    /// The passes of these links.
    pub passes: Vec<Pass>,
}

/// Why the directory gave no answer. Never to be taken for "there is no such thing".
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The file cannot be opened or is no database of ours.
    #[error("cannot use the project directory {}: {reason}", path.display())]
    Unusable {
        /// The database file.
        path: PathBuf,
        /// What is wrong and what to do about it.
        reason: String,
    },
    /// No space is left.
    #[error("the disk is full; make room on it")]
    Full,
    /// A read or write failed.
    #[error("the list of projects cannot be read: {0}")]
    Failed(String),
}

/// What a directory's operation gives, later.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, DirectoryError>>;

/// Projects, links and passes, durably. A method that changes something returns when the change
/// is durable; each is atomic, also where several nodes share the directory.
pub trait Directory: Send + Sync + 'static {
    /// Adds a project with its first links, each with the hash of its token.
    fn create_project(&self, project: Project, links: Vec<(Link, TokenHash)>) -> Answer<'_, ()>;

    /// All projects, oldest first.
    fn projects(&self) -> Answer<'_, Vec<Project>>;

    /// One project.
    fn project(&self, id: &ProjectId) -> Answer<'_, Option<Project>>;

    /// Removes a project with its links and passes; whether there was one.
    fn delete_project(&self, id: &ProjectId) -> Answer<'_, bool>;

    /// Adds a link; false, and no change, if its project or the link it was made with is gone.
    fn create_link(&self, link: Link, hash: TokenHash) -> Answer<'_, bool>;

    /// A project's links, oldest first.
    fn links(&self, project: &ProjectId) -> Answer<'_, Vec<Link>>;

    /// Removes a link, the links made with it, the links made with those and so on, and the
    /// passes of all of them. Returns the ids of the links removed, none if there is no such link
    /// in that project.
    fn delete_link(&self, project: &ProjectId, link: &str) -> Answer<'_, Vec<String>>;

    /// Counts a use of a link that has uses left and adds the pass `id` for it; false, and no
    /// change, if the link is gone or used up.
    fn add_pass(&self, link: &str, id: &str, hash: TokenHash) -> Answer<'_, bool>;

    /// The record of the token with this public id, a link's or a pass's.
    fn credential(&self, token_id: &str) -> Answer<'_, Option<Credential>>;

    /// All about one project, to be restored elsewhere.
    fn project_record(&self, id: &ProjectId) -> Answer<'_, Option<ProjectRecord>>;

    /// Adds a project as another directory knew it.
    fn restore_project(&self, record: ProjectRecord) -> Answer<'_, ()>;

    /// Whether the directory answers at all.
    fn ping(&self) -> Answer<'_, ()>;
}

#[cfg(test)]
pub(crate) mod conformance;
