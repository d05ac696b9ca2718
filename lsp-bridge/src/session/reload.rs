//! Files that an editor reads from the disk again and reports of as if that had been typed.
//!
//! What others have written since the file was last saved here is not on the disk. Taken for typing,
//! reading it again would delete that for everybody. So a report after which the editor shows just
//! what the file holds waits for a moment, where others' text is at stake: until the editor says that
//! it has saved the file, which makes it an edit, or that the file has changed, which makes it a file
//! that is opened anew.

use serde_json::json;
use tutti_engine::{Change, Millis, Position, Reload as Reports};
use tutti_protocol::ids::DocumentId;

use super::project::Project;
use super::tracked::Tracked;
use crate::lsp;
use crate::mirror::text_on_disk;

/// What an editor says of a reload comes right behind the report.
const WAIT_MS: u64 = 150;
const BOM_BYTES: u64 = 3;

/// A report that may be of a file that was read again, and what has followed.
pub(super) struct Reload {
    document: DocumentId,
    text: String,
    version: i32,
    changes: Vec<Change>,
    later: Vec<(Option<i32>, Vec<Change>)>,
    is_told: bool,
    pub(super) due: Millis,
}

impl Project {
    /// Asks an editor to say when it has read a file again, if it does so in this way.
    pub(super) fn ask_to_hear_of_files(&mut self) {
        if self.abilities.dialect.reload != Reports::Difference || !self.abilities.watches_files {
            return;
        }
        let method = "workspace/didChangeWatchedFiles";
        let all = json!({ "watchers": [{ "globPattern": "**/*" }] });
        let registration = json!({ "id": "tutti-files", "method": method, "registerOptions": all });
        let params = json!({ "registrations": [registration] });
        if self
            .client
            .ask("client/registerCapability", params)
            .is_none()
        {
            tracing::warn!("the editor does not read");
        }
    }

    /// Whether a report has been put by until it is known what it is.
    pub(super) fn is_held_as_reload(
        &mut self,
        document: &DocumentId,
        uri: &str,
        version: Option<i32>,
        changes: &[Change],
    ) -> bool {
        if let Some(reload) = self.reloads.get_mut(uri) {
            reload.later.push((version, changes.to_vec()));
            return true;
        }
        let Some(text) = self.as_on_disk(document, changes) else {
            return false;
        };
        let is_whole = replaces_all(changes, &text);
        let is_one = match self.abilities.dialect.reload {
            Reports::Reopens | Reports::Unknown => false,
            Reports::Whole => is_whole,
            Reports::Difference => true,
        };
        let Some(open) = self.rooms.get(document).and_then(|room| room.open()) else {
            return false;
        };
        if is_one {
            let reload = Reload {
                document: document.clone(),
                text,
                version: version.unwrap_or(open.document.version() + 1),
                changes: changes.to_vec(),
                later: Vec::new(),
                is_told: is_whole,
                due: self.clock.after(WAIT_MS),
            };
            self.reloads.insert(uri.to_owned(), reload);
        }
        is_one
    }

    /// The text that the editor shows by a report, if the file holds the same and the editor showed
    /// others' text besides.
    fn as_on_disk(&self, document: &DocumentId, changes: &[Change]) -> Option<String> {
        if matches!(
            self.abilities.dialect.reload,
            Reports::Reopens | Reports::Unknown
        ) {
            return None;
        }
        let room = self.rooms.get(document)?;
        let open = room.open()?;
        if !open.is_beyond_file {
            return None;
        }
        let shown = open.document.shown_after(changes);
        let (bytes, breaks) = (shown.len_bytes() as u64, shown.len_lines() as u64 - 1);
        // With line ends of one byte or of two, and a byte-order mark that the editor does not show. Just
        // these: no file is to be read at each key.
        let lengths = [bytes, bytes + breaks].map(|bytes| [bytes, bytes + BOM_BYTES]);
        let may_be = |there| lengths.iter().flatten().any(|bytes| *bytes == there);
        let path = self.path_in_editor(document)?;
        let on_disk = text_on_disk(&self.root, &path, may_be)?;
        // An edit of ours that has come: it brings what a program has written there.
        let is_shared = *room.replica().rope() == shown;
        (!is_shared && shown == on_disk.as_str()).then(|| shown.to_string())
    }

    /// What was put by has been typed: the editor has saved or closed the file.
    pub(super) fn was_typed(&mut self, uri: &str) {
        let Some(reload) = self.reloads.remove(uri) else {
            return;
        };
        let document = reload.document;
        self.document_changed(&document, Some(reload.version), reload.changes);
        for (version, changes) in reload.later {
            self.document_changed(&document, version, changes);
        }
    }

    /// The file is closed: what was read again makes no difference any more.
    pub(super) fn end_reload(&mut self, uri: &str) {
        match self.reloads.get(uri).is_some_and(|reload| reload.is_told) {
            true => drop(self.reloads.remove(uri)),
            false => self.was_typed(uri),
        }
    }

    /// The editor tells of files that have changed on disk.
    pub(super) fn files_are_read_again(&mut self, files: lsp::FilesChanged) {
        for file in files.changes {
            if let Some(reload) = self.reloads.get_mut(&file.uri) {
                reload.is_told = true;
            }
        }
    }

    /// Takes what has waited long enough for what it is.
    pub(super) fn reloads_due(&mut self, now: Millis) {
        let due = self.reloads.iter().filter(|(_, reload)| reload.due <= now);
        for uri in due.map(|(uri, _)| uri.clone()).collect::<Vec<_>>() {
            match self.reloads.get(&uri).is_some_and(|reload| reload.is_told) {
                true => self.was_read_again(uri),
                false => self.was_typed(&uri),
            }
        }
    }

    fn was_read_again(&mut self, uri: String) {
        let Some(reload) = self.reloads.remove(&uri) else {
            return;
        };
        tracing::info!(uri, "read from the disk again");
        let mut tracked = Tracked::opened(reload.text, reload.version);
        for (version, changes) in reload.later {
            tracked.changed(version, changes);
        }
        self.closed(&uri);
        self.begin_open(reload.document, uri, tracked);
    }
}

/// Whether the changes put a whole text in the place of another.
fn replaces_all(changes: &[Change], text: &str) -> bool {
    let [Change { range, text: new }] = changes else {
        return false;
    };
    let start = Position {
        line: 0,
        character: 0,
    };
    let is_all = range.as_ref().is_none_or(|range| range.start == start);
    is_all && new.replace("\r\n", "\n") == text
}
