//! The executable bit of a file that an editor shows: no editor's, so it goes both ways at once, and neither what the
//! file holds nor when it was written changes by that.

use tutti_protocol::ids::DocumentId;
use tutti_protocol::path::ProjectPath;

use super::effect::{Effect, IndexEdit, Notice};
use super::state::{BaseFile, Hash};
use super::{Mirror, MirrorError};

impl Mirror {
    /// Takes over the bit with which a file of this hash was found.
    pub(super) fn look_at_mode(
        &mut self,
        document: &DocumentId,
        (path, there): (&ProjectPath, Hash),
        executable: Option<bool>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        let (Some(on_disk), Some((file, listed))) = (executable, self.listed_mode(document)) else {
            return Ok(());
        };
        // Editors that save by writing a new file give it its mode only then, or forget it.
        if file.path != *path || file.hash != there {
            return Ok(());
        }
        if on_disk == file.executable {
            return self.put_mode(document, effects);
        }
        if self.read_only {
            return Ok(());
        }
        if on_disk != listed {
            let edit = IndexEdit::SetExecutable(document.clone(), on_disk);
            self.edit_index(edit, effects);
        }
        self.note_mode(document, on_disk)
    }

    /// Gives the file the bit that it is listed with, unless it was changed here meanwhile.
    pub(super) fn put_mode(
        &mut self,
        document: &DocumentId,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        let Some((file, listed)) = self.listed_mode(document) else {
            return Ok(());
        };
        let looked = self.tree.look(&file.path).ok().flatten();
        let on_disk = looked.and_then(|looked| looked.executable);
        if listed == file.executable || on_disk != Some(file.executable) {
            return Ok(());
        }
        match self.tree.set_executable(&file.path, listed) {
            Ok(()) => {
                self.may_be_settled(document);
                self.note_mode(document, listed)
            }
            Err(reason) => {
                let path = file.path.to_string();
                if self.refuse(document, &path, reason.clone()) {
                    let notice = Notice::left_alone(document, path, &reason);
                    effects.extend(notice.map(Effect::Tell));
                }
                Ok(())
            }
        }
    }

    /// What is known of a text's file, and the bit that it is listed with.
    fn listed_mode(&self, document: &DocumentId) -> Option<(BaseFile, bool)> {
        let entry = self.entries.as_ref()?.get(document)?;
        let file = self.known.get(document)?.file.clone()?;
        Some((file, entry.executable))
    }

    fn note_mode(&mut self, document: &DocumentId, executable: bool) -> Result<(), MirrorError> {
        let Some(mut record) = self.load(document)? else {
            return Ok(());
        };
        if let Some(base) = &mut record.base {
            base.file.executable = executable;
        }
        self.save_or_hold(document, record, false)
    }
}
