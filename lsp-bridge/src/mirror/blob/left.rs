//! What a bridge has left in `.tutti/blobs` that was killed.

use tutti_protocol::blob::BlobHash;

use crate::mirror::{Mirror, MirrorError};

/// Why a file is kept, as a clause.
const REASON: &str = "a bridge was killed while it wrote the file";

impl Mirror {
    /// Tidies up. What is no content that is known may be what another program had just written in
    /// the place of one: it is kept in `.tutti/recovered`.
    pub(in crate::mirror) fn take_away_contents(&self) -> Result<(), MirrorError> {
        let failed = |source: crate::mirror::LeftAlone| MirrorError::Io {
            doing: "tidying up .tutti/blobs".to_owned(),
            source: std::io::Error::other(source),
        };
        for (name, hash) in self.staging.left_behind().map_err(failed)? {
            if !self.is_known_content(&hash)
                && let Some(file) = self.staging.open_left(&name).map_err(failed)?
            {
                let path = "a file"
                    .parse()
                    .map_err(|_| failed(crate::mirror::LeftAlone::Special))?;
                let kept = self.private.recover_file(&path, file).map_err(failed)?;
                tracing::warn!(kept, REASON);
            }
            self.staging
                .remove_left(&name)
                .map_err(|error| failed(error.into()))?;
        }
        Ok(())
    }

    fn is_known_content(&self, hash: &BlobHash) -> bool {
        let records = self.known.values().filter_map(|known| known.blob.as_ref());
        let mut records = records;
        records.any(|record| record.hash == *hash || record.replaces.contains(hash))
    }
}
