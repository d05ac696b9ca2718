//! The mirror on a thread of its own, so that no keystroke waits for a disk.
//!
//! Tasks are done in the order in which they are given; what comes of them comes back as
//! [`News`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ropey::Rope;
use tokio::sync::mpsc;
use tutti_engine::Left;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::FileEntry;
use tutti_protocol::path::ProjectPath;

use super::ahead::Ahead;
use super::pause::Pause;
use crate::mirror::{
    Answered, Candidates, Carried, Changes, DiskChanges, EditorSaved, Effect, HeldOpen, IndexEdit,
    Journals, Mirror, MirrorError, Settled, ShownAt, Standing, Stored, ToAsk,
};

/// Something for the mirror to do; see the methods of [`Mirror`].
pub(super) enum Task {
    Load(DocumentId),
    /// Which document the editor shows under a name.
    Choose(String, Candidates),
    IndexChanged {
        entries: BTreeMap<DocumentId, FileEntry>,
        /// It is as the server has it.
        current: bool,
        /// How many of the mirror's own edits, since it was opened, it shows.
        shown: u64,
    },
    FilesChanged(Changes),
    Settle {
        document: DocumentId,
        state: Vec<u8>,
        /// Whether the server and this replica have all of each other.
        level: bool,
    },
    /// What the server is asked with about these documents.
    ToAsk(Vec<DocumentId>),
    /// What the server has answered about documents.
    Answered(Vec<Given>),
    /// The editor has opened a document, under this name.
    Opened(DocumentId, Option<ProjectPath>),
    Closed(DocumentId),
    /// Whether the editor reports what is typed in a document.
    Hears(DocumentId, bool),
    /// The editor has come back with this text to what a journal ends with.
    CameBack(DocumentId, Rope),
    EditorSaved(DocumentId, EditorSaved),
    EditorRead {
        document: DocumentId,
        read: EditorSaved,
        /// It shows it only since that was seen in the file.
        is_late: bool,
    },
    /// Another program has changed the file that the editor shows like this.
    Beneath(DocumentId, EditorSaved),
    Persist {
        document: DocumentId,
        state: Vec<u8>,
        unsaved: bool,
    },
    ReadOnly(bool),
    Recover {
        document: DocumentId,
        text: String,
    },
    TakeOver,
    LookAfterGuests,
    /// There is a connection to a server that takes files of up to so many bytes.
    Connected(Option<u64>),
    /// What was not sent or fetched may be tried again.
    Transfers,
    Carried(Carried),
}

/// What the server has answered about a document.
pub(super) struct Given {
    pub(super) document: DocumentId,
    /// With which it was asked.
    pub(super) asked: ToAsk,
    /// Its words.
    pub(super) given: Vec<u8>,
}

/// What came of a task.
pub(super) enum News {
    /// The mirror is open.
    Ready {
        owner: bool,
        read_only: bool,
        index: Option<Stored>,
        changes: Option<DiskChanges>,
        journals: Arc<Journals>,
        shown_at: ShownAt,
        /// Where the files of documents stand.
        files: BTreeMap<DocumentId, ProjectPath>,
    },
    /// The mirror cannot be opened.
    Failed(MirrorError),
    /// The disk does not let it be opened, which is tried again.
    NotYet(MirrorError),
    /// The answer to [`Task::Load`].
    Loaded {
        document: DocumentId,
        stored: Option<Stored>,
        base: Option<Vec<u8>>,
        overwritten: Vec<Vec<u8>>,
        left: Vec<Left>,
    },
    /// The answer to [`Task::Choose`].
    Chosen(String, Option<DocumentId>),
    /// The answer to [`Task::Settle`].
    Settled(DocumentId, Settled),
    /// The answer to [`Task::ToAsk`]: `None` for what needs a room.
    ToAsk(Vec<(DocumentId, Option<ToAsk>)>),
    /// The outcome of [`Task::Answered`]: `None` for what needs a room.
    Answered(Vec<(DocumentId, Result<Option<Answered>, MirrorError>)>),
    /// What another program has written into a file that the editor shows.
    Beneath(DocumentId, Vec<u8>),
    /// What the mirror wants besides.
    Effects(Vec<Effect>),
    /// This bridge owns the directory's mirror from now on.
    TookOver(Option<DiskChanges>),
    /// `.tutti` is not what it was, and files wait until it is.
    Away(Standing),
    /// It is what it was again.
    Back,
    /// Something could not be done.
    Trouble(MirrorError),
}

impl News {
    /// What the project's index is told of it when the session ends. New files are left to the next
    /// bridge: their texts would not get there any more.
    pub(super) fn last_edits(&self) -> impl Iterator<Item = &IndexEdit> {
        let edits = self.index_edits();
        edits.filter(|edit| !matches!(edit, IndexEdit::Insert(..)))
    }

    /// What the mirror wants to be written into the index.
    pub(super) fn index_edits(&self) -> impl Iterator<Item = &IndexEdit> {
        let (effects, answered) = match self {
            Self::Effects(effects) => (effects.as_slice(), [].as_slice()),
            Self::Settled(_, settled) => (settled.effects.as_slice(), [].as_slice()),
            Self::Answered(answered) => ([].as_slice(), answered.as_slice()),
            _ => ([].as_slice(), [].as_slice()),
        };
        let answered = answered
            .iter()
            .filter_map(|(_, one)| one.as_ref().ok()?.as_ref());
        let answered = answered.flat_map(|answered| &answered.settled.effects);
        effects
            .iter()
            .chain(answered)
            .filter_map(|effect| match effect {
                Effect::Index(edit) => Some(edit),
                _ => None,
            })
    }
}

/// The way to the mirror's thread. It ends when this is dropped, after all that was given.
pub(super) struct Disk {
    // Unbounded because the session must not wait. It holds little: each document has at most a
    // few tasks at a time, and few documents are looked after at once.
    tasks: mpsc::UnboundedSender<Task>,
    open: HeldOpen,
}

/// Why an open document's text is kept, as a clause.
const REASON: &str = "it could not be brought together with the shared text";

/// Until the mirror is opened anew that could not be; twice as long each time after that.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// News that the session has not read; the mirror waits beyond it.
const NEWS: usize = 64;

impl Disk {
    /// Opens the mirror of the project in `root` for the person `me`.
    pub(super) fn start(root: PathBuf, me: String) -> (Self, mpsc::Receiver<News>) {
        let (tasks, given) = mpsc::unbounded_channel();
        let (told, news) = mpsc::channel(NEWS);
        let open = HeldOpen::default();
        let held_open = open.clone();
        std::thread::spawn(move || {
            let open = || {
                let mut mirror = Mirror::open(&root, &me)?;
                mirror.look_at(held_open.clone());
                let ready = ready(&mut mirror)?;
                Ok((mirror, ready))
            };
            let Some((mut mirror, ready)) = once_possible(open, &given, &told) else {
                return;
            };
            let worked = tell(&told, Ok(ready)).and_then(|()| work(&mut mirror, given, &told));
            if worked.is_none() {
                tracing::debug!("the session ended before the mirror");
            }
        });
        (Self { tasks, open }, news)
    }

    /// Gives the mirror something to do.
    pub(super) fn give(&self, task: Task) {
        match &task {
            Task::Opened(document, _) => self.open.hold(document),
            Task::Closed(document) => self.open.release(document),
            _ => {}
        }
        if self.tasks.send(task).is_err() {
            tracing::debug!("the mirror has ended");
        }
    }
}

/// Opens something as soon as the disk lets it; `None` if it never will, or the session has ended.
fn once_possible<T>(
    open: impl Fn() -> Result<T, MirrorError>,
    given: &mpsc::UnboundedReceiver<Task>,
    told: &mpsc::Sender<News>,
) -> Option<T> {
    let mut next = Instant::now();
    let mut pause = FIRST_PAUSE;
    while !given.is_closed() {
        if Instant::now() < next {
            std::thread::sleep(FIRST_PAUSE);
            continue;
        }
        match open() {
            Ok(opened) => return Some(opened),
            Err(error @ MirrorError::Io { .. }) => tell(told, Ok(News::NotYet(error)))?,
            Err(error) => {
                tell(told, Ok(News::Failed(error)))?;
                return None;
            }
        }
        next = Instant::now() + pause;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    None
}

/// Works until no more tasks come; `None` if the session no longer listens.
fn work(
    mirror: &mut Mirror,
    mut given: mpsc::UnboundedReceiver<Task>,
    told: &mpsc::Sender<News>,
) -> Option<()> {
    let (mut pause, mut ahead) = (Pause::default(), Ahead::default());
    while let Some(task) = given.blocking_recv() {
        let (tasks, news) = pause.admit(task, mirror.standing());
        for mut task in tasks {
            if let Task::IndexChanged { entries, shown, .. } = &mut task {
                ahead.complete(entries, *shown);
            }
            match perform(mirror, task) {
                Ok(None) => {}
                Ok(Some(news)) => {
                    ahead.note(&news);
                    tell(told, Ok(news))?;
                }
                // It went meanwhile, which will be told.
                Err(error) if mirror.standing() != Standing::There => tracing::info!(%error),
                Err(error) => {
                    mirror.left_undone(&error);
                    tell(told, Err(error))?;
                }
            }
            let effects = mirror.tend();
            if !effects.is_empty() {
                tell(told, Ok(News::Effects(effects)))?;
            }
        }
        if let Some(news) = news {
            tell(told, Ok(news))?;
        }
    }
    Some(())
}

fn tell(told: &mpsc::Sender<News>, news: Result<News, MirrorError>) -> Option<()> {
    let news = news.unwrap_or_else(News::Trouble);
    told.blocking_send(news).ok()
}

fn ready(mirror: &mut Mirror) -> Result<News, MirrorError> {
    let index = mirror.stored(&DocumentId::index())?;
    Ok(News::Ready {
        owner: mirror.is_owner(),
        read_only: mirror.is_read_only(),
        index,
        changes: watch(mirror)?,
        journals: mirror.keep_journals()?,
        shown_at: mirror.shown_at().clone(),
        files: mirror.files(),
    })
}

/// Only who owns the directory's files looks after them.
fn watch(mirror: &mut Mirror) -> Result<Option<DiskChanges>, MirrorError> {
    mirror.is_owner().then(|| mirror.watch()).transpose()
}

fn perform(mirror: &mut Mirror, task: Task) -> Result<Option<News>, MirrorError> {
    let effects = match task {
        Task::Load(document) => {
            let left = mirror.left(&document);
            let stored = mirror.stored(&document)?;
            let stored = mirror.with_left(&document, stored, &left)?;
            let base = mirror.base(&document)?;
            // After the base: what is written between the two is in one of them.
            let overwritten = mirror.overwritten(&document)?;
            let left = mirror.left_here(&document);
            return Ok(Some(News::Loaded {
                document,
                stored,
                base,
                overwritten,
                left,
            }));
        }
        Task::IndexChanged {
            entries, current, ..
        } => mirror.index_changed(entries, current)?,
        Task::FilesChanged(changes) => mirror.files_changed(&changes)?,
        Task::Settle {
            document,
            state,
            level,
        } => {
            let settled = match level {
                true => mirror.settle(&document, &state)?,
                false => mirror.settle_offline(&document, &state)?,
            };
            return Ok(Some(News::Settled(document, settled)));
        }
        Task::ToAsk(documents) => {
            let to_ask = documents.into_iter().map(|document| {
                let to_ask = mirror.to_ask(&document).unwrap_or_else(|error| {
                    tracing::info!(%document, %error, "it needs a room");
                    None
                });
                (document, to_ask)
            });
            return Ok(Some(News::ToAsk(to_ask.collect())));
        }
        Task::Answered(given) => {
            let answered = given.into_iter().map(|given| {
                let answered = mirror.answered(&given.document, &given.asked, &given.given);
                let answered = answered.or_else(|error| match mirror.standing() {
                    Standing::There => Err(error),
                    // It went meanwhile: the room's turn comes when it is back.
                    _ => Ok(None),
                });
                (given.document, answered)
            });
            return Ok(Some(News::Answered(answered.collect())));
        }
        Task::Choose(uri, candidates) => {
            let document = mirror.choose(&candidates)?;
            return Ok(Some(News::Chosen(uri, document)));
        }
        Task::Opened(document, path) => mirror.opened(&document, path.as_ref())?,
        Task::Closed(document) => mirror.closed(&document)?,
        Task::Hears(document, hears) => {
            mirror.hears(&document, hears)?;
            return Ok(None);
        }
        Task::CameBack(document, text) => {
            mirror.came_back(&document, &text);
            return Ok(None);
        }
        Task::EditorSaved(document, saved) => {
            let update = mirror.editor_saved(&document, saved)?;
            return Ok(update.map(|update| News::Beneath(document, update)));
        }
        Task::EditorRead {
            document,
            read,
            is_late,
        } => {
            let update = mirror.editor_read(&document, read, is_late)?;
            return Ok(update.map(|update| News::Beneath(document, update)));
        }
        Task::Beneath(document, shown) => {
            let update = mirror.take_beneath(&document, shown)?;
            return Ok(update.map(|update| News::Beneath(document, update)));
        }
        Task::Persist {
            document,
            state,
            unsaved,
        } => {
            mirror.persist(&document, &state, unsaved)?;
            return Ok(None);
        }
        Task::ReadOnly(read_only) => {
            mirror.set_read_only(read_only)?;
            return Ok(None);
        }
        Task::Recover { document, text } => {
            if let Some(notice) = mirror.keep(&document, &text, REASON)? {
                tracing::warn!(%notice);
            }
            return Ok(None);
        }
        Task::LookAfterGuests => mirror.look_after_guests()?,
        Task::Connected(cap) => mirror.connected(cap)?,
        Task::Transfers => mirror.transfers()?,
        Task::Carried(carried) => mirror.carried(carried)?,
        Task::TakeOver => {
            let news = match mirror.take_over()? {
                true => Some(News::TookOver(watch(mirror)?)),
                false => None,
            };
            return Ok(news);
        }
    };
    Ok((!effects.is_empty()).then_some(News::Effects(effects)))
}
