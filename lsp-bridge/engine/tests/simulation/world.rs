//! People, their editors, their bridges' engines and a server, over a network that delays and cuts.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use fastrand::Rng;
use tutti_engine::{Document, EditId, Effect, Encoding, Event, Millis, Opened, Replica, TextEdit};

use crate::editor::{Editor, Kind, ToServer};

/// After everyone has stopped, this much time must be enough to reach one text.
const QUIET_MS: u64 = 60_000;
/// And this many messages to one editor.
const QUIET_EDITS: usize = 60;

/// What is on its way.
#[derive(Debug)]
enum Message {
    /// The person's next action.
    Act,
    /// An editor's report was put off until now.
    Flush,
    /// The engine asked for this tick.
    Tick,
    ToEngine(ToServer),
    ToEditor {
        edit: EditId,
        version: i32,
        edits: Vec<TextEdit>,
    },
    /// From a bridge to the server; the number is that of the connection.
    ToServer(u32, Vec<u8>),
    /// From the server to a bridge.
    ToBridge(u32, Vec<u8>),
    Cut,
    Reconnect,
}

pub(crate) struct User {
    pub(crate) editor: Editor,
    pub(crate) document: Document,
    /// Runs of characters that this person typed one behind the other.
    pub(crate) runs: Vec<Vec<char>>,
    next_char: u32,
    /// Which connection to the server is the current one; `None` while cut off.
    connection: Option<u32>,
    connections: u32,
    edits_when_quiet: usize,
    /// The last time at which each of this person's ordered channels delivers.
    last: HashMap<&'static str, u64>,
}

pub(crate) struct World {
    rng: Rng,
    now: u64,
    queue: BinaryHeap<Reverse<(u64, u64, usize)>>,
    messages: HashMap<u64, Message>,
    sent: u64,
    pub(crate) server: Replica,
    pub(crate) users: Vec<User>,
    /// Until when people act.
    until: u64,
    pub(crate) steps: u64,
    pub(crate) trace: VecDeque<String>,
}

impl World {
    pub(crate) fn new(seed: u64, kinds: &[Kind]) -> Self {
        let mut rng = Rng::with_seed(seed);
        let people = rng.usize(3..=5);
        let mut server = Replica::new(1);
        let text = *rng
            .choice(&["", "\n", "start", "fn main() {\n    body();\n}\n", "é😀\nx"])
            .expect("not empty");
        server.edit(text);
        let users = (0..people)
            .map(|number| {
                let kind = rng.choice(kinds).expect("not empty").clone();
                let encodings = [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32];
                let encoding = *rng.choice(encodings.iter()).expect("not empty");
                let editor = Editor::new(kind, encoding, text);
                let main = server.fork(100 + number as u64);
                let opened = Opened {
                    text: editor.buffer.to_string(),
                    version: 0,
                    encoding,
                    dialect: editor.dialect.clone(),
                    eol_crlf: false,
                    user: 1000 + number as u64,
                };
                let (document, effects) = Document::open(main, None, opened, Millis(0));
                assert!(effects.is_empty(), "{effects:?}");
                User {
                    editor,
                    document,
                    runs: vec![Vec::new()],
                    // Each person has an alphabet; every second one lies beyond UTF-16's first plane.
                    next_char: if number % 2 == 0 { 0x4e00 } else { 0x20000 }
                        + number as u32 * 0x400,
                    connection: Some(0),
                    connections: 0,
                    edits_when_quiet: 0,
                    last: HashMap::new(),
                }
            })
            .collect();
        let until = rng.u64(2_000..12_000);
        let mut world = Self {
            rng,
            now: 0,
            queue: BinaryHeap::new(),
            messages: HashMap::new(),
            sent: 0,
            server,
            users,
            until,
            steps: 0,
            trace: VecDeque::new(),
        };
        for user in 0..people {
            world.post(0, user, Message::Act);
            if world.rng.bool() {
                let at = world.rng.u64(0..until);
                world.post(at, user, Message::Cut);
            }
        }
        world
    }

    /// Runs until nothing is on its way any more.
    pub(crate) fn run(&mut self) {
        while let Some(Reverse((at, number, user))) = self.queue.pop() {
            self.now = at;
            self.steps += 1;
            let message = self.messages.remove(&number).expect("each is sent once");
            assert!(
                self.now < self.until + QUIET_MS,
                "still busy {QUIET_MS} ms after everyone stopped, with {message:?}"
            );
            self.note(user, &message);
            self.deliver(user, message);
        }
    }

    fn note(&mut self, user: usize, message: &Message) {
        if self.trace.len() == 20_000 {
            self.trace.pop_front();
        }
        let shown = match message {
            Message::ToServer(_, update) => format!("ToServer {} bytes", update.len()),
            Message::ToBridge(_, update) => format!("ToBridge {} bytes", update.len()),
            other => format!("{other:?}"),
        };
        let editor = &self.users[user].editor;
        self.trace.push_back(format!(
            "{:>6} {user} {:<10} {:?} {shown}",
            self.now,
            editor.kind.client_name,
            editor.buffer.to_string()
        ));
    }

    fn post(&mut self, after: u64, user: usize, message: Message) {
        self.sent += 1;
        self.queue
            .push(Reverse((self.now + after, self.sent, user)));
        self.messages.insert(self.sent, message);
    }

    /// Posts on a channel that keeps its order.
    fn post_in_order(
        &mut self,
        channel: &'static str,
        slowest_ms: u64,
        user: usize,
        message: Message,
    ) {
        let at = self.now + self.rng.u64(0..=slowest_ms);
        let last = self.users[user].last.entry(channel).or_default();
        *last = at.max(*last);
        let after = *last - self.now;
        self.post(after, user, message);
    }

    fn deliver(&mut self, user: usize, message: Message) {
        match message {
            Message::Act => self.act(user),
            Message::Flush => {
                let editor = &mut self.users[user].editor;
                match editor.flush_at {
                    Some(at) if at <= self.now => {
                        let report = editor.flush();
                        self.editor_says(user, report.into_iter().collect());
                    }
                    Some(at) => self.post(at - self.now, user, Message::Flush),
                    None => {}
                }
            }
            Message::Tick => self.engine_hears(user, Event::Tick),
            Message::ToEngine(ToServer::Changed { version, changes }) => {
                self.engine_hears(user, Event::Changed { version, changes });
            }
            Message::ToEngine(ToServer::Answered { edit, answer }) => {
                self.engine_hears(user, Event::Answered { edit, answer });
            }
            Message::ToEditor {
                edit,
                version,
                edits,
            } => {
                let reports = self.users[user]
                    .editor
                    .apply(edit, version, &edits, self.now);
                self.editor_says(user, reports);
            }
            Message::ToServer(connection, update) => {
                if self.users[user].connection == Some(connection) {
                    self.at_server(user, &update);
                }
            }
            Message::ToBridge(connection, update) => {
                if self.users[user].connection == Some(connection) {
                    self.engine_hears(user, Event::Remote { update });
                }
            }
            Message::Cut => {
                self.users[user].connection = None;
                let after = self.rng.u64(100..5_000);
                self.post(after, user, Message::Reconnect);
            }
            Message::Reconnect => self.reconnect(user),
        }
    }

    fn act(&mut self, user: usize) {
        if self.now >= self.until {
            return;
        }
        let pause = match self.rng.u8(0..10) {
            0 => self.rng.u64(500..1_500),
            1..=3 => self.rng.u64(5..30),
            _ => self.rng.u64(60..200),
        };
        let now = self.now;
        let choice = self.rng.u8(0..20);
        let User {
            editor,
            runs,
            next_char,
            ..
        } = &mut self.users[user];
        let reports = match choice {
            0 | 1 => {
                editor.caret = self.rng.usize(0..=editor.buffer.len_chars());
                runs.push(Vec::new());
                Vec::new()
            }
            2 | 3 => {
                runs.push(Vec::new());
                editor.delete(self.rng.usize(1..5), now)
            }
            4 => editor.type_text("\n", now),
            _ => {
                let count = if choice == 5 {
                    self.rng.usize(2..12)
                } else {
                    1
                };
                let typed: Vec<char> = (0..count)
                    .map(|offset| char::from_u32(*next_char + offset as u32).expect("a letter"))
                    .collect();
                *next_char += count as u32;
                runs.last_mut().expect("never empty").extend(&typed);
                editor.type_text(&typed.into_iter().collect::<String>(), now)
            }
        };
        self.editor_says(user, reports);
        self.post(pause, user, Message::Act);
    }

    fn editor_says(&mut self, user: usize, reports: Vec<ToServer>) {
        for report in reports {
            let is_change = matches!(report, ToServer::Changed { .. });
            let message = Message::ToEngine(report);
            // A report that waits this long is overtaken by those of the keys behind it.
            if is_change && self.users[user].editor.kind.reorders && self.rng.u8(0..8) == 0 {
                let after = self.rng.u64(0..80);
                self.post(after, user, message);
            } else {
                self.post_in_order("to engine", 3, user, message);
            }
        }
        if let Some(at) = self.users[user].editor.flush_at {
            self.post(at.saturating_sub(self.now), user, Message::Flush);
        }
    }

    fn engine_hears(&mut self, user: usize, event: Event) {
        let effects = self.users[user].document.handle(event, Millis(self.now));
        for effect in effects {
            match effect {
                Effect::Send { update } => {
                    if let Some(connection) = self.users[user].connection {
                        let message = Message::ToServer(connection, update);
                        self.post_in_order("to server", 120, user, message);
                    }
                }
                Effect::Edit {
                    edit,
                    version,
                    edits,
                } => {
                    if self.now > self.until + 5_000 {
                        self.users[user].edits_when_quiet += 1;
                        let edits = self.users[user].edits_when_quiet;
                        assert!(edits < QUIET_EDITS, "an endless exchange with user {user}");
                    }
                    let message = Message::ToEditor {
                        edit,
                        version,
                        edits,
                    };
                    self.post_in_order("to editor", 40, user, message);
                }
                Effect::WakeAt(at) => {
                    let after = at.0.saturating_sub(self.now).max(1);
                    self.post(after, user, Message::Tick);
                }
                Effect::Tell { message } => panic!("user {user} was told: {message}"),
                Effect::Recover { reason, .. } => panic!("user {user} had to recover: {reason}"),
                Effect::Flush => panic!("user {user} has an editor that cannot be made to report"),
            }
        }
    }

    fn at_server(&mut self, from: usize, update: &[u8]) {
        self.server.apply(update).expect("engines send updates");
        for user in 0..self.users.len() {
            if let (true, Some(connection)) = (user != from, self.users[user].connection) {
                let message = Message::ToBridge(connection, update.to_vec());
                self.post_in_order("to bridge", 120, user, message);
            }
        }
    }

    /// The sync exchange: what the server lacks goes up, what the bridge lacks comes down.
    fn reconnect(&mut self, user: usize) {
        self.users[user].connections += 1;
        let connection = self.users[user].connections;
        self.users[user].connection = Some(connection);
        let main = self.users[user].document.main();
        let up = main.diff(&self.server.state_vector()).expect("valid");
        let down = self.server.diff(&main.state_vector()).expect("valid");
        self.at_server(user, &up);
        let message = Message::ToBridge(connection, down);
        self.post_in_order("to bridge", 120, user, message);
    }
}
