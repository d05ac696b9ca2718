//! Files that someone renames while the editor shows them, or is about to.
//!
//! Such a file keeps its old name here for as long as the editor shows it. An editor reads a file
//! before it tells of it, and the first one that is opened before its bridge even starts: what it tells
//! of may be a file that has been moved in between.

use std::collections::BTreeMap;

use tutti_protocol::ids::DocumentId;
use tutti_protocol::path::ProjectPath;

use super::project::Project;
use crate::lsp::Severity;

impl Project {
    /// The index has these elsewhere than they were, or where they stand on disk.
    pub(super) fn note_old_names(&mut self, old: BTreeMap<DocumentId, ProjectPath>) {
        let (mut by_me, mut by_others) = (Vec::new(), Vec::new());
        for (document, path) in old {
            let is_by_me = self.renamed_here.remove(&document);
            let now = self.index.path_of(&document);
            if let Some(now) = now.filter(|now| **now != path).cloned() {
                let renamed = if is_by_me { &mut by_me } else { &mut by_others };
                renamed.push((document, path, now));
            }
        }
        let names: Vec<_> = by_others
            .iter()
            .map(|(document, _, now)| (document.clone(), now.clone()))
            .collect();
        self.note_renamed(&names);
        for (document, path, now) in &by_others {
            if self.is_shown(document) {
                self.tell_of_name(document, path, now);
            }
        }
        for (document, path, _) in by_me.into_iter().chain(by_others) {
            let shown = self.shown_at.entry(path).or_default();
            shown.insert(document);
        }
    }

    /// The editor shows a document, perhaps under a name that it has no more.
    pub(super) fn note_opened_as(&mut self, document: &DocumentId, path: Option<&ProjectPath>) {
        let now = self.index.path_of(document);
        if let (Some(path), Some(now)) = (path, now.cloned())
            && *path != now
        {
            self.tell_of_name(document, path, &now);
        }
    }

    fn tell_of_name(&self, document: &DocumentId, old: &ProjectPath, now: &ProjectPath) {
        let who = match self.own_names.get(document) == Some(now) {
            true => "you",
            false => self.who_named(document, now).unwrap_or("someone"),
        };
        // Short: editors cut messages that do not fit a line.
        let message = format!("{old} was renamed to {now} by {who}");
        self.client.show(Severity::Warning, &message);
    }
}
