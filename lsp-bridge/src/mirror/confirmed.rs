//! What the server has confirmed of a document that nobody here has open.

use tutti_protocol::ids::DocumentId;

use super::{Mirror, MirrorError};

impl Mirror {
    /// The server has exactly `state` of a document. `true` if that is what is stored, and the
    /// file is as the document has it, as far as was seen last: then nothing is left to settle.
    pub fn confirmed(&mut self, document: &DocumentId, state: &[u8]) -> Result<bool, MirrorError> {
        let Some(mut record) = self.own_record(document)?.filter(|own| own.state == state) else {
            return Ok(false);
        };
        if record.unsaved {
            record.unsaved = false;
            self.save_or_hold(document, record.clone(), false)?;
        }
        let entry = self
            .entries
            .as_ref()
            .and_then(|entries| entries.get(document));
        let (Some(base), Some(entry)) = (record.base, entry) else {
            return Ok(false);
        };
        Ok(base.state == record.state
            && self.path_of(document) == Some(&base.file.path)
            && (base.file.eol, base.file.executable) == (entry.eol, entry.executable)
            && !self.vanished.contains(document)
            && !self.is_turning(document))
    }
}
