//! What the mirror has asked to be written into the index and what an index that it is handed does not show yet.
//!
//! The two work at the same time: an index that was on its way to the mirror when it asked would undo what it asked for,
//! write files again that were just deleted here, and tell of them.

use std::collections::{BTreeMap, VecDeque};

use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::FileEntry;

use super::disk::News;
use crate::mirror::IndexEdit;

/// See the [module's documentation](self).
#[derive(Default)]
pub(super) struct Ahead {
    /// How many edits the indexes so far have shown.
    shown: u64,
    /// Those after them, in order.
    waiting: VecDeque<IndexEdit>,
}

impl Ahead {
    /// Notes what the mirror asks for.
    pub(super) fn note(&mut self, news: &News) {
        self.waiting.extend(news.index_edits().cloned());
    }

    /// Writes into an index that shows so many of the edits what it lacks. New files it goes on to lack: they are not
    /// known to be listed before they are.
    pub(super) fn complete(&mut self, entries: &mut BTreeMap<DocumentId, FileEntry>, shown: u64) {
        while self.shown < shown && self.waiting.pop_front().is_some() {
            self.shown += 1;
        }
        for edit in &self.waiting {
            if !matches!(edit, IndexEdit::Insert(..)) {
                edit.list(entries);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::{Effect, Settled};
    use tutti_protocol::index::Eol;

    fn entry(path: &str) -> FileEntry {
        FileEntry {
            path: path.into(),
            eol: Eol::Lf,
            executable: false,
            created_at: 0,
            created_by: "Ada".into(),
            blob: None,
        }
    }

    #[test]
    fn an_index_that_was_on_its_way_undoes_nothing() {
        let [a, b, c] = ["a", "b", "c"].map(|id| id.parse::<DocumentId>().unwrap());
        let index = |listed: &[(&DocumentId, &str)]| -> BTreeMap<DocumentId, FileEntry> {
            let listed = listed.iter();
            listed
                .map(|(id, path)| ((*id).clone(), entry(path)))
                .collect()
        };
        let mut ahead = Ahead::default();
        let rename = IndexEdit::Rename(b.clone(), "moved".parse().unwrap());
        let made = IndexEdit::Insert(c.clone(), entry("c"));
        ahead.note(&News::Effects(vec![
            Effect::Index(IndexEdit::Remove(a.clone())),
            Effect::Sync(b.clone()),
            Effect::Index(rename),
        ]));
        let effects = vec![Effect::Index(made)];
        ahead.note(&News::Settled(
            c.clone(),
            Settled {
                effects,
                ..Settled::default()
            },
        ));

        // It shows none of them.
        let mut entries = index(&[(&a, "a"), (&b, "b")]);
        ahead.complete(&mut entries, 0);
        assert_eq!(entries, index(&[(&b, "moved")]));
        // It shows the first, and someone has brought that back since.
        let mut entries = index(&[(&a, "a"), (&b, "b")]);
        ahead.complete(&mut entries, 1);
        assert_eq!(entries, index(&[(&a, "a"), (&b, "moved")]));
        // It shows them all, and someone has renamed one since.
        let mut entries = index(&[(&b, "theirs"), (&c, "c")]);
        ahead.complete(&mut entries, 3);
        assert_eq!(entries, index(&[(&b, "theirs"), (&c, "c")]));
    }
}
