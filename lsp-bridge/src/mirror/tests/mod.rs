//! The mirror against real directories, with a project that exists in memory only.

mod asked;
mod blobs;
mod hostile;
mod kept;
mod kinds;
mod let_go;
mod long_ago;
mod many;
#[cfg(unix)]
mod modes;
mod moved;
mod moved_and_changed;
mod nested;
mod renamed;
mod standing;
mod sync;
mod together;
mod traded;
mod twins;
#[cfg(target_os = "linux")]
mod unwritten;
mod view_only;
mod watched;
mod written_apart;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tutti_engine::Replica;
use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::{self, Eol, FileEntry, Roots};
use yrs::Transact;

use super::merge::new_client_id;
use super::tree::LeftAlone;
use super::{Changes, Effect, Mirror, Notice};

/// The project as the server has it.
struct Hub {
    index: Replica,
    documents: BTreeMap<DocumentId, Replica>,
    contents: BTreeMap<BlobHash, Vec<u8>>,
    /// It takes no contents and gives none.
    is_away: bool,
}

impl Hub {
    fn new() -> Self {
        let index = Replica::new(new_client_id());
        Roots::of(index.doc());
        Self {
            index,
            documents: BTreeMap::new(),
            contents: BTreeMap::new(),
            is_away: false,
        }
    }

    fn entries(&self) -> BTreeMap<DocumentId, FileEntry> {
        index::entries(&self.index.doc().transact())
    }

    fn document(&mut self, id: &DocumentId) -> &mut Replica {
        self.documents
            .entry(id.clone())
            .or_insert_with(|| Replica::new(new_client_id()))
    }

    /// The document at a path.
    fn id(&self, path: &str) -> DocumentId {
        let entries = self.entries();
        // A binary file that was deleted is listed without a content.
        let is_there = |entry: &FileEntry| {
            let blob = entry.blob.as_ref();
            entry.path == path && blob.is_none_or(|blob| blob.sha256.is_some())
        };
        let mut found = entries.iter().filter(|(_, entry)| is_there(entry));
        found
            .next()
            .unwrap_or_else(|| panic!("{path} is not listed"))
            .0
            .clone()
    }

    fn text(&self, path: &str) -> String {
        self.documents[&self.id(path)].text()
    }

    /// What someone else does.
    fn put(&mut self, id: &str, path: &str, text: &str) -> DocumentId {
        let id: DocumentId = id.parse().unwrap();
        self.document(&id).edit(text);
        let entry = FileEntry {
            path: path.into(),
            eol: Eol::Lf,
            executable: false,
            created_at: 0,
            created_by: "Bob".into(),
            blob: None,
        };
        self.change_index(|txn, files| index::insert(txn, files, &id, &entry));
        id
    }

    fn edit(&mut self, path: &str, text: &str) {
        let id = self.id(path);
        self.document(&id).edit(text);
    }

    fn rename(&mut self, from: &str, to: &str) {
        let id = self.id(from);
        let to = to.parse().unwrap();
        self.change_index(|txn, files| index::rename(txn, files, &id, &to));
    }

    fn remove(&mut self, path: &str) {
        let id = self.id(path);
        self.change_index(|txn, files| index::remove(txn, files, &id));
    }

    fn change_index(&mut self, change: impl FnOnce(&mut yrs::TransactionMut<'_>, &Roots)) {
        let roots = Roots::of(self.index.doc());
        change(&mut self.index.doc().transact_mut(), &roots);
    }
}

/// One person's directory and its mirror.
struct Here {
    directory: TempDir,
    mirror: Mirror,
    told: Vec<Notice>,
    /// Files that someone was writing to.
    busy: BTreeSet<String>,
}

impl Here {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(files: &[(&str, &[u8])]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join(".tutti")).unwrap();
        for (path, bytes) in files {
            write(&directory.path().join(path), bytes);
        }
        let mirror = Mirror::open(directory.path(), "Ada").unwrap();
        Self {
            directory,
            mirror,
            told: Vec::new(),
            busy: BTreeSet::new(),
        }
    }

    /// The bridge ends and starts again.
    fn restart(self, meanwhile: impl FnOnce(&Path)) -> Self {
        let Self {
            directory,
            mirror,
            told,
            ..
        } = self;
        drop(mirror);
        meanwhile(directory.path());
        let mirror = Mirror::open(directory.path(), "Ada").unwrap();
        Self {
            directory,
            mirror,
            told,
            busy: BTreeSet::new(),
        }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        write(&self.path(path), bytes.as_ref());
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    fn has(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    /// Every file but Tutti's own.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut waiting = vec![self.directory.path().to_owned()];
        while let Some(directory) = waiting.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let relative = path.strip_prefix(self.directory.path()).unwrap();
                if relative.starts_with(".tutti") {
                    continue;
                }
                if path.is_dir() {
                    waiting.push(path);
                } else {
                    let name = relative.to_str().unwrap().to_owned();
                    found.insert(name, fs::read(&path).unwrap());
                }
            }
        }
        found
    }

    /// Takes over what others did, then passes on what was done here.
    fn sync(&mut self, hub: &mut Hub) {
        let effects = self.mirror.transfers().unwrap();
        self.carry_out(effects, hub);
        let effects = self.mirror.index_changed(hub.entries(), true).unwrap();
        self.carry_out(effects, hub);
        let documents: Vec<DocumentId> = self.mirror.documents().cloned().collect();
        self.carry_out(documents.into_iter().map(Effect::Sync).collect(), hub);
        let effects = self.mirror.files_changed(&Changes::everything()).unwrap();
        self.carry_out(effects, hub);
        self.look_again(hub);
        let effects = self.mirror.index_changed(hub.entries(), true).unwrap();
        self.carry_out(effects, hub);
    }

    /// As a session does: only time tells that nobody is writing any more, or that a file has gone.
    fn look_again(&mut self, hub: &mut Hub) {
        while !self.busy.is_empty() {
            std::thread::sleep(Duration::from_millis(100));
            let busy = std::mem::take(&mut self.busy);
            let effects = self.mirror.files_changed(&Changes::of(busy)).unwrap();
            self.carry_out(effects, hub);
        }
    }

    /// What comes of files that have gone, before anything is done about it.
    fn look_for_gone(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut changes = Changes::everything();
        loop {
            let found = self.mirror.files_changed(&changes).unwrap();
            let is_busy = |effect: &Effect| matches!(effect, Effect::LookAgain(_));
            let (busy, found): (Vec<_>, Vec<_>) = found.into_iter().partition(is_busy);
            effects.extend(found);
            if busy.is_empty() {
                return effects;
            }
            let paths = busy.into_iter().filter_map(|effect| match effect {
                Effect::LookAgain(path) => Some(path.to_string()),
                _ => None,
            });
            changes = Changes::of(paths);
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>, hub: &mut Hub) {
        for effect in effects {
            match effect {
                Effect::Index(edit) => hub.change_index(|txn, files| edit.apply(txn, files)),
                Effect::Sync(id) => self.sync_document(&id, hub),
                Effect::Tell(notice) => self.told.push(notice),
                // A session's to answer.
                Effect::Written(..)
                | Effect::Beneath(_)
                | Effect::Wanted(_)
                | Effect::BeginAgain => {}
                Effect::LookAgain(path) => {
                    self.busy.insert(path.to_string());
                }
                Effect::Send(_) | Effect::Fetch(_) | Effect::Offer(_) => {
                    self.carry(effect, hub);
                }
            }
        }
    }

    fn sync_document(&mut self, id: &DocumentId, hub: &mut Hub) {
        let theirs = hub.document(id);
        if let Some(stored) = self.mirror.stored(id).unwrap() {
            theirs.apply(&stored.state).unwrap();
        }
        let state = theirs.state();
        self.mirror.persist(id, &state, false).unwrap();
        let settled = self.mirror.settle(id, &state).unwrap();
        if let Some(update) = settled.update {
            hub.document(id).apply(&update).unwrap();
        }
        self.carry_out(settled.effects, hub);
    }

    fn recovered(&self) -> BTreeMap<String, String> {
        let Ok(entries) = fs::read_dir(self.path(".tutti/recovered")) else {
            return BTreeMap::new();
        };
        entries
            .map(|entry| {
                let entry = entry.unwrap();
                let text = fs::read_to_string(entry.path()).unwrap();
                (entry.file_name().into_string().unwrap(), text)
            })
            .collect()
    }

    fn left_alone(&self) -> Vec<String> {
        let left = self.mirror.left_alone();
        left.map(|(path, reason)| format!("{path}: {reason}"))
            .collect()
    }
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// The file was written so long ago that nobody is still at it.
fn written_before(path: &Path) {
    let file = fs::File::options().write(true).open(path).unwrap();
    let then = std::time::SystemTime::now() - Duration::from_secs(60);
    file.set_modified(then).unwrap();
}
