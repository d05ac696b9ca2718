//! What the endpoints ask before they let anyone into a room.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use thiserror::Error;
use tutti_protocol::close;
use tutti_protocol::ids::ProjectId;
use tutti_protocol::role::Role;

/// Decides who may enter a project's rooms.
pub trait Authorize: Send + Sync + 'static {
    /// Checks `token` for `project`. It must take equally long for every wrong token.
    fn authorize<'a>(
        &'a self,
        project: &'a ProjectId,
        token: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Grant, Denied>>;
}

/// What a valid token allows in one project.
#[derive(Debug, Clone)]
pub struct Grant {
    /// What its holder may do.
    pub role: Role,
    /// What [`crate::rooms::Rooms::revoke`] names to end it.
    pub grant_id: GrantId,
    /// When it ends by itself.
    pub expires_at: Option<SystemTime>,
}

/// The name of a link or personal token; not the secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GrantId(Arc<str>);

impl GrantId {
    /// Names a grant.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why somebody is not let in; the text reaches the person.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Denied {
    /// No token, or one that is not valid (any more).
    #[error("{0}")]
    Unauthorized(String),
    /// A valid token that does not allow this.
    #[error("{0}")]
    Forbidden(String),
    /// There is no such project.
    #[error("{0}")]
    NotFound(String),
    /// It cannot be decided now; the client comes back.
    #[error("{0}")]
    Unavailable(String),
}

impl Denied {
    /// The close code of a socket that is refused for this.
    pub fn close_code(&self) -> u16 {
        match self {
            Self::Unauthorized(_) => close::UNAUTHORIZED,
            Self::Forbidden(_) => close::FORBIDDEN,
            Self::NotFound(_) => close::NOT_FOUND,
            Self::Unavailable(_) => close::TRY_LATER,
        }
    }
}
