//! Texts that have no place in the project any more: they are kept in `.tutti/recovered`, and that is told.

use tutti_protocol::ids::DocumentId;
use tutti_protocol::path::ProjectPath;

use super::effect::{Effect, Notice, Settled};
use super::{Mirror, MirrorError};

impl Mirror {
    /// Keeps a text aside and tells the person.
    pub(super) fn recover(
        &mut self,
        path: &ProjectPath,
        bytes: &[u8],
        reason: &'static str,
        settled: &mut Settled,
    ) -> Result<(), MirrorError> {
        let notice = self.keep_aside(path, bytes, reason)?;
        settled.effects.push(Effect::Tell(notice));
        Ok(())
    }

    /// Keeps a text in `.tutti/recovered`.
    pub(super) fn keep_aside(
        &self,
        path: &ProjectPath,
        bytes: &[u8],
        reason: &'static str,
    ) -> Result<Notice, MirrorError> {
        Ok(Notice::Recovered {
            path: path.to_string(),
            kept_at: self.keep_copy(path, bytes)?,
            reason,
        })
    }

    /// Keeps there what was changed in a file that others have deleted.
    pub(super) fn keep_deleted(
        &self,
        document: &DocumentId,
        path: &ProjectPath,
        bytes: &[u8],
    ) -> Result<Notice, MirrorError> {
        Ok(Notice::Deleted {
            document: document.clone(),
            path: path.to_string(),
            kept_at: self.keep_copy(path, bytes)?,
        })
    }

    /// Keeps there what a file held before it was written, see [`Notice::Before`].
    pub(super) fn keep_before(
        &self,
        path: &ProjectPath,
        bytes: &[u8],
    ) -> Result<Notice, MirrorError> {
        Ok(Notice::Before {
            path: path.to_string(),
            kept_at: self.keep_copy(path, bytes)?,
        })
    }

    fn keep_copy(&self, path: &ProjectPath, bytes: &[u8]) -> Result<String, MirrorError> {
        let kept = self.private.recover(path, bytes);
        kept.map_err(|why| MirrorError::Io {
            doing: format!("keeping a copy of {path}"),
            source: std::io::Error::other(why),
        })
    }
}
