//! `tutti-server migrate`: copies everything from one store into another that is empty.
//!
//! A mark in the target says that a copy is under way. With it a second run goes on where the
//! first was interrupted, and no server serves half of the data. It goes when every document,
//! version, project, link and token in the target has been compared with the source.

mod arguments;
mod contents;
mod copy;
mod digest;
mod history;
pub(crate) mod mark;
mod place;
mod resume;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;

use crate::app::StartError;
use crate::app::storage::{DIRECTORY, DOCUMENTS};
use crate::app::whole::leave_whole;
use crate::auth::DirectoryError;
use crate::auth::admin::AdminTokenError;
use crate::mongo::{ConnectError, Failure};
use crate::store::StoreError;

pub use arguments::arguments;
pub use place::Place;

/// Why a migration does not begin, or does not end well: one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// Source and target are one.
    #[error("{0} is both the source and the target: name two different places")]
    SamePlace(String),
    /// There is nothing to copy.
    #[error("{0} holds no projects: there is nothing to copy; is it the right place?")]
    NothingThere(String),
    /// Something else is in the target.
    #[error("{0} is not empty: name an empty target, nothing is ever merged or overwritten")]
    NotEmpty(String),
    /// The target is half full from elsewhere.
    #[error(
        "a copy from {other} into {target} was interrupted: finish that one first, or empty the target"
    )]
    OtherCopy {
        /// Where the earlier copy came from.
        other: String,
        /// The target.
        target: String,
    },
    /// The source is itself a copy that was not finished.
    #[error(
        "{place} is a copy from {from} that was not finished: finish that one first, by a `tutti-server migrate` whose --from names {from} and whose --to names {place}"
    )]
    HalfCopied {
        /// Where it came from.
        from: String,
        /// The place that is to be copied.
        place: String,
    },
    /// The copy differs from the source.
    #[error(
        "{what} differs in the copy: stop every server that uses either side, and run it again"
    )]
    Differs {
        /// The document or project.
        what: String,
    },
    /// A file of our own in the target directory.
    #[error("cannot write {}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] StartError),
    /// The database cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The admin token cannot be read or written.
    #[error(transparent)]
    AdminToken(#[from] AdminTokenError),
    /// The database failed meanwhile.
    #[error("the database failed: {0}; run it again to go on")]
    Database(#[from] Failure),
    /// Documents cannot be read or written.
    #[error("documents cannot be copied: {0}; run it again to go on")]
    Documents(#[from] StoreError),
    /// Projects cannot be read or written.
    #[error("projects cannot be copied: {0}; run it again to go on")]
    Projects(#[from] DirectoryError),
}

/// What a migration has copied and compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Projects.
    pub projects: usize,
    /// Their links.
    pub links: usize,
    /// Tokens that uses of limited links gave to people.
    pub tokens: usize,
    /// Documents of these projects.
    pub documents: usize,
    /// Contents of files that are no texts.
    pub files: usize,
    /// Versions of these projects.
    pub versions: usize,
    /// Documents and contents that an earlier, interrupted run had copied.
    pub already_there: usize,
    /// What becomes of the administrator's token.
    pub admin_token: String,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} with {}, {}, {}, {} and {}",
            count(self.projects, "project"),
            count(self.links, "link"),
            count(self.tokens, "token"),
            count(self.documents, "document"),
            count(self.files, "binary file"),
            count(self.versions, "version"),
        )?;
        if self.already_there > 0 {
            write!(f, " ({} from an earlier run)", self.already_there)?;
        }
        Ok(())
    }
}

fn count(number: usize, of: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {of}{ending}")
}

/// Copies everything from `from` to `to`, telling `progress` a line at a time, and compares.
///
/// # Errors
/// [`MigrateError`]. Nothing in the source ever changes.
pub async fn migrate(
    from: &Place,
    to: &Place,
    mut progress: impl FnMut(&str),
) -> Result<Report, MigrateError> {
    if from == to {
        return Err(MigrateError::SamePlace(to.to_string()));
    }
    let source = from.open_source().await?;
    let projects = copy::projects_of(&source).await?;
    let target = to.open_target().await?;
    let report = copy::everything(&source, &target, &projects, &mut progress).await?;
    drop((source, target));
    if let Place::Sqlite(dir) = to {
        leave_whole(vec![dir.join(DIRECTORY), dir.join(DOCUMENTS)]).await;
    }
    Ok(report)
}
