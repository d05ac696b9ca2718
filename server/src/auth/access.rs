//! Lets people in: from a token to what its owner may do.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tutti_protocol::ids::ProjectId;
use tutti_protocol::role::Role;

use super::admin::AdminKey;
use super::directory::{Directory, DirectoryError, Link, UnixMillis};
use super::token::{Token, TokenHash};

/// Whom a token belongs to.
#[derive(Debug, Clone)]
pub enum Identity {
    /// The administrator of this server, who may do everything.
    Admin,
    /// A person whom a share link admits.
    Guest {
        /// The link, still valid.
        link: Link,
        /// Whether the token may be used for more than joining. It may not where the link itself
        /// admits a limited number of people: each of them joins first and gets a pass.
        admitted: bool,
    },
}

impl Identity {
    /// What this person may do in the projects that they may enter.
    pub fn role(&self) -> Role {
        match self {
            Identity::Admin => Role::Editor,
            Identity::Guest { link, .. } => link.role,
        }
    }

    /// Checks that this person may join `project`, whether or not there is such a project.
    pub fn may_join(&self, project: &ProjectId) -> Result<(), Refusal> {
        match self {
            Identity::Guest { link, .. } if link.project != *project => Err(Refusal::OtherProject),
            _ => Ok(()),
        }
    }

    /// Checks that this person may enter `project`, whether or not there is such a project.
    pub fn may_enter(&self, project: &ProjectId) -> Result<(), Refusal> {
        self.may_join(project)?;
        match self {
            Identity::Guest {
                admitted: false, ..
            } => Err(Refusal::JoinFirst),
            _ => Ok(()),
        }
    }
}

/// Why a token opens nothing. The text is for the person who showed it.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The token is no token, is unknown, expired or withdrawn; which of them is not said.
    #[error("This link is not valid any more, or its project is gone: ask for a new one.")]
    Invalid,
    /// The token's link leads to another project; whether there is such a project is not said.
    #[error("This link does not lead to this project: open it as it was given to you.")]
    OtherProject,
    /// The link admits a limited number of people, and this one has not joined.
    #[error(
        "This link lets a limited number of people in: join with it first, in a browser or with `tutti join`."
    )]
    JoinFirst,
    /// The link has admitted as many people as it may.
    #[error("This link has been used as often as it may be: ask for a new one.")]
    UsedUp,
    /// It cannot be found out at the moment.
    #[error("The server cannot check links at the moment: try again soon.")]
    Unavailable(#[source] DirectoryError),
}

impl From<DirectoryError> for Refusal {
    fn from(err: DirectoryError) -> Refusal {
        Refusal::Unavailable(err)
    }
}

/// Checks tokens against the administrator's and the directory's.
#[derive(Clone)]
pub struct Access {
    directory: Arc<dyn Directory>,
    admin: Arc<AdminKey>,
}

impl Access {
    /// Access by the links in `directory`, and by the administrator's token.
    pub fn new(directory: Arc<dyn Directory>, admin: AdminKey) -> Access {
        Access {
            directory,
            admin: Arc::new(admin),
        }
    }

    /// The projects and links.
    pub fn directory(&self) -> &dyn Directory {
        self.directory.as_ref()
    }

    /// Whose token this is.
    pub async fn identify(&self, token: &str) -> Result<Identity, Refusal> {
        let token = Token::parse(token).ok_or(Refusal::Invalid)?;
        if token.id() == self.admin.id {
            return if self.admin.hash.matches(&token) {
                Ok(Identity::Admin)
            } else {
                Err(Refusal::Invalid)
            };
        }
        let found = self.directory.credential(token.id()).await?;
        // Hashed and compared in either case, so that the time does not tell whether there is
        // such an id.
        let hash = found
            .as_ref()
            .map_or(TokenHash::NONE, |credential| credential.hash);
        let genuine = hash.matches(&token);
        match found {
            Some(credential) if genuine && !expired(&credential.link) => {
                let admitted = credential.is_pass || credential.link.max_uses.is_none();
                Ok(Identity::Guest {
                    link: credential.link,
                    admitted,
                })
            }
            _ => Err(Refusal::Invalid),
        }
    }

    /// Turns one use of a limited link into a pass. Everyone else keeps the token they have, so
    /// joining twice with a pass uses nothing up.
    pub async fn join(&self, identity: &Identity) -> Result<Option<Token>, Refusal> {
        let Identity::Guest {
            link,
            admitted: false,
        } = identity
        else {
            return Ok(None);
        };
        let pass = Token::generate().map_err(|err| DirectoryError::Failed(err.to_string()))?;
        if self
            .directory
            .add_pass(&link.id, pass.id(), pass.hash())
            .await?
        {
            Ok(Some(pass))
        } else {
            Err(Refusal::UsedUp)
        }
    }
}

/// The time of day, for records and expiry.
pub fn now() -> UnixMillis {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UnixMillis::try_from(since.as_millis()).unwrap_or(UnixMillis::MAX)
}

fn expired(link: &Link) -> bool {
    link.expires_at.is_some_and(|at| at <= now())
}
