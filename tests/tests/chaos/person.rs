//! A person of the suite: a thread with a client that types marks, deletes some of its own again, comes back to any node
//! when its connection ends, and answers questions.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fastrand::Rng;
use tutti_tests::collab::{Account, Event, Member};
use tutti_tests::wait::{LONG, pause};

use crate::marks::{self, Mark};

/// Between two keys, on average.
const PACE: Duration = Duration::from_millis(250);

/// Of ten edits, so many delete a mark of one's own.
const DELETIONS: u32 = 2;

/// How long a node may take to let somebody in. A stopped one takes for ever.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long somebody who does not wait for a stopped node hears nothing before going to another.
const SILENCE: Duration = Duration::from_secs(3);

/// How often carets are shown anew: the server forgets them after 30 s.
const RENEWAL: Duration = Duration::from_secs(10);

enum Order {
    Type(bool),
    /// Be connected, or not.
    Online(bool),
    /// Measure anew.
    Anew,
    Tell(Sender<Report>),
    Show(Sender<Account>),
}

/// What a person sees.
pub(crate) struct Report {
    pub(crate) is_connected: bool,
    /// Whether all of their edits are acknowledged.
    pub(crate) is_saved: bool,
    /// A hash of the text.
    pub(crate) text: u64,
    pub(crate) marks: usize,
    pub(crate) present: BTreeSet<u64>,
    /// The age of the oldest mark of somebody else that arrived while it was the newest thing to happen.
    pub(crate) oldest: Duration,
    /// Of whom something has come that was typed since it began to measure.
    pub(crate) heard_of: BTreeSet<u64>,
    /// Whether the server has said that nothing is being saved.
    pub(crate) told_unsaved: bool,
    /// How many edits are acknowledged.
    pub(crate) acknowledged: usize,
    /// Why they were last not let in.
    pub(crate) trouble: String,
}

/// The handle to a person.
pub(crate) struct Person {
    pub(crate) client: u64,
    pub(crate) room: usize,
    orders: Sender<Order>,
    thread: Option<JoinHandle<()>>,
}

impl Person {
    /// Begins offline and idle. `waits`: whether they wait for a node that says nothing.
    pub(crate) fn start(
        member: Member,
        client: u64,
        room: usize,
        nodes: Vec<String>,
        seed: u64,
    ) -> Self {
        let (orders, received) = channel();
        let body = Body {
            member: member.with_patience(PATIENCE),
            client,
            nodes,
            // Some wait for as long as stock clients do.
            waits: client.is_multiple_of(2),
            orders: received,
            rng: Rng::with_seed(seed),
            number: 0,
            types: false,
            online: false,
            next_key: Instant::now(),
            next_try: Instant::now(),
            next_show: Instant::now(),
            heard: Instant::now(),
            oldest: Duration::ZERO,
            heard_of: BTreeSet::new(),
            measures: Instant::now(),
            told_unsaved: false,
            trouble: String::new(),
        };
        let thread = std::thread::spawn(move || body.live());
        Self {
            client,
            room,
            orders,
            thread: Some(thread),
        }
    }

    pub(crate) fn types(&self, types: bool) {
        self.order(Order::Type(types));
    }

    pub(crate) fn online(&self, online: bool) {
        self.order(Order::Online(online));
    }

    /// Measures from now on.
    pub(crate) fn anew(&self) {
        self.order(Order::Anew);
    }

    pub(crate) fn report(&self) -> Result<Report> {
        let (answer, report) = channel();
        self.order(Order::Tell(answer));
        report
            .recv_timeout(LONG)
            .context("a person has fallen over")
    }

    pub(crate) fn account(&self) -> Result<Account> {
        let (answer, account) = channel();
        self.order(Order::Show(answer));
        account
            .recv_timeout(LONG)
            .context("a person has fallen over")
    }

    fn order(&self, order: Order) {
        // Who has fallen over does not answer either.
        let _ = self.orders.send(order);
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        // The thread ends with its orders.
        self.orders = channel().0;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Body {
    member: Member,
    client: u64,
    nodes: Vec<String>,
    waits: bool,
    orders: Receiver<Order>,
    rng: Rng,
    number: u32,
    types: bool,
    online: bool,
    next_key: Instant,
    next_try: Instant,
    next_show: Instant,
    heard: Instant,
    oldest: Duration,
    heard_of: BTreeSet<u64>,
    /// Since when.
    measures: Instant,
    told_unsaved: bool,
    trouble: String,
}

impl Body {
    fn live(mut self) {
        use std::sync::mpsc::TryRecvError;
        loop {
            match self.orders.try_recv() {
                Ok(order) => {
                    self.follow(order);
                    continue;
                }
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {}
            }
            let now = Instant::now();
            if self.online && !self.member.is_connected() && now >= self.next_try {
                self.come();
            }
            if self.types && now >= self.next_key {
                self.key();
            }
            if self.member.is_connected() && now >= self.next_show {
                self.show();
            }
            let idle = Duration::from_millis(20);
            match self.member.is_connected() {
                true => self.listen(idle),
                false => pause(idle),
            }
        }
    }

    fn follow(&mut self, order: Order) {
        // Who asks has given up where nobody listens.
        match order {
            Order::Type(types) => self.types = types,
            Order::Online(online) => {
                self.online = online;
                self.next_try = Instant::now();
                if !online {
                    self.member.leave();
                }
            }
            Order::Anew => {
                self.oldest = Duration::ZERO;
                self.heard_of.clear();
                self.measures = Instant::now();
                self.told_unsaved = false;
            }
            Order::Tell(answer) => drop(answer.send(self.report())),
            Order::Show(answer) => drop(answer.send(self.member.account().clone())),
        }
    }

    fn report(&self) -> Report {
        let text = self.member.text();
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let account = self.member.account();
        Report {
            is_connected: self.member.is_connected(),
            is_saved: self.member.is_saved(),
            text: hasher.finish(),
            marks: text.matches(marks::END).count(),
            present: self.member.present(),
            oldest: self.oldest,
            heard_of: self.heard_of.clone(),
            told_unsaved: self.told_unsaved,
            acknowledged: account.acknowledged.len() + account.gone.len(),
            trouble: self.trouble.clone(),
        }
    }

    fn come(&mut self) {
        let node = self.rng.usize(..self.nodes.len());
        self.member.go_to(&self.nodes[node]);
        match self.member.connect() {
            Ok(()) => {
                self.heard = Instant::now();
                self.next_show = Instant::now();
            }
            Err(error) => self.lost(format!("at {}: {error:#}", self.nodes[node])),
        }
    }

    /// The connection has ended.
    fn lost(&mut self, why: String) {
        self.trouble = why;
        self.member.leave();
        let pause = Duration::from_millis(self.rng.u64(50..400));
        self.next_try = Instant::now() + pause;
    }

    fn key(&mut self) {
        self.next_key = Instant::now() + PACE.mul_f64(0.5 + self.rng.f64());
        let own = format!("{}{}", self.client, marks::NAME_END);
        let text = self.member.text();
        let mine: Vec<&str> = marks::of(&text)
            .filter(|mark| mark.starts_with(&own))
            .collect();
        let edited = if self.rng.u32(..10) < DELETIONS && !mine.is_empty() {
            let mark = mine[self.rng.usize(..mine.len())].to_owned();
            self.member.delete(&mark)
        } else {
            self.number += 1;
            let mark = Mark::now(self.client, self.number).to_string();
            let place = match self.rng.bool() {
                true => text.len(),
                false => marks::place(&text, self.rng.usize(..=text.len())),
            };
            self.member.insert(place as u32, &mark)
        };
        // Without a connection it is sent when there is one again.
        if let Err(error) = edited
            && self.member.is_connected()
        {
            self.lost(format!("while typing: {error:#}"));
        }
    }

    fn show(&mut self) {
        self.next_show = Instant::now() + RENEWAL;
        let name = self.client.to_string();
        if let Err(error) = self.member.show_itself(&name) {
            self.lost(format!("while showing itself: {error:#}"));
        }
    }

    fn listen(&mut self, time: Duration) {
        match self.member.receive(time) {
            Ok(None) => {
                let is_stuck = !self.member.is_saved() && self.heard.elapsed() > SILENCE;
                if is_stuck && !self.waits {
                    self.lost("the node says nothing".to_owned());
                }
            }
            Ok(Some(event)) => {
                self.heard = Instant::now();
                match event {
                    Event::Changed(update) => {
                        let since = self.measures.elapsed();
                        for mark in Mark::all_in(&update) {
                            if mark.client == self.client {
                                continue;
                            }
                            self.oldest = self.oldest.max(mark.age());
                            if mark.age() < since {
                                self.heard_of.insert(mark.client);
                            }
                        }
                    }
                    Event::Told(text) if text.contains(r#""saved":false"#) => {
                        self.told_unsaved = true;
                    }
                    _ => {}
                }
            }
            Err(error) => self.lost(format!("{error:#}")),
        }
    }
}
