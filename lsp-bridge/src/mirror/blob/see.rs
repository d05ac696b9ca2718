//! What stands at a path, read only where its looks do not tell.

use std::time::Duration;

use tutti_protocol::blob::BlobHash;
use tutti_protocol::path::ProjectPath;

use crate::mirror::Mirror;
use crate::mirror::text::{TextFile, parse};
use crate::mirror::tree::{Found, LeftAlone, Looked, MAX_FILE_BYTES, Stamp};

/// A file that was written to within this time may be in the middle of it.
const QUIET: Duration = Duration::from_millis(300);
/// A file that has become a text, or stopped to be one, may be half-written as well.
const QUIET_KIND: Duration = Duration::from_secs(2);

/// What stands at a path.
#[derive(Debug)]
pub(in crate::mirror) enum Disk {
    Missing,
    File(Seen),
    /// Something that is neither read nor written.
    Blocked(LeftAlone),
    /// Someone is writing to it: look again in a moment.
    Busy,
}

/// A file that was read, or that is known by its looks.
#[derive(Debug)]
pub(in crate::mirror) struct Seen {
    pub(in crate::mirror) hash: BlobHash,
    pub(in crate::mirror) looked: Looked,
    /// Its text, if it is one that people can edit together; never for a file that is known.
    pub(in crate::mirror) text: Option<TextFile>,
}

impl Seen {
    /// Whether it has been what it is for long enough to change its kind in the project.
    pub(in crate::mirror) fn may_change_kind(&self) -> bool {
        self.looked.is_quiet_for(QUIET_KIND)
    }
}

impl Mirror {
    /// Looks at a file, and reads it unless it looks as one whose content is `known`.
    pub(in crate::mirror) fn see(&self, path: &ProjectPath, known: &[(Stamp, BlobHash)]) -> Disk {
        self.try_see(path, known).unwrap_or_else(Disk::Blocked)
    }

    fn try_see(&self, path: &ProjectPath, known: &[(Stamp, BlobHash)]) -> Result<Disk, LeftAlone> {
        let Some(looked) = self.tree.look(path)? else {
            return Ok(Disk::Missing);
        };
        if let Some((_, hash)) = known.iter().find(|(stamp, _)| *stamp == looked.stamp) {
            let (hash, text) = (*hash, None);
            return Ok(Disk::File(Seen { hash, looked, text }));
        }
        let cap = self.blobs.cap;
        // Of these the text is needed as well.
        if looked.bytes <= MAX_FILE_BYTES {
            let file = match self.tree.read(path) {
                Found::File(file) => file,
                Found::Missing => return Ok(Disk::Missing),
                Found::Blocked(LeftAlone::TooBig) => return Ok(Disk::Busy),
                Found::Blocked(reason) => return Err(reason),
            };
            if self.tree.look(path)?.as_ref() != Some(&looked) {
                return Ok(Disk::Busy);
            }
            let hash = BlobHash(crate::mirror::state::hash(&file.bytes));
            // An empty file may be either: it stays what it was.
            let text = match file.bytes.is_empty() {
                true => None,
                false => parse(file.bytes, None),
            };
            let is_data = text.is_none() && looked.bytes > 0;
            if is_data && cap == 0 {
                return Err(LeftAlone::NotText);
            }
            if is_data && looked.bytes > cap {
                return Err(LeftAlone::OverCap(cap));
            }
            if is_data && !looked.is_quiet_for(QUIET) {
                return Ok(Disk::Busy);
            }
            return Ok(Disk::File(Seen { hash, looked, text }));
        }
        if cap == 0 {
            return Err(LeftAlone::TooBig);
        }
        if looked.bytes > cap {
            return Err(LeftAlone::OverCap(cap));
        }
        if !looked.is_quiet_for(QUIET) {
            return Ok(Disk::Busy);
        }
        Ok(match self.tree.hash(path)? {
            None => Disk::Missing,
            Some((hash, Some(after))) if after == looked => {
                let text = None;
                Disk::File(Seen { hash, looked, text })
            }
            Some(_) => Disk::Busy,
        })
    }
}
