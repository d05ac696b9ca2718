//! A directory on its way into or out of a project, for `share` and `join`.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use anyhow::Context;
use tutti_engine::Replica;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::{self, FILES, FileEntry};
use yrs::Transact;

use super::bulk::{self, Bulk};
use super::output::{self, Progress};
use super::transfer::{Documents, Transfer};
use crate::api::Api;
use crate::link;
use crate::mirror::{Effect, IndexEdit, Mirror, Stored};
use crate::project::Project;

/// The project's index here, as far as it is known.
pub(super) struct Index {
    replica: Replica,
}

impl Index {
    /// From a stored state, or empty.
    pub(super) fn new(state: Option<&[u8]>) -> anyhow::Result<Self> {
        let replica = new_replica(state)?;
        // A root must be named before the first transaction that reads it.
        replica.doc().get_or_insert_map(FILES);
        Ok(Self { replica })
    }

    /// Brings the index up to date on both sides.
    pub(super) async fn sync(&mut self, transfer: &mut Transfer) -> anyhow::Result<()> {
        transfer.run([DocumentId::index()], self).await
    }

    /// What it lists.
    pub(super) fn entries(&self) -> BTreeMap<DocumentId, FileEntry> {
        index::entries(&self.replica.doc().transact())
    }

    /// Its state, to be stored.
    pub(super) fn state(&self) -> Vec<u8> {
        self.replica.state()
    }

    fn apply(&mut self, edits: &[IndexEdit]) {
        let files = self.replica.doc().get_or_insert_map(FILES);
        let mut txn = self.replica.doc().transact_mut();
        for edit in edits {
            edit.apply(&mut txn, &files);
        }
    }
}

impl Documents for Index {
    fn load(&mut self, _: &DocumentId) -> anyhow::Result<Replica> {
        new_replica(Some(&self.replica.state()))
    }

    fn done(&mut self, _: &DocumentId, replica: Replica) -> anyhow::Result<()> {
        self.replica = replica;
        self.replica.doc().get_or_insert_map(FILES);
        Ok(())
    }
}

fn new_replica(state: Option<&[u8]>) -> anyhow::Result<Replica> {
    let mut replica = Replica::new(u64::from(fastrand::u32(1..)));
    if let Some(state) = state {
        replica
            .apply(state)
            .context("a stored document is damaged")?;
    }
    Ok(replica)
}

/// The state of a document that nobody has written to.
const NOTHING: [u8; 2] = [0, 0];

/// The directory, its index and the connection.
pub(super) struct Workspace {
    pub(super) mirror: Mirror,
    index: Index,
    transfer: Transfer,
    bulk: Bulk,
    /// Whether progress is shown.
    pub(super) quiet: bool,
}

impl Workspace {
    /// Puts them together.
    pub(super) fn new(mirror: Mirror, index: Index, transfer: Transfer, bulk: Bulk) -> Self {
        Self {
            mirror,
            index,
            transfer,
            bulk,
            quiet: false,
        }
    }

    /// Carries out what the mirror asks for: texts first, so that nobody sees a file before its
    /// text, then the index.
    pub(super) async fn carry_out(
        &mut self,
        effects: Vec<Effect>,
        doing: &'static str,
    ) -> anyhow::Result<()> {
        let mut rest = Rest::default();
        rest.add(effects);
        rest.documents.extend(self.mirror.unsaved());
        rest.documents.remove(&DocumentId::index());
        self.store_index(&mut rest)?;
        while !rest.documents.is_empty() {
            let documents = std::mem::take(&mut rest.documents);
            let mut store = MirrorDocuments {
                mirror: &mut self.mirror,
                rest: &mut rest,
                progress: Progress::new(doing, documents.len(), self.quiet),
            };
            let need_a_room = self.bulk.run(documents, &mut store).await?;
            self.transfer.run(need_a_room, &mut store).await?;
            drop(store);
            self.store_index(&mut rest)?;
        }
        self.index.sync(&mut self.transfer).await?;
        let state = self.index.state();
        self.mirror.persist(&DocumentId::index(), &state, false)?;
        // What others have added meanwhile is left to the editor's bridge.
        let entries = self.index.entries();
        rest.add(self.mirror.index_changed(entries, true)?);
        Ok(())
    }

    fn store_index(&mut self, rest: &mut Rest) -> anyhow::Result<()> {
        self.index.apply(&std::mem::take(&mut rest.edits));
        let state = self.index.state();
        self.mirror.persist(&DocumentId::index(), &state, true)?;
        Ok(())
    }

    /// The number of files that are the same document here and in the project.
    pub(super) fn files_here(&self) -> usize {
        let left_alone = self.mirror.left_alone().map(|(path, _)| path).collect();
        count_here(&self.index.entries(), &left_alone)
    }

    /// Takes leave of the server.
    pub(super) async fn close(self) {
        self.transfer.close().await;
    }

    /// Tells which files the mirror could not share or write.
    pub(super) fn tell_left_alone(&self) {
        let count = self.mirror.left_alone().count();
        if count > 0 {
            output::note(format_args!(
                "{} left alone: `tutti status` says why",
                output::files(count)
            ));
        }
    }
}

/// So many of the listed files have a place here and are not left alone.
fn count_here(entries: &BTreeMap<DocumentId, FileEntry>, left_alone: &HashSet<&str>) -> usize {
    let places = index::visible(entries).into_values().flatten();
    places
        .filter(|path| !left_alone.contains(path.to_string().as_str()))
        .count()
}

/// What is still to be done.
#[derive(Default)]
struct Rest {
    edits: Vec<IndexEdit>,
    documents: BTreeSet<DocumentId>,
}

impl Rest {
    fn add(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Index(edit) => self.edits.push(edit),
                Effect::Sync(document) => {
                    self.documents.insert(document);
                }
                Effect::Tell(notice) => output::note(notice),
            }
        }
    }
}

struct MirrorDocuments<'a> {
    mirror: &'a mut Mirror,
    rest: &'a mut Rest,
    progress: Progress,
}

impl bulk::Documents for MirrorDocuments<'_> {
    fn stored(&mut self, document: &DocumentId) -> anyhow::Result<Option<Stored>> {
        Ok(self.mirror.stored(document)?)
    }

    fn exchanged(
        &mut self,
        document: &DocumentId,
        stored: Option<Stored>,
        update: &[u8],
    ) -> anyhow::Result<()> {
        match stored {
            Some(stored) if update.is_empty() => {
                if self.mirror.confirmed(document, &stored.state)? {
                    self.progress.step();
                    return Ok(());
                }
                self.settle(document, &stored.state)
            }
            Some(stored) => {
                let mut replica = new_replica(Some(&stored.state))?;
                replica.apply(update)?;
                Documents::done(self, document, replica)
            }
            // The mirror stores what it is given.
            None if update.is_empty() => self.settle(document, &NOTHING),
            None => self.settle(document, update),
        }
    }
}

impl MirrorDocuments<'_> {
    fn settle(&mut self, document: &DocumentId, state: &[u8]) -> anyhow::Result<()> {
        let settled = self.mirror.settle(document, state)?;
        if settled.update.is_some() {
            // Changed on disk while it was under way: once more.
            self.rest.documents.insert(document.clone());
        }
        self.rest.add(settled.effects);
        self.progress.step();
        Ok(())
    }
}

impl Documents for MirrorDocuments<'_> {
    fn load(&mut self, document: &DocumentId) -> anyhow::Result<Replica> {
        let stored = self.mirror.stored(document)?;
        new_replica(stored.as_ref().map(|stored| stored.state.as_slice()))
    }

    fn done(&mut self, document: &DocumentId, replica: Replica) -> anyhow::Result<()> {
        let state = replica.state();
        self.mirror.persist(document, &state, false)?;
        self.settle(document, &state)
    }
}

/// Opens the directory of a project that has been begun.
pub(super) fn open_mirror(project: &Project, me: &str) -> anyhow::Result<Mirror> {
    let mirror = Mirror::open(&project.root, me)?;
    anyhow::ensure!(
        mirror.is_owner(),
        "another program is working on {} at the moment: close it and try again",
        project.root.display()
    );
    Ok(mirror)
}

/// The way to a project's documents in bulk.
pub(super) fn bulk_way(project: &Project, token: &str) -> Bulk {
    Bulk::new(Api::new(&project.server, token), project.id.clone())
}

/// Where to connect for a project.
pub(super) fn link_config(project: &Project, token: &str) -> link::Config {
    link::Config {
        server: project.server.clone(),
        project: project.id.clone(),
        token: token.to_owned(),
        timing: link::Timing::default(),
    }
}

#[cfg(test)]
mod tests {
    use tutti_protocol::index::Eol;

    use super::*;

    #[test]
    fn files_that_are_left_alone_are_not_counted() {
        let entry = |path: &str| FileEntry {
            path: path.to_owned(),
            eol: Eol::Lf,
            executable: false,
            created_at: 0,
            created_by: String::new(),
        };
        let paths = ["a.txt", "b.txt", "../c.txt", ".git/config"];
        let entries = (0..).zip(paths);
        let entries = entries
            .map(|(id, path)| (format!("d{id}").parse().unwrap(), entry(path)))
            .collect();
        assert_eq!(count_here(&entries, &HashSet::new()), 2);
        assert_eq!(count_here(&entries, &HashSet::from(["b.txt"])), 1);
    }
}
