//! What bridges tell each other of files: who deletes one that somebody changes, and who changes it, each have
//! one, and each of the two knows but half of it.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use tutti_engine::Millis;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::FileEntry;
use tutti_protocol::path::ProjectPath;
use tutti_protocol::role::Role;

use super::project::Project;
use crate::lsp::Severity;
use crate::mirror::{Effect, IndexEdit, Notice, shown};
use crate::presence::Word;

/// So often the person is told what others tell: anybody may tell anything.
const TOLD: usize = 1000;
/// So many files are remembered as deleted here, or as deleted or renamed by others.
const REMEMBERED: usize = 1000;
/// A program's file is the person's for so long after it was written: what becomes of it then is news for them.
const WRITTEN_MS: u64 = 60_000;

/// Who has told that they rename a file, and what tells one time from another.
#[derive(Clone, PartialEq, Eq)]
struct Renamer {
    name: String,
    time: (u64, u64),
}

/// See the [module's documentation](self).
#[derive(Default)]
pub(super) struct Words {
    /// What the person was told of.
    told: HashSet<(Word, u64, u64)>,
    /// How often this bridge has told something.
    count: u64,
    /// Files that the person has brought back themselves.
    brought_back: BTreeSet<DocumentId>,
    /// Files that they have deleted, with the paths.
    deleted: VecDeque<(DocumentId, String)>,
    /// Who has deleted which file: what comes of it may come later than they tell of it.
    deleted_by: HashMap<DocumentId, String>,
    /// Who has renamed which file, until the index shows it.
    renaming: HashMap<DocumentId, Renamer>,
    /// Who has given a file the name that it has, or had.
    named_by: HashMap<DocumentId, (ProjectPath, Renamer)>,
    /// Files that a program of theirs has written, and when.
    written: HashMap<DocumentId, Millis>,
    /// Those of long ago are forgotten when there are so many: each time looking through all would be costly.
    prune_at: usize,
}

fn make_room<T>(all: &mut HashMap<DocumentId, T>, news: usize) {
    if all.len() + news > REMEMBERED {
        all.clear();
    }
}

fn is_recent(at: Millis, now: Millis) -> bool {
    at.0 + WRITTEN_MS > now.0
}

impl Project {
    /// Tells the others.
    fn tell_others(&mut self, word: Word, document: &DocumentId) {
        self.add_word(word, document);
        self.people_hear();
    }

    fn add_word(&mut self, word: Word, document: &DocumentId) {
        self.words.count += 1;
        self.people.tells(word, document, self.words.count);
    }

    /// The person's edits of the index are about to be made: whose file goes by them, or has another name, hears
    /// from whom.
    pub(super) fn tell_of_edits(&mut self, effects: &[Effect]) {
        let count = self.words.count;
        for effect in effects {
            match effect {
                _ if self.role == Role::Viewer => {}
                Effect::Index(IndexEdit::Remove(document)) => self.note_deletion(document),
                Effect::Index(IndexEdit::SetBlob(document, blob)) if blob.sha256.is_none() => {
                    self.note_deletion(document);
                }
                Effect::Index(IndexEdit::Rename(document, _)) => {
                    self.add_word(Word::Renamed, document);
                }
                _ => {}
            }
        }
        if self.words.count > count {
            self.people_hear();
        }
    }

    fn note_deletion(&mut self, document: &DocumentId) {
        if let Some(entry) = self.index.entries().get(document) {
            if self.words.deleted.len() == REMEMBERED {
                self.words.deleted.pop_front();
            }
            let path = shown(&entry.path);
            self.words.deleted.push_back((document.clone(), path));
        }
        self.add_word(Word::Deleted, document);
    }

    /// A program of theirs has written into a file.
    pub(super) fn note_written(&mut self, document: &DocumentId) {
        let now = self.clock.now();
        let words = &mut self.words;
        if words.written.len() >= words.prune_at {
            words.written.retain(|_, at| is_recent(*at, now));
            words.prune_at = 2 * words.written.len().max(TOLD);
        }
        words.written.insert(document.clone(), now);
    }

    /// The person has brought a file back that someone had deleted: nobody needs to tell them.
    pub(super) fn brought_back(&mut self, document: &DocumentId) {
        self.words.brought_back.insert(document.clone());
    }

    /// Who has deleted a file, if they have told.
    pub(super) fn who_deleted(&self, document: &DocumentId) -> Option<String> {
        self.words.deleted_by.get(document).cloned()
    }

    /// The index shows these under other names now, which others have given them. Of many that somebody renames at
    /// once they tell of a few.
    pub(super) fn note_renamed(&mut self, renamed: &[(DocumentId, ProjectPath)]) {
        let words = &mut self.words;
        let told = renamed.iter().map(|(one, _)| words.renaming.remove(one));
        let told: Vec<_> = told.collect();
        let mut all = told.iter().flatten();
        let first = all.next().cloned();
        let only = first.filter(|first| all.all(|other| other.name == first.name));
        for ((document, name), by) in renamed.iter().zip(told) {
            if let Some(by) = by.or_else(|| only.clone()) {
                make_room(&mut words.named_by, 1);
                words.named_by.insert(document.clone(), (name.clone(), by));
            }
        }
    }

    /// Who has given a file this name, if they have told.
    pub(super) fn who_named(&self, document: &DocumentId, name: &ProjectPath) -> Option<&str> {
        let (named, by) = self.words.named_by.get(document)?;
        (named == name).then_some(by.name.as_str())
    }

    /// The index has changed: who has deleted what is listed again by now is no news any more.
    pub(super) fn forget_deletions(&mut self) {
        let entries = self.index.entries();
        let is_back =
            |document: &DocumentId| entries.get(document).is_some_and(FileEntry::is_there);
        let deleted_by = &mut self.words.deleted_by;
        deleted_by.retain(|document, _| !is_back(document));
    }

    /// Who writes in a file now, if that is one person.
    fn who_writes(&self, document: &DocumentId) -> Option<String> {
        let all = self.others_in_index()?.iter();
        let mut there = all.filter(|other| other.file.as_ref() == Some(document));
        let (one, more) = (there.next(), there.next());
        one.filter(|_| more.is_none()).map(|one| one.name.clone())
    }

    /// The mirror has something to say, to this person and perhaps to the other one.
    pub(super) fn tell(&mut self, notice: &Notice) {
        let about = |path: &String| {
            let mut entries = self.index.entries().iter();
            let found = entries.find(|(_, entry)| entry.path == *path && entry.is_there());
            found.map(|(document, _)| document.clone())
        };
        let (word, document, who) = match notice {
            Notice::ChangedMeanwhile { path } => {
                let document = about(path);
                let who = document.as_ref().and_then(|one| self.who_writes(one));
                (Some(Word::Restored), document, who)
            }
            Notice::CameBack { path } => {
                let who = about(path).and_then(|document| self.who_deleted(&document));
                (None, None, who)
            }
            Notice::Waits { document, .. } => {
                let who = self.who_writes(document);
                (Some(Word::Waits), Some(document.clone()), who)
            }
            Notice::Deleted { document, .. } => {
                let who = self.who_deleted(document);
                (Some(Word::Kept), Some(document.clone()), who)
            }
            _ => (None, None, None),
        };
        let message = match who {
            Some(who) => notice.because_of(&who),
            None => notice.to_string(),
        };
        // Each time anew.
        let is_news = matches!(
            notice,
            Notice::ChangedMeanwhile { .. }
                | Notice::CameBack { .. }
                | Notice::Unwritten { .. }
                | Notice::WrittenAgain
                | Notice::WholeAgain { .. }
        );
        match is_news {
            true if *notice == Notice::WrittenAgain => self.client.show(Severity::Info, &message),
            true => self.client.show(Severity::Warning, &message),
            false => self.tell_once(Severity::Warning, &message),
        }
        if let Some((word, document)) = word.zip(document) {
            self.tell_others(word, &document);
        }
    }

    /// The others have told something.
    pub(super) fn hear_others(&mut self) {
        let Some(others) = self.others_in_index() else {
            return;
        };
        let (mut news, mut deletions, mut renamings) = (Vec::new(), Vec::new(), Vec::new());
        for (other, word, document, (client, number)) in others.words() {
            let name = other.name.clone();
            match word {
                Word::Deleted => {
                    deletions.push((document.clone(), name));
                    continue;
                }
                Word::Renamed => {
                    let time = (client, number);
                    let known = self.words.named_by.get(document);
                    if known.is_none_or(|(_, known)| known.time != time) {
                        renamings.push((document.clone(), Renamer { name, time }));
                    }
                    continue;
                }
                Word::Restored | Word::Kept | Word::Waits => {}
            }
            let time = (word, client, number);
            if self.words.told.len() + news.len() < TOLD
                && !self.words.told.contains(&time)
                && let Some(message) = self.message(word, document, &other.name)
            {
                news.push((document.clone(), time, message));
            }
        }
        make_room(&mut self.words.deleted_by, deletions.len());
        self.words.deleted_by.extend(deletions);
        make_room(&mut self.words.renaming, renamings.len());
        self.words.renaming.extend(renamings);
        for (document, time, (severity, message)) in news {
            self.words.told.insert(time);
            let is_own = time.0 == Word::Restored && self.words.brought_back.remove(&document);
            if !is_own {
                self.client.show(severity, &message);
            }
        }
    }

    /// What this person has to hear of it.
    fn message(&self, word: Word, document: &DocumentId, name: &str) -> Option<(Severity, String)> {
        let now = self.clock.now();
        let written = self.words.written.get(document);
        let is_theirs = self.is_shown(document) || written.is_some_and(|at| is_recent(*at, now));
        let path = || self.index.path_of(document);
        match word {
            // They hear of that from the index.
            Word::Deleted | Word::Renamed => None,
            Word::Restored => path().filter(|_| is_theirs).map(|path| {
                let what = "while it was changed: it is there again";
                (Severity::Info, format!("{path} was deleted by {name} {what}"))
            }),
            Word::Waits => path().filter(|_| is_theirs).map(|path| {
                let what = "a directory there, or a file, has the name of the other; rename one of the two";
                (Severity::Warning, format!("{path} does not reach {name}: {what}"))
            }),
            Word::Kept => {
                let mut deleted = self.words.deleted.iter();
                let (_, path) = deleted.find(|(other, _)| other == document)?;
                let what = "when you deleted it, and has that text in .tutti/recovered";
                (Severity::Info, format!("{name} had changed {path} {what}"))
                    .into()
            }
        }
    }
}
