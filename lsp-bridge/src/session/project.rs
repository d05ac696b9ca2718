//! One shared project and everything that this process holds of it.
//!
//! One task owns a [`Project`] and calls it; nothing in it waits. The other files of this module
//! add what it does when the link ([`super::link_events`]), the mirror ([`super::disk_news`]),
//! the editor ([`super::documents`]) or the clock ([`super::timers`]) has something to say.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ropey::Rope;
use tokio::sync::mpsc;
use tutti_engine::Millis;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::path::ProjectPath;
use tutti_protocol::role::Role;

use super::asked::Asked;
use super::bulk::Bulk;
use super::clock::Clock;
use super::deleted::Deleted;
use super::disk::{Disk, News, Task};
use super::documents::{Place as Shown, Told, Unlisted};
use super::index::Index;
use super::lasting::Lasting;
use super::line::Line;
use super::link_events::ShutOut;
use super::opening::Opening;
use super::outbox::Outbox;
use super::people::People;
use super::progress::Progress;
use super::reload::Reload;
use super::renewal::Renewed;
use super::room::Room;
use super::saved::Saved;
use super::saving::Saving;
use super::words::Words;
use crate::api::Api;
use crate::carrier::{Carrier, Report};
use crate::credentials::Credentials;
use crate::link::{self, Command};
use crate::lsp::{Abilities, Client};
use crate::mirror::{Changes, DiskChanges, Journals, ShownAt};
use crate::project::Project as Place;

/// What is needed to take part in a project.
pub(crate) struct Setup {
    /// The project's directory.
    pub(crate) root: PathBuf,
    /// The server, the project and the token.
    pub(crate) link: link::Config,
    /// The project as its directory names it.
    pub(crate) place: Place,
    /// Where its token was found, and another may come to be.
    pub(crate) credentials: Credentials,
    /// The person's shown name.
    pub(crate) me: String,
}

/// How the connection stands, as far as the person is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    /// The first attempt is under way.
    Unknown,
    /// Not now.
    Offline,
    /// The rooms are being joined.
    Online,
    /// Not wanted: nothing more will be tried with this token.
    Denied,
}

/// See the [module's documentation](self).
pub(super) struct Project {
    /// As the file system has it, without symbolic links.
    pub(super) root: PathBuf,
    /// The directories under which the editor may name the project's files.
    pub(super) aliases: Vec<PathBuf>,
    pub(super) abilities: Abilities,
    pub(super) client: Client,
    pub(super) clock: Clock,
    pub(super) outbox: Outbox,
    link_events: mpsc::Receiver<link::Event>,
    renewed: mpsc::Receiver<Renewed>,
    link_ended: bool,
    pub(super) disk: Disk,
    disk_news: mpsc::Receiver<News>,
    pub(super) disk_ended: bool,
    pub(super) disk_changes: Option<DiskChanges>,
    pub(super) owner: bool,
    /// Contents of files that are no texts.
    pub(super) carrier: Carrier,
    reports: mpsc::UnboundedReceiver<Report>,
    /// Files that someone was writing to when they were looked at, and when to look again.
    pub(super) busy_files: BTreeSet<String>,
    pub(super) busy_files_at: Option<Millis>,
    /// When what could not be sent or fetched is tried again.
    pub(super) transfers_at: Option<Millis>,
    /// Where the journals of open documents are kept.
    pub(super) journals: Option<Arc<Journals>>,
    /// Under which names the editor has shown documents, or may show them since before.
    pub(super) shown_at: ShownAt,
    /// Documents that this person has renamed, until that is looked at.
    pub(super) renamed_here: BTreeSet<DocumentId>,
    /// The last names that they have given documents since the session began.
    pub(super) own_names: HashMap<DocumentId, ProjectPath>,
    /// The mirror is to be told of the index when it is known what the editor shows.
    pub(super) index_waits: bool,
    /// The mirror has been opened and the stored index loaded, or neither will ever be.
    pub(super) ready: bool,
    /// What the editor told before that.
    pub(super) early: Vec<Told>,
    pub(super) connection: Connection,
    /// The server has let us in, on this connection or an earlier one.
    pub(super) was_let_in: bool,
    /// What the token allows; what it did last time until the server says otherwise, and an editor's
    /// at first.
    pub(super) role: Role,
    pub(super) index: Index,
    pub(super) index_saved: Saved,
    pub(super) index_synced: bool,
    /// The last connection began.
    pub(super) online_since: Option<Millis>,
    /// A connection has just brought the index up to date: now for the files.
    pub(super) catch_up_wanted: bool,
    pub(super) index_store_at: Option<Millis>,
    /// When the look-ups of the index are to be brought up to date.
    pub(super) index_refresh_at: Option<Millis>,
    /// Whether the mirror has been told of an index that came from the server.
    pub(super) mirror_has_index: bool,
    pub(super) rooms: HashMap<DocumentId, Room>,
    pub(super) opening: HashMap<DocumentId, Opening>,
    pub(super) places: HashMap<String, Shown>,
    /// Reports that may be of files that were read again, by the names of these.
    pub(super) reloads: HashMap<String, Reload>,
    /// What another program has written into files that the editor shows, until it has read it or it is merged.
    pub(super) written: HashMap<DocumentId, Rope>,
    pub(super) unlisted: HashMap<String, Unlisted>,
    /// Closed documents that are to be brought up to date in their rooms.
    pub(super) line: Line,
    /// Those that are not, as long as others have nothing new of them.
    pub(super) bulk: Bulk,
    /// Documents whose stored replicas are being read.
    pub(super) loading: BTreeSet<DocumentId>,
    /// What files held before others' edits were written into them: an editor may have read them
    /// just before.
    pub(super) overwritten: VecDeque<(DocumentId, Vec<u8>)>,
    /// Documents that the editor shows and that someone deleted, as they were listed.
    pub(super) deleted: BTreeMap<DocumentId, Deleted>,
    pub(super) asked: Asked,
    pub(super) progress: Progress,
    pub(super) people: People,
    pub(super) words: Words,
    /// Documents that the server does not let us into, with its words, and when to tell of them.
    pub(super) shut_out_of: BTreeMap<DocumentId, ShutOut>,
    pub(super) shut_out_of_at: Option<Millis>,
    pub(super) outage: Lasting,
    pub(super) saving: Saving,
    /// The document in which the person wrote last.
    pub(super) written_last: Option<DocumentId>,
    pub(super) neighbours_at: Option<Millis>,
    /// What the person has been told, once each.
    pub(super) told: BTreeSet<String>,
}

/// What happens to a project from elsewhere than the editor.
pub(super) enum Input {
    Link(link::Event),
    /// There is another way to the server.
    Renewed(Renewed),
    Disk(Box<News>),
    /// The mirror has ended, and nobody had asked for that.
    DiskEnded,
    Carried(Report),
    Changes(Changes),
    Due,
}

/// How long the link may take to write its last words.
const LINK_END: Duration = Duration::from_secs(3);

/// How often the bridges of one directory look after each other: a guest whether the owner has
/// gone, the owner whether a guest has closed a file.
pub(super) const NEIGHBOURS_MS: u64 = 500;

impl Project {
    /// Starts to take part.
    pub(super) fn start(setup: Setup, abilities: Abilities, client: Client) -> Self {
        let clock = Clock::new();
        let root = setup
            .root
            .canonicalize()
            .unwrap_or_else(|_| setup.root.clone());
        let mut aliases = vec![root.clone(), setup.root.clone()];
        aliases.dedup();
        let server = setup.link.server.to_string();
        let api = Api::new(&setup.link.server, &setup.link.token.0);
        // Unbounded, as the threads that report must not wait; each transfer reports once.
        let (report, reports) = mpsc::unbounded_channel();
        let carrier = Carrier::start(api, &setup.link.project, &root, move |told| {
            if report.send(told).is_err() {
                tracing::debug!("the session ended before a transfer");
            }
        });
        let token = setup.link.token.clone();
        let renewed = super::renewal::watch(setup.credentials, setup.place, token);
        let (link, link_events) = link::start(setup.link);
        let (disk, disk_news) = Disk::start(root.clone(), setup.me.clone());
        let mut progress = Progress::new(client.clone(), abilities.progress);
        progress.show(format!("connecting to {server}"));
        Self {
            root,
            aliases,
            people: People::new(&setup.me),
            words: Words::default(),
            written_last: None,
            abilities,
            client,
            clock,
            outbox: Outbox::new(link),
            link_events,
            renewed,
            link_ended: false,
            disk,
            disk_news,
            disk_ended: false,
            disk_changes: None,
            owner: false,
            carrier,
            reports,
            busy_files: BTreeSet::new(),
            busy_files_at: None,
            transfers_at: None,
            journals: None,
            shown_at: ShownAt::new(),
            renamed_here: BTreeSet::new(),
            own_names: HashMap::new(),
            index_waits: false,
            ready: false,
            early: Vec::new(),
            connection: Connection::Unknown,
            was_let_in: false,
            role: Role::Editor,
            index: Index::new(new_client_id()),
            index_saved: Saved::default(),
            index_synced: false,
            online_since: None,
            catch_up_wanted: false,
            index_store_at: None,
            index_refresh_at: None,
            mirror_has_index: false,
            rooms: HashMap::new(),
            opening: HashMap::new(),
            places: HashMap::new(),
            reloads: HashMap::new(),
            written: HashMap::new(),
            unlisted: HashMap::new(),
            line: Line::default(),
            bulk: Bulk::default(),
            loading: BTreeSet::new(),
            overwritten: VecDeque::new(),
            deleted: BTreeMap::new(),
            shut_out_of: BTreeMap::new(),
            shut_out_of_at: None,
            outage: Lasting::default(),
            saving: Saving::default(),
            asked: Asked::default(),
            progress,
            neighbours_at: None,
            told: BTreeSet::new(),
        }
    }

    /// Waits for the next thing that happens. May be dropped at any moment.
    pub(super) async fn next(&mut self) -> Input {
        loop {
            let due = self.due();
            tokio::select! {
                biased;
                () = self.outbox.pass_on() => {}
                event = self.link_events.recv(), if !self.link_ended => match event {
                    Some(event) => return Input::Link(event),
                    None => self.link_ended = true,
                },
                Some(renewed) = self.renewed.recv() => return Input::Renewed(renewed),
                () = self.clock.sleep_until(due) => return Input::Due,
                news = self.disk_news.recv(), if !self.disk_ended => match news {
                    Some(news) => return Input::Disk(Box::new(news)),
                    None => {
                        self.disk_ended = true;
                        return Input::DiskEnded;
                    }
                },
                Some(report) = self.reports.recv() => return Input::Carried(report),
                changes = changed(&mut self.disk_changes) => return Input::Changes(changes),
            }
        }
    }

    /// Takes in what [`Project::next`] gave.
    pub(super) fn handle(&mut self, input: Input) {
        match input {
            Input::Link(event) => self.link_event(event),
            Input::Renewed(renewed) => self.access_renewed(renewed),
            Input::Disk(news) => self.disk_news(*news),
            Input::DiskEnded => self.without_disk(),
            Input::Carried(report) => self.carried(report),
            Input::Changes(changes) => self.disk.give(Task::FilesChanged(changes)),
            Input::Due => self.time_passed(),
        }
        self.start_waiting();
    }

    /// Whether everything of ours is on the server, or cannot get there now.
    pub(super) fn all_saved(&self) -> bool {
        let online = self.connection == Connection::Online;
        let confirmed = self.index_saved.all() && self.rooms.values().all(|room| room.saved.all());
        self.ready && self.opening.is_empty() && (confirmed || !online)
    }

    /// Stores everything that is not stored, says goodbye, and waits for the disk and, within
    /// reason, for the network.
    pub(super) async fn finish(mut self) {
        self.progress.end("");
        self.reloads_due(Millis(u64::MAX));
        self.open_what_was_typed();
        self.say_goodbye();
        self.store_all();
        let Self {
            mut outbox,
            mut link_events,
            disk,
            mut disk_news,
            mut index,
            role,
            ..
        } = self;
        // Both end when nobody commands them any more, after what they were given. The mirror's
        // lock is free then.
        drop(disk);
        while let Some(news) = disk_news.recv().await {
            let edits: Vec<_> = news.last_edits().cloned().collect();
            if !edits.is_empty() && role != Role::Viewer {
                outbox.send(Command::Update {
                    document: DocumentId::index(),
                    update: index.edit(&edits),
                });
            }
        }
        let written = outbox.finish();
        let ended = async {
            written.await;
            while link_events.recv().await.is_some() {}
        };
        if tokio::time::timeout(LINK_END, ended).await.is_err() {
            tracing::warn!("the server does not read");
        }
    }

    /// Tells the person something once.
    pub(super) fn tell_once(&mut self, severity: crate::lsp::Severity, message: &str) {
        if self.told.insert(message.to_owned()) {
            self.client.show(severity, message);
        }
    }

    /// Commands an update of a document.
    pub(super) fn send_update(&mut self, document: &DocumentId, update: Vec<u8>) {
        self.outbox.send(Command::Update {
            document: document.clone(),
            update,
        });
    }
}

async fn changed(changes: &mut Option<DiskChanges>) -> Changes {
    match changes {
        Some(changes) => changes.next().await,
        None => std::future::pending().await,
    }
}

/// A Yjs client id that no other replica has: 32 random bits, as Yjs itself makes them.
pub(super) fn new_client_id() -> u64 {
    u64::from(fastrand::u32(1..))
}
