//! People, their editors, their bridges' engines and a server, over a network that delays and cuts.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};

use fastrand::Rng;
use tutti_engine::{Document, EditId, Effect, Encoding, Replica, Returns, TextEdit};

use crate::editor::{Editor, ToServer};
use crate::kind::Kind;
use crate::ledger::Ledger;
use crate::oracle;
use crate::person::{Act, Letters, Person};
use crate::planted::Bug;
use crate::record::Pending;
use crate::user::User;
use crate::witness::Witness;

/// After everyone has stopped, this much time must be enough to reach one text.
const QUIET_MS: u64 = 120_000;
/// And this many messages to one editor.
const QUIET_EDITS: usize = 60;

/// Nobody types so much, and nothing takes so long.
const LONGEST: usize = 5_000;
const MOST_STEPS: u64 = 200_000;

const TEXTS: [&str; 7] = [
    "",
    "\n",
    "start",
    "fn main() {\n    body();\n}\n",
    "é😀\nx",
    "\u{feff}mark\n",
    "blanks  \n\n\n",
];

/// What happens in one simulation; the rest follows from it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// What people leave undone, by person and number.
    pub(crate) left_out: BTreeSet<(usize, u32)>,
    /// Who is never cut off.
    pub(crate) never_cut: BTreeSet<usize>,
    /// Whether people type `\r` as well, in a file that does not have `\r\n` throughout.
    pub(crate) with_returns: bool,
    /// What is wrong with everyone's bridge.
    pub(crate) bug: Option<Bug>,
}

/// What is on its way.
#[derive(Debug)]
pub(crate) enum Message {
    /// The person's next action.
    Act,
    /// An editor's report was put off until now.
    Flush,
    /// The engine asked for this tick.
    Tick,
    /// An editor has taken its time to answer.
    Answers(ToServer),
    ToEngine(ToServer),
    ToEditor {
        edit: EditId,
        version: i32,
        edits: Vec<TextEdit>,
    },
    FlushEditor,
    /// From a bridge to the server; the number is that of the connection.
    ToServer(u32, Vec<u8>),
    /// From the server to a bridge.
    ToBridge(u32, Vec<u8>),
    Cut,
    Reconnect,
}

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) rng: Rng,
    pub(crate) now: u64,
    queue: BinaryHeap<Reverse<(u64, u64, usize)>>,
    messages: HashMap<u64, Message>,
    sent: u64,
    pub(crate) crlf: bool,
    /// People type `\r` as well.
    pub(crate) with_returns: bool,
    pub(crate) server: Replica,
    pub(crate) users: Vec<User>,
    pub(crate) ledger: Ledger,
    /// Until when people act.
    pub(crate) until: u64,
    pub(crate) steps: u64,
    /// When each letter was typed.
    pub(crate) typed_at: HashMap<char, u64>,
    pub(crate) witness: Witness,
    pub(crate) letters: Letters,
    /// After how many milliseconds a letter stood on someone else's screen, by the kind of editor.
    pub(crate) delays: Vec<(&'static str, u64)>,
    /// How many letters people have typed of which nobody can know whether they were theirs.
    pub(crate) mistaken: u64,
    /// Whether other plays are looked for in which an engine's story is the true one, and how many were
    /// found.
    pub(crate) proves: bool,
    pub(crate) proven: u64,
    pub(crate) done: Vec<(usize, u32, u64, Act)>,
    pub(crate) trace: VecDeque<String>,
    pub(crate) is_traced: bool,
}

impl World {
    pub(crate) fn new(plan: Plan, kind: &dyn Fn(&mut Rng) -> Kind) -> Self {
        let plan_seed = plan.seed;
        let mut rng = Rng::with_seed(plan_seed);
        let people = rng.usize(3..=5);
        let crlf = rng.u8(0..4) == 0;
        let mut text = *rng.choice(&TEXTS).expect("not empty");
        let with_returns = plan.with_returns || plan.bug == Some(Bug::SendsReturns);
        let with_returns = with_returns && !crlf;
        if with_returns && text.ends_with('\n') {
            text = "one\r\ntwo\nthree\r\n";
        }
        let mut server = Replica::new(1);
        server.edit(text);
        let mut ledger = Ledger::default();
        ledger.put(None, text);
        let until = rng.u64(2_000..12_000);
        let mut world = Self {
            plan,
            now: 0,
            queue: BinaryHeap::new(),
            messages: HashMap::new(),
            sent: 0,
            crlf,
            with_returns,
            users: Vec::new(),
            ledger,
            until,
            steps: 0,
            typed_at: HashMap::new(),
            witness: Witness::new(&server.state()),
            letters: Letters::of(plan_seed),
            delays: Vec::new(),
            mistaken: 0,
            proves: false,
            proven: 0,
            done: Vec::new(),
            trace: VecDeque::new(),
            is_traced: false,
            server,
            rng,
        };
        for number in 0..people {
            let user = world.user(number, text, kind);
            world.users.push(user);
            world.post(0, number, Message::Act);
            if world.rng.bool() {
                let at = world.rng.u64(0..until);
                if !world.plan.never_cut.contains(&number) {
                    world.post(at, number, Message::Cut);
                }
            }
        }
        world
    }

    fn user(&mut self, number: usize, text: &str, kind: &dyn Fn(&mut Rng) -> Kind) -> User {
        let encodings = [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32];
        let encoding = *self.rng.choice(&encodings).expect("not empty");
        let mut editor = Editor::new(number, kind(&mut self.rng), encoding, text, self.crlf);
        if self.plan.bug == Some(Bug::SendsReturns) {
            editor.dialect.returns = Returns::Kept;
        }
        if editor.kind.keeps_newline && !text.ends_with('\n') {
            self.ledger.add('\n');
        }
        let main = self.server.fork(100 + number as u64);
        let mut user = User {
            base: main.state(),
            editor,
            document: None,
            closed: Some(main),
            person: Person::new(number, self.letters),
            acts: Rng::with_seed(self.plan.seed ^ (number as u64 + 1) << 32),
            acted: 0,
            is_restless: self.rng.u8(0..6) == 0,
            opening: 0,
            wake_at: None,
            connection: Some(0),
            connections: 0,
            edits_when_quiet: 0,
            stories: Vec::new(),
            last: HashMap::new(),
        };
        let text = user.editor.text();
        let effects = user.open(number, text, self.crlf, 0);
        assert!(effects.is_empty(), "{effects:?}");
        user
    }

    /// Looks for other plays from now on. `is_open`: those, too, in which a stranger does something else with
    /// edits that come too late than it would here.
    pub(crate) fn prove(&mut self, is_open: bool) {
        self.proves = true;
        for user in &mut self.users {
            user.editor.is_open = is_open;
            user.editor.record();
        }
    }

    /// Runs until nothing is on its way any more; what went wrong with single letters.
    pub(crate) fn run(&mut self) -> Vec<String> {
        while let Some(Reverse((at, number, user))) = self.queue.pop() {
            self.now = at;
            self.steps += 1;
            let message = self.messages.remove(&number).expect("each is sent once");
            assert!(
                self.now < self.until + QUIET_MS,
                "still busy {QUIET_MS} ms after everyone stopped, with {message:?}"
            );
            assert!(self.steps < MOST_STEPS, "an endless exchange");
            self.note(user, &message);
            self.deliver(user, message);
        }
        oracle::judge(self)
    }

    fn note(&mut self, user: usize, message: &Message) {
        if !self.is_traced {
            return;
        }
        let shown = match message {
            Message::ToServer(_, update) => format!("ToServer {} bytes", update.len()),
            Message::ToBridge(_, update) => format!("ToBridge {} bytes", update.len()),
            other => format!("{other:?}"),
        };
        let editor = &self.users[user].editor;
        self.trace.push_back(format!(
            "{:>6} {user} {:<8} {:?} {shown}",
            self.now,
            editor.kind.name,
            editor.buffer.to_string()
        ));
    }

    pub(crate) fn post(&mut self, after: u64, user: usize, message: Message) {
        self.sent += 1;
        self.queue
            .push(Reverse((self.now + after, self.sent, user)));
        self.messages.insert(self.sent, message);
    }

    /// Posts on a channel that keeps its order.
    pub(crate) fn post_in_order(
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

    /// Asks an editor for something. What is asked for together is written at once, and mostly read
    /// at once.
    fn ask_editor(&mut self, number: usize, is_first: bool, message: Message) {
        let wait = self.rng.u64(0..=40);
        let last = self.users[number].last.entry("to editor").or_default();
        if is_first || wait.is_multiple_of(8) {
            *last = (self.now + wait).max(*last);
        }
        let after = *last - self.now;
        self.post(after, number, message);
    }

    pub(crate) fn editor_says(&mut self, number: usize, reports: Vec<ToServer>) {
        let reports = match self.plan.bug {
            Some(bug) => bug.in_reports(reports, &mut self.rng),
            None => reports,
        };
        let may_reorder = self.users[number].editor.kind.reorders;
        let answers_within = self.users[number].editor.kind.answers_within_ms;
        for report in reports {
            let is_change = matches!(report, ToServer::Changed { .. });
            let takes_time = answers_within > 0 && matches!(report, ToServer::Answered { .. });
            let is_boundary = matches!(
                report,
                ToServer::Opened { .. } | ToServer::Closed | ToServer::Saved { .. }
            );
            if takes_time {
                let after = self.rng.u64(0..=answers_within);
                self.post(after, number, Message::Answers(report));
                continue;
            }
            let message = Message::ToEngine(report);
            // A report that waits this long is overtaken by those of the keys behind it.
            if is_change && may_reorder && self.rng.u8(0..8) == 0 {
                let after = self.rng.u64(0..80);
                let last = &mut self.users[number].last;
                let boundary = last.get("boundary").copied().unwrap_or_default();
                let late = (self.now + after).max(boundary);
                let latest = last.entry("changes").or_default();
                *latest = late.max(*latest);
                self.post(late - self.now, number, message);
            } else {
                if is_boundary {
                    // Nothing overtakes these.
                    let latest = self.users[number].last.get("changes").copied();
                    let last = self.users[number].last.entry("to engine").or_default();
                    *last = latest.unwrap_or_default().max(*last);
                }
                self.post_in_order("to engine", 3, number, message);
                let last = &mut self.users[number].last;
                if is_boundary && let Some(at) = last.get("to engine").copied() {
                    last.insert("boundary", at);
                }
            }
        }
        if let Some(at) = self.users[number].editor.flush_at {
            self.post(at.saturating_sub(self.now), number, Message::Flush);
        }
    }

    /// Does what an engine asks for.
    pub(crate) fn perform(&mut self, number: usize, effects: Vec<Effect>) {
        let mut is_first = true;
        for effect in effects {
            let effect = match self.plan.bug {
                Some(bug) => match bug.in_effect(effect, &self.users[number], &mut self.rng) {
                    Some(effect) => effect,
                    None => continue,
                },
                None => effect,
            };
            let user = &mut self.users[number];
            match effect {
                Effect::Send { update } => {
                    if let Some(connection) = user.connection {
                        let message = Message::ToServer(connection, update);
                        self.post_in_order("to server", 120, number, message);
                    }
                }
                Effect::Edit {
                    edit,
                    version,
                    edits,
                } => {
                    if self.now > self.until + 5_000 {
                        user.edits_when_quiet += 1;
                        let edits = user.edits_when_quiet;
                        assert!(
                            edits < QUIET_EDITS,
                            "an endless exchange with user {number}"
                        );
                    }
                    user.editor.on_their_way.push(Pending {
                        at: self.now,
                        edit,
                        version,
                        edits: edits.clone(),
                    });
                    let message = Message::ToEditor {
                        edit,
                        version,
                        edits,
                    };
                    self.ask_editor(number, std::mem::take(&mut is_first), message);
                }
                Effect::Flush => {
                    let is_first = std::mem::take(&mut is_first);
                    self.ask_editor(number, is_first, Message::FlushEditor);
                }
                Effect::WakeAt(at) => {
                    let at = at.0.max(self.now + 1);
                    if user.wake_at != Some(at) {
                        user.wake_at = Some(at);
                        self.post(at - self.now, number, Message::Tick);
                    }
                }
                Effect::Tell { message } => panic!("user {number} was told: {message}"),
                Effect::Recover { reason, .. } => panic!("user {number} had to recover: {reason}"),
            }
        }
    }

    pub(crate) fn at_server(&mut self, from: usize, update: &[u8]) {
        self.server.apply(update).expect("engines send updates");
        let length = self.server.rope().len_chars();
        assert!(length < LONGEST, "an endless text");
        for user in 0..self.users.len() {
            let loses = self.plan.bug.is_some_and(|bug| bug.loses(&mut self.rng));
            let is_other = user != from && !loses;
            if let (true, Some(connection)) = (is_other, self.users[user].connection) {
                let message = Message::ToBridge(connection, update.to_vec());
                self.post_in_order("to bridge", 120, user, message);
            }
        }
    }

    /// The sync exchange: what the server lacks goes up, what the bridge lacks comes down.
    pub(crate) fn reconnect(&mut self, number: usize) {
        let user = &mut self.users[number];
        user.connections += 1;
        let connection = user.connections;
        user.connection = Some(connection);
        let open = user.document.as_ref().map(Document::main);
        let main = open.or(user.closed.as_ref()).expect("open or closed");
        let up = main.diff(&self.server.state_vector()).expect("valid");
        let down = self.server.diff(&main.state_vector()).expect("valid");
        self.at_server(number, &up);
        let message = Message::ToBridge(connection, down);
        self.post_in_order("to bridge", 120, number, message);
    }
}
