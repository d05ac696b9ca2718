//! Files that were seen to be missing, for how long.
//!
//! Programs that replace a file take it away for a moment, and one that moved may have done so between the
//! look at where it is and the look at where it was. So a file counts as deleted when it has been missing
//! for a while; until then it is looked for again.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use tutti_protocol::ids::DocumentId;

use super::Mirror;
use super::alike::directory;
use super::local::News;
use super::state::BaseFile;

/// It is deleted when it has been missing for so long.
const GONE: Duration = Duration::from_millis(250);
/// So many files are looked for at most where new ones have come: some names stand everywhere.
const MOST_LOOKED_AT: usize = 2_000;

impl Mirror {
    /// Whether a file that is missing counts as deleted by now.
    pub(super) fn is_gone(&mut self, document: &DocumentId) -> bool {
        let now = SystemTime::now();
        let since = *self.missing.entry(document.clone()).or_insert(now);
        now.duration_since(since)
            .is_ok_and(|missing| missing >= GONE)
    }

    /// The files that were seen to be missing before and still are, but for these and for what an editor has
    /// opened since.
    pub(super) fn missing_before(&self, but: &[DocumentId]) -> Vec<DocumentId> {
        let but: HashSet<_> = but.iter().collect();
        let is_missing = |document: &&DocumentId| {
            let known = self.known.get(document);
            let file = known.and_then(|known| known.file.as_ref());
            file.is_some_and(|file| matches!(self.tree.look(&file.path), Ok(None)))
        };
        let is_open = |one: &DocumentId| self.open.contains(one) || self.held_open.has(one);
        let others = self.missing.keys();
        let others = others.filter(|one| !but.contains(one) && !is_open(one));
        others.filter(is_missing).cloned().collect()
    }

    /// The files that new ones may be, by what they are, by content, name or directory, and that are not where they were: nobody has
    /// looked there.
    pub(super) fn missing_unheard(&self, news: &News) -> Vec<DocumentId> {
        let created = &news.created;
        let names: HashSet<_> = created.iter().map(|file| file.path.file_name()).collect();
        let directories: HashSet<_> = created.iter().map(|file| directory(&file.path)).collect();
        let contents: HashSet<_> = created.iter().map(|file| file.seen.hash.0).collect();
        let identities = created
            .iter()
            .filter_map(|file| file.seen.looked.stamp.identity);
        let identities: HashSet<_> = identities.collect();
        let found: HashSet<_> = news.deleted.iter().chain(&news.missing_open).collect();
        let may_be = |file: &BaseFile| {
            (file.identity).is_some_and(|identity| identities.contains(&identity))
                || contents.contains(&file.hash)
                || names.contains(file.path.file_name())
                || directories.contains(directory(&file.path))
        };
        let entries = self.entries.as_ref();
        let is_listed = |document: &_| entries.is_some_and(|all| all.contains_key(document));
        let known = self.known.iter().filter_map(|(document, known)| {
            let file = known.file.as_ref().filter(|file| may_be(file))?;
            (is_listed(document) && !found.contains(document)).then_some((document, file))
        });
        let known = known.take(MOST_LOOKED_AT);
        let missing = known.filter(|(_, file)| matches!(self.tree.look(&file.path), Ok(None)));
        missing.map(|(document, _)| document.clone()).collect()
    }

    /// A file that was missing is found, or its document has gone.
    pub(super) fn not_missing(&mut self, document: &DocumentId) {
        self.missing.remove(document);
        self.vanished.remove(document);
    }
}
