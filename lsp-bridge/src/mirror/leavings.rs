//! Temporary files of a bridge that was killed while it wrote.

use tutti_protocol::path::ProjectPath;

use super::text::render;
use super::tree::{Expected, Found};
use super::walk::walk;
use super::{Mirror, MirrorError, Role};

/// Why a temporary file's content is kept, as a clause.
const REASON: &str = "a bridge was killed while it wrote the file";

impl Mirror {
    /// Takes away all of them in the directory.
    pub fn clean_up(&mut self) -> Result<(), MirrorError> {
        let listing = walk(&self.tree, &mut self.ignores, "");
        self.take_away(&listing.temporaries)
    }

    /// Takes away the temporary files that an earlier bridge has left. One may hold what another
    /// program had written in the place of what was to be written: what is no document's text is
    /// kept in `.tutti/recovered`.
    pub(super) fn take_away(&mut self, temporaries: &[ProjectPath]) -> Result<(), MirrorError> {
        if matches!(self.role, Role::Guest(_)) {
            return Ok(());
        }
        for path in temporaries {
            let Found::File(file) = self.tree.read(path) else {
                continue;
            };
            if !file.bytes.is_empty() && !self.is_text_beside(path, &file.bytes)? {
                let notice = self.keep_aside(path, &file.bytes, REASON)?;
                tracing::warn!(%notice);
            }
            if let Err(reason) = self.tree.remove(path, Expected::Bytes(&file.bytes)) {
                tracing::warn!(%path, %reason, "a temporary file stays");
            }
        }
        Ok(())
    }

    /// Whether some document of the same directory has this text, or will have it on disk soon.
    fn is_text_beside(&self, path: &ProjectPath, bytes: &[u8]) -> Result<bool, MirrorError> {
        let directory = |path: &ProjectPath| {
            let parent = path.as_str().rsplit_once('/');
            parent.map(|(parent, _)| parent.to_owned())
        };
        for (document, known) in &self.known {
            let beside = known.file.as_ref();
            let Some(beside) = beside.filter(|file| directory(&file.path) == directory(path))
            else {
                continue;
            };
            if let Some(record) = self.load(document)?
                && render(&self.text_of(document, &record.state)?, beside.eol) == bytes
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
