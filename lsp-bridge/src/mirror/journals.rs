//! The journals of open documents: `.tutti/journals/SESSION/DOCUMENT.journal`.
//!
//! Each bridge that has an editor keeps them in a directory of its own, which it holds locked. When
//! it has ended, however that was, the next one reads what they end with: what the editor showed,
//! which may be open still. Nothing is synced to the disk here: what a loss of power takes, it takes
//! from the editor as well.
//!
//! A journal is a line that names the format and its entries, each behind its length and the first
//! bytes of its SHA-256. One that was cut ends before the first entry that does not add up. The first
//! is the path under which the editor shows the document, which the project may call otherwise.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::{self, Write};
use std::time::{Duration, Instant, SystemTime};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::{Dir, OpenOptions};
use ropey::Rope;
use tutti_engine::Left;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::path::ProjectPath;

use super::claim::Claim;
use super::merge::{new_client_id, replica};
use super::nearest::nearest;
use super::outlived::{self, Window};
use super::state::{document_of, hash, stem};
use super::tree::{Private, read_small, write_atomically};

const JOURNALS: &str = "journals";
const SUFFIX: &str = ".journal";
/// Beside one: as which its editor may have written the file since, see [`Window::may_show`].
const WRITTEN: &str = ".written";
/// Beside one: its editor has closed the document, and shows it to nobody any more.
const CLOSED: &str = ".closed";
const MAGIC: &[u8] = b"tutti journal 2\n";
/// Of an entry: its length, and as many bytes of its hash.
const LENGTH_BYTES: usize = 4;
const CHECK_BYTES: usize = 8;
/// A journal is begun anew when it is this long, and twice as long as it was at its beginning.
const LONG_BYTES: usize = 256 << 10;
/// An editor that lives on shows its files to the next bridge at once; none takes longer than this.
const COMES_BACK: Duration = Duration::from_secs(5);
/// No editor is expected after this.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Where this bridge keeps its journals, and what earlier ones have left.
#[derive(Debug)]
pub struct Journals {
    /// Those of all bridges of this directory.
    all: Dir,
    dir: Dir,
    /// Tells the other bridges that this one lives.
    _claim: Claim,
}

/// The journal of one document, while its editor shows it.
#[derive(Debug)]
pub struct Journal {
    file: File,
    begun_bytes: usize,
    bytes: usize,
}

/// The journals of bridges that have ended, by document.
#[derive(Debug, Default)]
pub(super) struct LeftBehind {
    dirs: HashMap<DocumentId, Vec<Dir>>,
    /// Those of them that were not closed.
    open: HashSet<DocumentId>,
    shown_at: ShownAt,
    /// Documents whose files have not been looked at since.
    unseen: HashSet<DocumentId>,
    /// When they were found.
    found: Option<Instant>,
}

/// The documents that editors have shown, by the path under which they did.
pub type ShownAt = HashMap<ProjectPath, BTreeSet<DocumentId>>;

impl Journals {
    /// A new directory beneath `.tutti/journals`, and what the others there have left. Those that
    /// nobody will come back for are removed.
    pub(super) fn open(private: &Private) -> io::Result<(Self, LeftBehind)> {
        let all = private.subdirectory(JOURNALS)?;
        let left = LeftBehind::read(&all)?;
        let (dir, _claim) = Claim::new_in(&all)?;
        outlived::note_editor(&dir)?;
        Ok((Self { all, dir, _claim }, left))
    }

    /// Begins the journal of a document that is shown under `path`, in the place of an earlier one.
    pub fn begin(
        &self,
        document: &DocumentId,
        path: &ProjectPath,
        start: &[u8],
    ) -> io::Result<Journal> {
        let name = journal_name(document);
        let bytes = begun(path, start);
        write_atomically(&self.dir, &name, &bytes, false)?;
        remove(&self.dir, &closed_name(document))?;
        let mut options = OpenOptions::new();
        options.append(true).follow(FollowSymlinks::No);
        let file = self.dir.open_with(&name, &options)?.into_std();
        let bytes = bytes.len();
        Ok(Journal {
            file,
            begun_bytes: bytes,
            bytes,
        })
    }

    /// The editor has closed a document: what is done with its file from now on is none of its doing. What the
    /// journal holds may not be stored yet.
    pub fn closed(&self, document: &DocumentId) -> io::Result<()> {
        self.dir.write(closed_name(document), b"")
    }

    /// What the journals of a document end with as they are now, whoever keeps or has kept them.
    pub(super) fn of_all(&self, document: &DocumentId) -> io::Result<Vec<Left>> {
        let mut found = Vec::new();
        for entry in self.all.entries()? {
            // One that has been removed meanwhile has nothing to tell.
            if let Ok(dir) = self.all.open_dir_nofollow(entry?.file_name()) {
                found.extend(read(&dir, document));
            }
        }
        Ok(found)
    }

    /// The windows of bridges that have ended which showed a document, where their editors live on.
    pub(super) fn of_ended(&self, document: &DocumentId) -> io::Result<Vec<Window>> {
        let mut found = Vec::new();
        for entry in self.all.entries()? {
            if let Ok(dir) = self.all.open_dir_nofollow(entry?.file_name())
                && !is_closed(&dir, document)
                && let Some(left) = read(&dir, document)
                && outlived::editor_lives(&dir)
                && Claim::is_left(&dir)?
            {
                found.push(Window::new(dir, left));
            }
        }
        Ok(found)
    }

    /// What this bridge's own journal of a document ends with, if there is one.
    pub(super) fn left(&self, document: &DocumentId) -> Option<Left> {
        read(&self.dir, document)
    }

    /// The same, if the document was shown under this path.
    pub(super) fn left_at(&self, document: &DocumentId, at: &ProjectPath) -> Option<Left> {
        read_at(&self.dir, document, at)
    }
}

impl Journal {
    /// Adds an entry.
    pub fn add(&mut self, entry: &[u8]) -> io::Result<()> {
        let bytes = encode(entry);
        self.bytes += bytes.len();
        // In one call, so that a kill leaves it whole or not at all.
        self.file.write_all(&bytes)
    }

    /// Whether it is time to begin anew.
    pub fn is_long(&self) -> bool {
        self.bytes > LONG_BYTES.max(2 * self.begun_bytes)
    }
}

impl LeftBehind {
    fn read(all: &Dir) -> io::Result<Self> {
        let mut left = Self {
            found: Some(Instant::now()),
            ..Self::default()
        };
        for entry in all.entries()? {
            let entry = entry?;
            let Ok(dir) = all.open_dir_nofollow(entry.file_name()) else {
                continue;
            };
            if !Claim::is_left(&dir)? {
                continue;
            }
            let (documents, is_old) = contents(&dir)?;
            if documents.is_empty() || is_old {
                if let Some(claim) = Claim::to_left(&dir)? {
                    claim.remove(all, &entry.file_name())?;
                }
                continue;
            }
            for document in documents {
                if let Some(path) = path(&dir, &document) {
                    let shown = left.shown_at.entry(path).or_default();
                    shown.insert(document.clone());
                }
                left.unseen.insert(document.clone());
                if !is_closed(&dir, &document) {
                    left.open.insert(document.clone());
                }
                left.dirs
                    .entry(document)
                    .or_default()
                    .push(dir.try_clone()?);
            }
        }
        Ok(left)
    }

    /// Under which paths documents were shown.
    pub(super) fn shown_at(&self) -> &ShownAt {
        &self.shown_at
    }

    /// What the journals of a document end with.
    pub(super) fn of(&self, document: &DocumentId) -> Vec<Left> {
        let dirs = self.dirs.get(document).into_iter().flatten();
        dirs.filter_map(|dir| read(dir, document)).collect()
    }

    /// What those end with that were kept while the document was shown under this path.
    pub(super) fn of_at(&self, document: &DocumentId, at: &ProjectPath) -> Vec<Left> {
        let dirs = self.dirs.get(document).into_iter().flatten();
        dirs.filter_map(|dir| read_at(dir, document, at)).collect()
    }

    /// What an editor may have made a document's file out of while no bridge ran.
    pub(super) fn beside_file(&self, document: &DocumentId) -> Vec<Left> {
        if !self.unseen.contains(document) {
            return Vec::new();
        }
        let dirs = self.dirs.get(document).into_iter().flatten();
        let open = dirs.filter(|dir| !is_closed(dir, document));
        open.filter_map(|dir| read(dir, document)).collect()
    }

    /// Whether an editor may be about to show the document as it did to an earlier bridge. Were its
    /// file written meanwhile, the editor would find it changed on disk, and ask whose text to keep.
    pub(super) fn may_come_back(&self, document: &DocumentId) -> bool {
        let is_early = self.found.is_some_and(|found| found.elapsed() < COMES_BACK);
        is_early && self.open.contains(document) && self.dirs.contains_key(document)
    }

    /// What the file holds is known: what is written from now on is made of that.
    pub(super) fn file_is_known(&mut self, document: &DocumentId) {
        self.unseen.remove(document);
    }

    /// An editor has come back with this text to what the nearest of them ends with.
    pub(super) fn came_back(&mut self, document: &DocumentId, text: &Rope) {
        let Some(dirs) = self.dirs.get_mut(document) else {
            return;
        };
        let costs = dirs.iter().enumerate().filter_map(|(at, dir)| {
            let left = read(dir, document)?;
            let near = nearest(None, std::slice::from_ref(&left), |_| text.clone())?;
            Some((near.distance(), at))
        });
        let Some((_, at)) = costs.min() else {
            return;
        };
        let dir = dirs.swap_remove(at);
        if dirs.is_empty() {
            self.dirs.remove(document);
        }
        let names = [journal_name, written_name, closed_name];
        for name in names.map(|name| name(document)) {
            if let Err(error) = remove(&dir, &name) {
                tracing::debug!(%document, %error, "a journal stays behind");
            }
        }
    }
}

/// The documents with a journal in a directory, and whether nobody has written there for long.
fn contents(dir: &Dir) -> io::Result<(Vec<DocumentId>, bool)> {
    let mut documents = Vec::new();
    let mut newest = SystemTime::UNIX_EPOCH;
    for entry in dir.entries()? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
        if let Some(document) = name.and_then(document_of) {
            documents.push(document);
            newest = newest.max(entry.metadata()?.modified()?.into_std());
        }
    }
    let age = SystemTime::now().duration_since(newest);
    Ok((documents, age.is_ok_and(|age| age > KEPT)))
}

pub(super) fn journal_name(document: &DocumentId) -> String {
    stem(document) + SUFFIX
}

pub(super) fn written_name(document: &DocumentId) -> String {
    stem(document) + WRITTEN
}

fn closed_name(document: &DocumentId) -> String {
    stem(document) + CLOSED
}

fn is_closed(dir: &Dir, document: &DocumentId) -> bool {
    dir.symlink_metadata(closed_name(document)).is_ok()
}

/// Removes a file that need not be there.
fn remove(dir: &Dir, name: &str) -> io::Result<()> {
    match dir.remove_file(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// A journal that was just begun.
pub(super) fn begun(path: &ProjectPath, start: &[u8]) -> Vec<u8> {
    [MAGIC, &encode(path.as_str().as_bytes()), &encode(start)].concat()
}

fn encode(entry: &[u8]) -> Vec<u8> {
    let length = (entry.len() as u32).to_le_bytes();
    let check = hash(entry);
    [&length, &check[..CHECK_BYTES], entry].concat()
}

fn decode(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>()
        && let Some((check, rest)) = rest.split_first_chunk::<CHECK_BYTES>()
        && let Some((entry, rest)) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)
        && hash(entry).starts_with(check)
    {
        entries.push(entry);
        bytes = rest;
    }
    entries
}

/// The path that a journal names.
pub(super) fn path(dir: &Dir, document: &DocumentId) -> Option<ProjectPath> {
    let bytes = bytes(dir, &journal_name(document))?;
    let entries = decode(bytes.strip_prefix(MAGIC)?);
    std::str::from_utf8(entries.first()?).ok()?.parse().ok()
}

fn read_at(dir: &Dir, document: &DocumentId, at: &ProjectPath) -> Option<Left> {
    let is_it = path(dir, document).as_ref() == Some(at);
    is_it.then(|| read(dir, document)).flatten()
}

fn read(dir: &Dir, document: &DocumentId) -> Option<Left> {
    let mut left = read_one(dir, &journal_name(document))?;
    if let Some(written) = read_one(dir, &written_name(document))
        && let Ok(mut both) = replica(&left.state)
        && both.apply(&written.state).is_ok()
    {
        left.state = both.state();
        left.shown.extend(written.shown);
    }
    Some(left)
}

fn read_one(dir: &Dir, name: &str) -> Option<Left> {
    let bytes = bytes(dir, name)?;
    let entries = decode(bytes.strip_prefix(MAGIC)?);
    let (_path, entries) = entries.split_first()?;
    let (start, entries) = entries.split_first()?;
    match Left::read(new_client_id(), start, entries.iter().copied()) {
        Ok(left) => Some(left),
        Err(error) => {
            tracing::warn!(name, %error, "a journal makes no sense");
            None
        }
    }
}

fn bytes(dir: &Dir, name: &str) -> Option<Vec<u8>> {
    match read_small(dir, name) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::warn!(name, %error, "a journal cannot be read");
            None
        }
    }
}
