//! A directory on its way into or out of a project, for `share` and `join`.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use anyhow::Context;
use tutti_engine::Replica;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::{self, FileEntry, Roots};
use yrs::Transact;

use super::bulk::{self, Bulk};
use super::carry::Carry;
use super::output::{self, Progress};
use super::transfer::{Documents, Transfer};
use crate::api::Api;
use crate::carrier::Job;
use crate::link;
use crate::mirror::{Changes, Effect, IndexEdit, LeftAlone, Mirror, Stored};
use crate::project::Project;

/// The project's index here, as far as it is known.
pub(super) struct Index {
    replica: Replica,
}

impl Index {
    /// From a stored state, or empty.
    pub(super) fn new(state: Option<&[u8]>) -> anyhow::Result<Self> {
        let replica = new_replica(state)?;
        Roots::of(replica.doc());
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
        let roots = Roots::of(self.replica.doc());
        let mut txn = self.replica.doc().transact_mut();
        for edit in edits {
            edit.apply(&mut txn, &roots);
        }
    }
}

impl Documents for Index {
    fn load(&mut self, _: &DocumentId) -> anyhow::Result<Replica> {
        new_replica(Some(&self.replica.state()))
    }

    fn done(&mut self, _: &DocumentId, replica: Replica) -> anyhow::Result<()> {
        self.replica = replica;
        Roots::of(self.replica.doc());
        Ok(())
    }

    fn damaged(&mut self, _: &DocumentId) -> anyhow::Result<()> {
        anyhow::bail!(
            "the server cannot read the list of this project's files, as it is damaged: its administrator has to restore a backup"
        )
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

/// Until a file is looked at again that someone was writing to.
const LOOK_AGAIN: Duration = Duration::from_millis(300);
/// So often, at most.
const LOOKS: usize = 30;

/// The state of a document that nobody has written to.
const NOTHING: [u8; 2] = [0, 0];

/// The directory, its index and the connection.
pub(super) struct Workspace {
    pub(super) mirror: Mirror,
    index: Index,
    transfer: Transfer,
    bulk: Bulk,
    carry: Carry,
    /// Whether progress is shown.
    pub(super) quiet: bool,
    /// What the server cannot read any more.
    damaged: BTreeSet<DocumentId>,
}

impl Workspace {
    /// Puts them together.
    pub(super) fn new(
        mirror: Mirror,
        index: Index,
        transfer: Transfer,
        project: &Project,
        token: &str,
    ) -> Self {
        let bulk = Bulk::new(Api::new(&project.server, token), project.id.clone());
        Self {
            mirror,
            index,
            transfer,
            bulk,
            carry: Carry::new(project, token),
            quiet: false,
            damaged: BTreeSet::new(),
        }
    }

    /// Tells the mirror what the server takes.
    pub(super) fn ask_for_cap(&mut self) -> anyhow::Result<Vec<Effect>> {
        Ok(self.mirror.connected(self.carry.cap()?)?)
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
        while !rest.is_empty() {
            let documents = std::mem::take(&mut rest.documents);
            let mut store = MirrorDocuments {
                mirror: &mut self.mirror,
                damaged: &mut self.damaged,
                rest: &mut rest,
                progress: Progress::new(doing, documents.len(), self.quiet),
            };
            let need_a_room = self.bulk.run(documents, &mut store).await?;
            self.transfer.run(need_a_room, &mut store).await?;
            drop(store);
            self.carry_files(&mut rest, doing)?;
            self.store_index(&mut rest)?;
        }
        self.index.sync(&mut self.transfer).await?;
        let state = self.index.state();
        self.mirror.persist(&DocumentId::index(), &state, false)?;
        // What others have added meanwhile is left to the editor's bridge.
        let entries = self.index.entries();
        rest.add(self.mirror.index_changed(entries, true)?);
        ensure_room(&self.mirror)
    }

    /// Sends and fetches the files that are no texts, and looks again at those that someone was
    /// writing to.
    fn carry_files(&mut self, rest: &mut Rest, doing: &'static str) -> anyhow::Result<()> {
        let jobs = std::mem::take(&mut rest.jobs);
        let mut progress = Progress::new(doing, jobs.len(), self.quiet);
        let mirror = &mut self.mirror;
        self.carry.run(jobs, |carried| {
            progress.step();
            rest.add(mirror.carried(carried)?);
            ensure_room(mirror)?;
            Ok(std::mem::take(&mut rest.jobs))
        })?;
        let busy = std::mem::take(&mut rest.busy);
        // One that is written to all the time is left to the editor's bridge.
        rest.looks += usize::from(!busy.is_empty());
        if !busy.is_empty() && rest.looks <= LOOKS {
            std::thread::sleep(LOOK_AGAIN);
            rest.add(self.mirror.files_changed(&Changes::of(busy))?);
        }
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
        let entries = self.index.entries();
        let damaged = paths_of(&entries, &self.damaged);
        let left_alone = self.mirror.left_alone().map(|(path, _)| path);
        let left_alone = left_alone.chain(damaged.iter().map(String::as_str));
        count_here(&entries, &left_alone.collect())
    }

    /// Takes leave of the server.
    pub(super) async fn close(self) {
        self.transfer.close().await;
    }

    /// Tells which files the mirror could not share or write, and which the server cannot read.
    pub(super) fn tell_left_alone(&self) {
        for path in paths_of(&self.index.entries(), &self.damaged) {
            output::note(format_args!(
                "{path} was left as it is here: what the server has stored of it is damaged, and its administrator has to restore a backup"
            ));
        }
        let (projects, others): (Vec<_>, Vec<_>) = self
            .mirror
            .left_alone()
            .partition(|(path, reason)| is_other_project(path, reason));
        for (path, _) in projects {
            output::note(format_args!(
                "{path} was left alone: it is a shared project of its own, and its files are in that one"
            ));
        }
        let count = others.len();
        if count > 0 {
            output::note(format_args!(
                "{} left alone: `tutti status` says why",
                output::files(count)
            ));
        }
    }
}

/// Whether what is left alone is the directory of another project, and not a file in it.
fn is_other_project(path: &str, reason: &LeftAlone) -> bool {
    let name = path.rsplit('/').next();
    matches!(reason, LeftAlone::OtherProject(project) if name == Some(project))
}

/// Where these documents are shown; one that is shown nowhere by its id.
fn paths_of(entries: &BTreeMap<DocumentId, FileEntry>, of: &BTreeSet<DocumentId>) -> Vec<String> {
    let shown = index::visible(entries);
    let path = |document: &DocumentId| match shown.get(document) {
        Some(Ok(path)) => path.to_string(),
        _ => document.to_string(),
    };
    of.iter().map(path).collect()
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
    jobs: Vec<Job>,
    /// Files that someone was writing to.
    busy: BTreeSet<String>,
    looks: usize,
}

impl Rest {
    fn is_empty(&self) -> bool {
        self.documents.is_empty() && self.jobs.is_empty() && self.busy.is_empty()
    }

    fn add(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Index(edit) => self.edits.push(edit),
                Effect::Sync(document) => {
                    self.documents.insert(document);
                }
                Effect::Send(cargo) => self.jobs.push(Job::Send(vec![cargo])),
                Effect::Fetch(cargo) => self.jobs.push(Job::Fetch(cargo)),
                Effect::Offer(all) => self.jobs.push(Job::Offer(all)),
                Effect::LookAgain(path) => {
                    self.busy.insert(path.to_string());
                }
                Effect::Tell(notice) => output::note(notice),
                // No editor is here, and nothing is tried again.
                Effect::Written(..)
                | Effect::Beneath(_)
                | Effect::Wanted(_)
                | Effect::BeginAgain => {}
            }
        }
    }
}

struct MirrorDocuments<'a> {
    mirror: &'a mut Mirror,
    damaged: &'a mut BTreeSet<DocumentId>,
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

    fn damaged(&mut self, document: &DocumentId) {
        self.damaged.insert(document.clone());
        self.progress.step();
    }
}

impl MirrorDocuments<'_> {
    fn settle(&mut self, document: &DocumentId, state: &[u8]) -> anyhow::Result<()> {
        let settled = self.mirror.settle(document, state)?;
        ensure_room(self.mirror)?;
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

    fn damaged(&mut self, document: &DocumentId) -> anyhow::Result<()> {
        bulk::Documents::damaged(self, document);
        Ok(())
    }
}

/// Nothing goes on without room on the disk, or where nothing can be stored.
fn ensure_room(mirror: &Mirror) -> anyhow::Result<()> {
    match mirror.stopped_by_disk() {
        Some((path, reason)) => Err(anyhow::anyhow!("{path} cannot be written: {reason}")),
        None => Ok(()),
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

/// Where to connect for a project.
pub(super) fn link_config(project: &Project, token: &str) -> link::Config {
    link::Config {
        server: project.server.clone(),
        project: project.id.clone(),
        token: link::Token(token.to_owned()),
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
            blob: None,
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
