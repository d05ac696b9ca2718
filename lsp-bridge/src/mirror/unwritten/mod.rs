//! What the disk does not take: it is full, or a directory may not be written to.
//!
//! Nothing is lost by that: a file that cannot be written holds what it held, and what cannot be stored of a document
//! is kept in memory. What is left undone is known by name, for `tutti status`
//! ([`note`]) and for the person, who is told once; and it is tried again until it is done, after pauses that
//! grow, and soon after something else has changed on the disk.

pub(super) mod note;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::time::{Duration, Instant};

use tutti_protocol::ids::DocumentId;
use tutti_protocol::path::ProjectPath;

use super::effect::{Effect, Notice, Waiting};
use super::state::Record;
use super::tree::LeftAlone;
use super::walk::shown;
use super::{Mirror, MirrorError};
use note::Note;

/// Until it is tried again for the first time; twice as long each time after that.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Until it is tried again when something else has changed on the disk.
const SOON: Duration = Duration::from_secs(1);
/// So many files are tried at a time, as long as none of them can be written.
const AT_ONCE: usize = 64;

/// With so little room left a disk counts as full still.
const ROOM_BYTES: u64 = 64 * 1024;

/// What is not written, by name.
type Named = BTreeMap<String, (Waiting, LeftAlone)>;

/// Whether it is for want of room.
type IsFull = bool;

/// See the [module's documentation](self).
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    /// Records that could not be stored.
    held: HashMap<DocumentId, (Record, LeftAlone)>,
    /// The same of files that are no texts: their records are known in any case.
    blobs: HashMap<DocumentId, LeftAlone>,
    /// Something else was not done: with what, and why.
    undone: Option<(String, LeftAlone)>,
    /// All was begun anew, and nothing has been left undone since.
    is_begun_again: bool,
    named: Named,
    /// What the person was told of.
    told: BTreeSet<(Waiting, IsFull)>,
    note: Option<Note>,
    pause: Option<Duration>,
    due: Option<Instant>,
    /// Something could be written since the last try.
    goes_on: bool,
    /// The last file of the last try.
    last: Option<DocumentId>,
}

impl Mirror {
    /// Looks after what could not be written: call it after each thing that was done, and now and then.
    pub fn tend(&mut self) -> Vec<Effect> {
        let now = Instant::now();
        let whole = self.cut_off.news();
        let mut effects: Vec<_> = whole.into_iter().map(Effect::Tell).collect();
        let named = self.named();
        let is_told = !self.unwritten.told.is_empty();
        if named.is_empty() && self.unwritten.named.is_empty() && !is_told {
            return effects;
        }
        if self.unwritten.take_note(named, now) {
            self.write_note();
        }
        let unwritten = &mut self.unwritten;
        let has_room = !self.tree.has_no_room_for(ROOM_BYTES);
        let news = unwritten.news(has_room);
        effects.extend(news.into_iter().map(Effect::Tell));
        if unwritten.due.is_some_and(|due| due <= now) {
            effects.extend(self.try_again(now));
        }
        effects
    }

    /// Has notes kept from now on, for `tutti status` and for the bridge that comes after this one, and takes over
    /// what the last one has left.
    pub(super) fn keep_note(&mut self) {
        self.cut_off.take_over(note::read(&self.private));
        let note = Note::open(&self.private);
        let note = note.inspect_err(|error| tracing::info!(%error, "no note can be kept"));
        self.unwritten.note = note.ok();
        self.write_note();
    }

    pub(super) fn write_note(&mut self) {
        let Unwritten { note, named, .. } = &mut self.unwritten;
        let written = note
            .as_mut()
            .map(|note| note.write(named, &self.cut_off))
            .transpose();
        if let Err(error) = written {
            tracing::info!(%error, "what is not written cannot be noted");
        }
    }

    /// Something has changed on the disk: there may be room now.
    pub(super) fn disk_changed(&mut self, paths: &BTreeSet<String>) {
        let unwritten = &mut self.unwritten;
        let is_other = |path: &String| !unwritten.named.contains_key(path);
        if let Some(due) = unwritten.due
            && paths.iter().any(is_other)
        {
            unwritten.due = Some(due.min(Instant::now() + SOON));
        }
    }

    /// Something was not done, as the disk did not let it: it is begun anew with everything else.
    pub fn left_undone(&mut self, error: &MirrorError) {
        if let MirrorError::Io { doing, source } = error {
            self.unwritten.undone = Some((doing.clone(), source.into()));
            self.unwritten.is_begun_again = false;
        }
    }

    /// Everything was looked at.
    pub(super) fn looked_at_everything(&mut self) {
        if std::mem::take(&mut self.unwritten.is_begun_again) {
            self.unwritten.undone = None;
        }
    }

    /// The document's file cannot be brought together with it, for what the disk says.
    pub(super) fn not_settled(&mut self, document: &DocumentId, doing: &str, error: &io::Error) {
        let path = self.called(document);
        let reason = match (LeftAlone::from(error), error.get_ref()) {
            (LeftAlone::Io(said), None) => LeftAlone::Io(format!("{said} ({doing})")),
            (reason, _) => reason,
        };
        self.refuse(document, &path, reason);
    }

    /// It may be another time.
    pub(super) fn may_be_settled(&mut self, document: &DocumentId) {
        let refused = self.refused.get(document);
        if refused.is_some_and(|(_, reason)| reason.may_pass()) {
            self.refused.remove(document);
        }
    }

    /// Stores a record of what is so by now, whether that can be stored or not. What the disk does not take is held
    /// until it does.
    pub(super) fn save_or_hold(
        &mut self,
        document: &DocumentId,
        record: Record,
        durable: bool,
    ) -> Result<(), MirrorError> {
        let source = match self.save(document, &record, durable) {
            Err(MirrorError::Io { source, .. }) => source,
            saved => return saved,
        };
        let stored = self.own_record(document)?;
        if stored.as_ref() == Some(&record) {
            return Ok(());
        }
        // Its file is tried again, and the record with that.
        let is_elsewhere = |stored: &Record| !record.unsaved && stored.base == record.base;
        let waits = self.refused.get(document);
        let waits = waits.is_some_and(|(_, reason)| reason.may_pass());
        if waits && stored.as_ref().is_some_and(is_elsewhere) {
            return Ok(());
        }
        self.note(document, &record);
        let held = (record, LeftAlone::from(&source));
        self.unwritten.held.insert(document.clone(), held);
        Ok(())
    }

    /// The record that is held of a document.
    pub(super) fn held(&self, document: &DocumentId) -> Option<&Record> {
        let held = self.unwritten.held.get(document);
        held.map(|(record, _)| record)
    }

    /// It was stored, or its document is forgotten.
    pub(super) fn not_held(&mut self, document: &DocumentId) {
        self.unwritten.held.remove(document);
        self.unwritten.blobs.remove(document);
    }

    /// The record of a file that is no text could not be stored.
    pub(super) fn hold_blob(&mut self, document: &DocumentId, reason: LeftAlone) {
        self.unwritten.blobs.insert(document.clone(), reason);
    }

    /// Whether the record of a file that is no text is still to be stored.
    pub(super) fn is_blob_held(&self, document: &DocumentId) -> bool {
        self.unwritten.blobs.contains_key(document)
    }

    /// Something that could not be written for want of room, or not be stored, by its path.
    pub fn stopped_by_disk(&self) -> Option<(String, LeftAlone)> {
        let held = self.unwritten.held.iter();
        let held = held.map(|(document, (_, reason))| (document, reason));
        let mut held = held.chain(&self.unwritten.blobs);
        let held = held.next();
        let held = held.map(|(document, reason)| (self.called(document), reason.clone()));
        let mut refused = self.refused.values();
        held.or_else(|| {
            refused
                .find(|(_, reason)| *reason == LeftAlone::Full)
                .cloned()
        })
    }

    fn named(&self) -> Named {
        let refused = self.refused.values();
        let refused = refused.filter(|(_, reason)| reason.may_pass());
        let files = refused.map(|(path, reason)| (path.clone(), (Waiting::File, reason.clone())));
        let held = self
            .unwritten
            .held
            .iter()
            .map(|(document, (record, reason))| {
                let in_file = record.base.as_ref().map(|base| &base.state);
                let is_typed = record.unsaved && in_file != Some(&record.state);
                let waiting = if is_typed {
                    Waiting::Typed
                } else {
                    Waiting::Known
                };
                (document, waiting, reason)
            });
        let blobs = self.unwritten.blobs.iter();
        let blobs = blobs.map(|(document, reason)| (document, Waiting::Known, reason));
        let held = held.chain(blobs).map(|(document, waiting, reason)| {
            (shown(&self.called(document)), (waiting, reason.clone()))
        });
        let undone = self.unwritten.undone.iter();
        let undone = undone.map(|(doing, reason)| (shown(doing), (Waiting::Rest, reason.clone())));
        undone.chain(held).chain(files).collect()
    }

    fn try_again(&mut self, now: Instant) -> Vec<Effect> {
        self.unwritten.wait_longer(now);
        let held: Vec<_> = self.unwritten.held.keys().cloned().collect();
        for document in held {
            let record = self.held(&document).cloned();
            if let Some(record) = record
                && let Err(error) = self.save(&document, &record, record.unsaved)
            {
                tracing::debug!(%error, "it is held still");
            }
        }
        let blobs: Vec<_> = self.unwritten.blobs.keys().cloned().collect();
        for document in blobs {
            if let Some(record) = self.blob_record(&document).cloned()
                && let Err(error) = self.save_blob(&document, record)
            {
                tracing::debug!(%error, "it is held still");
            }
        }
        let mut effects = Vec::new();
        if self.unwritten.undone.is_some() {
            self.unwritten.is_begun_again = true;
            effects.push(Effect::BeginAgain);
        }
        let refused = self.refused.iter();
        let waiting = refused.filter(|(_, (_, reason))| reason.may_pass());
        let mut waiting: Vec<_> = waiting
            .map(|(document, (path, _))| (document, path))
            .collect();
        if !std::mem::take(&mut self.unwritten.goes_on) {
            // Those first whose turn was longest ago.
            let last = self.unwritten.last.as_ref();
            let turn =
                waiting.partition_point(|(document, _)| last.is_some_and(|last| *document <= last));
            waiting.rotate_left(turn);
            waiting.truncate(AT_ONCE);
        }
        self.unwritten.last = waiting.last().map(|(document, _)| (*document).clone());
        let paths = waiting
            .iter()
            .filter_map(|(_, path)| path.parse::<ProjectPath>().ok());
        effects.extend(paths.map(Effect::LookAgain));
        effects
    }
}

impl Unwritten {
    /// Whether that is news.
    fn take_note(&mut self, named: Named, now: Instant) -> bool {
        if named == self.named {
            return false;
        }
        if named.is_empty() {
            (self.pause, self.due, self.goes_on) = (None, None, false);
        } else if named.len() < self.named.len() {
            self.goes_on = true;
            (self.pause, self.due) = (None, Some(now));
        }
        if !named.is_empty() && self.due.is_none() {
            self.wait_longer(now);
        }
        self.named = named;
        true
    }

    fn wait_longer(&mut self, now: Instant) {
        let pause = self.pause.map_or(FIRST_PAUSE, |pause| pause * 2);
        let pause = pause.min(LONGEST_PAUSE);
        (self.pause, self.due) = (Some(pause), Some(now + pause));
    }

    /// What the person has to hear.
    fn news(&mut self, has_room: bool) -> Option<Notice> {
        if self.named.is_empty() {
            // What waited may have gone otherwise.
            if !has_room && self.told.iter().any(|(_, is_full)| *is_full) {
                return None;
            }
            let was_told = !std::mem::take(&mut self.told).is_empty();
            return was_told.then_some(Notice::WrittenAgain);
        }
        let kind =
            |(waiting, reason): &(Waiting, LeftAlone)| (*waiting, *reason == LeftAlone::Full);
        // Of the rest is told as of any trouble.
        let (rest, mut all): (Vec<_>, Vec<_>) =
            (self.named.iter()).partition(|(_, one)| one.0 == Waiting::Rest);
        self.told.extend(rest.into_iter().map(|(_, one)| kind(one)));
        all.retain(|(_, one)| !self.told.contains(&kind(one)));
        // Who knows that the disk takes no files does not wonder at what comes of that.
        let is_known = |full: bool| self.told.iter().any(|told| told.1 == full);
        all.retain(|(_, one)| one.0 != Waiting::Known || !is_known(kind(one).1));
        all.sort_by_key(|(_, one)| one.0 == Waiting::Known);
        let (path, news) = *all.first()?;
        let alike = self.named.values().filter(|one| kind(one) == kind(news));
        let notice = Notice::Unwritten {
            path: path.clone(),
            more: alike.count() - 1,
            waiting: news.0,
            reason: news.1.clone(),
        };
        self.told.insert(kind(news));
        Some(notice)
    }
}
