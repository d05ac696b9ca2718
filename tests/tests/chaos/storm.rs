//! A node dies, and all of its people come back to the two others at once.
//!
//! `STORM=2000` says how many there are. They behave as stock y-websocket clients do: each has a document of its own,
//! comes back after 0.1 s, and waits twice as long after each refusal, up to 2.5 s.

use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Socket;
use tutti_protocol::codec::Reader;
use tutti_protocol::index::{CONTENT, new_doc};
use tutti_protocol::sync::SyncMessage;
use tutti_protocol::yws::Message;
use tutti_tests::server::Server;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{Doc, GetString, ReadTxn, StateVector, Text, Transact, Update};

use crate::audit;
use crate::cluster::Cluster;

/// How many there are in a run of all tests.
const PEOPLE: usize = 300;

/// People in one room.
const TOGETHER: usize = 10;

/// Sockets from one address: the server takes 1,024.
const FROM_ONE_ADDRESS: usize = 500;

/// Who come in at their leisure, before the storm, at a time.
const AT_LEISURE: usize = 20;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(2_500);

/// Between two keys of somebody who works at one of the other nodes all the time.
const KEY: Duration = Duration::from_millis(20);

/// How long all of them may take.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn the_people_of_a_node_that_dies_come_back_to_the_others() -> Result<()> {
    let people = match env::var("STORM") {
        Ok(people) => people.parse().context("STORM is no number")?,
        Err(_) => PEOPLE,
    };
    let mut all = Cluster::start(0)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        tokio::time::timeout(2 * PATIENCE, storm(&mut all, people))
            .await
            .context("the storm does not end")?
    })
}

async fn storm(all: &mut Cluster, people: usize) -> Result<()> {
    let addresses: Vec<SocketAddr> = all.nodes.iter().map(|node| node.address()).collect();
    let turns = Arc::new(Semaphore::new(AT_LEISURE));
    let mut coming = JoinSet::new();
    for number in 0..people {
        let path = all.path(number / TOGETHER);
        let (turns, node) = (turns.clone(), addresses[0]);
        coming.spawn(async move {
            let _turn = turns.acquire().await?;
            let mut person = Somebody::new(number, path);
            person.come(node).await?;
            person.type_and_save().await?;
            anyhow::Ok(person)
        });
    }
    let mut there = Vec::new();
    while let Some(person) = coming.join_next().await {
        there.push(person??);
    }

    let mut bystander = Somebody::new(people, all.path(people / TOGETHER + 1));
    bystander.come(addresses[1]).await?;
    let is_over = Arc::new(AtomicBool::new(false));
    let until_over = is_over.clone();
    let working = tokio::spawn(async move {
        let mut longest = Duration::ZERO;
        while !until_over.load(Ordering::Relaxed) {
            let began = Instant::now();
            bystander.type_and_save().await?;
            longest = longest.max(began.elapsed());
            tokio::time::sleep(KEY).await;
        }
        anyhow::Ok(longest)
    });

    all.nodes[0].kill()?;
    let killed = Instant::now();
    let refusals = Arc::new(AtomicUsize::new(0));
    let mut returning = JoinSet::new();
    for mut person in there {
        let (node, refusals) = (addresses[1 + person.number % 2], refusals.clone());
        returning.spawn(async move {
            person.until_lost().await;
            let mut pause = FIRST_PAUSE;
            loop {
                // Stock clients know no jitter.
                tokio::time::sleep(pause).await;
                match person.come(node).await {
                    Ok(()) => return (killed.elapsed(), person),
                    Err(_) => refusals.fetch_add(1, Ordering::Relaxed),
                };
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        });
    }
    let mut times = Vec::new();
    let mut back = Vec::new();
    while let Some(returned) = returning.join_next().await {
        let (took, person) = returned?;
        times.push(took);
        back.push(person);
    }
    is_over.store(true, Ordering::Relaxed);
    let longest = working.await??;
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64();
    println!(
        "{people} people are back: the first after {:.2} s, half after {:.2} s, 99 % after {:.2} s, all after {:.2} s; {} refusals",
        at(0.0),
        at(0.5),
        at(0.99),
        at(1.0),
        refusals.load(Ordering::Relaxed)
    );
    println!(
        "meanwhile, an edit of somebody at one of the others was saved after {:.2} s at the most",
        longest.as_secs_f64()
    );
    ensure!(times[times.len() - 1] < PATIENCE, "that took too long");
    for person in &back {
        let room = person.number / TOGETHER;
        for mark in (room * TOGETHER..people.min((room + 1) * TOGETHER)).map(mark) {
            ensure!(
                person.text().contains(&mark),
                "{mark} was saved and is gone"
            );
        }
    }
    drop(back);
    // They had it before the node died: what counts is what the database has.
    let all = tokio::task::block_in_place(|| {
        all.nodes[1..].iter_mut().try_for_each(Server::kill)?;
        audit::stored(all, people.div_ceil(TOGETHER))
    })?;
    for number in 0..people {
        let found = all[number / TOGETHER].matches(&mark(number)).count();
        ensure!(found == 1, "{} is there {found} times", mark(number));
    }
    Ok(())
}

fn mark(number: usize) -> String {
    format!("({number})")
}

type Connection = WebSocketStream<TcpStream>;

struct Somebody {
    number: usize,
    doc: Doc,
    /// Of the room, behind the server's address.
    path: String,
    socket: Option<Connection>,
}

impl Somebody {
    fn new(number: usize, path: String) -> Self {
        Self {
            number,
            doc: new_doc(number as u64 + 1),
            path,
            socket: None,
        }
    }

    fn text(&self) -> String {
        let content = self.doc.get_or_insert_text(CONTENT);
        content.get_string(&self.doc.transact())
    }

    /// Comes to a node, and has what it has when this returns.
    async fn come(&mut self, node: SocketAddr) -> Result<()> {
        self.socket = None;
        let from = Ipv4Addr::new(127, 0, 0, 1 + (self.number / FROM_ONE_ADDRESS) as u8);
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        let stream = socket.connect(node).await?;
        stream.set_nodelay(true)?;
        let url = format!("ws://{node}{}", self.path);
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await?;
        self.socket = Some(socket);
        let vector = self.doc.transact().state_vector().encode_v1();
        self.say(SyncMessage::Step1(&vector)).await?;
        while !self
            .hear()
            .await?
            .is_some_and(|heard| heard == Heard::Answer)
        {}
        Ok(())
    }

    /// Types a mark, and waits until the server sends it back, which says that it is durable.
    async fn type_and_save(&mut self) -> Result<()> {
        let update = {
            let content = self.doc.get_or_insert_text(CONTENT);
            let mut txn = self.doc.transact_mut();
            content.insert(&mut txn, 0, &mark(self.number));
            txn.encode_update_v1()
        };
        self.say(SyncMessage::Update(&update)).await?;
        while !self
            .hear()
            .await?
            .is_some_and(|heard| heard == Heard::Update(update.clone()))
        {}
        Ok(())
    }

    async fn until_lost(&mut self) {
        while self.hear().await.is_ok() {}
    }

    async fn hear(&mut self) -> Result<Option<Heard>> {
        let socket = self.socket.as_mut().context("not connected")?;
        let frame = match socket.next().await.context("the connection ended")?? {
            Socket::Binary(frame) => frame,
            Socket::Close(frame) => bail!("closed: {frame:?}"),
            _ => return Ok(None),
        };
        let Message::Sync(message) = Message::read(&mut Reader::new(&frame))? else {
            return Ok(None);
        };
        match message {
            SyncMessage::Step1(vector) => {
                let vector = StateVector::decode_v1(vector)?;
                let update = self.doc.transact().encode_diff_v1(&vector);
                self.say(SyncMessage::Step2(&update)).await?;
                Ok(None)
            }
            SyncMessage::Step2(update) => {
                self.apply(update)?;
                Ok(Some(Heard::Answer))
            }
            SyncMessage::Update(update) => {
                self.apply(update)?;
                Ok(Some(Heard::Update(update.to_vec())))
            }
        }
    }

    fn apply(&self, update: &[u8]) -> Result<()> {
        let update = Update::decode_v1(update)?;
        self.doc.transact_mut().apply_update(update)?;
        Ok(())
    }

    async fn say(&mut self, message: SyncMessage<'_>) -> Result<()> {
        let frame = Message::Sync(message).encode();
        let socket = self.socket.as_mut().context("not connected")?;
        Ok(socket.send(Socket::Binary(frame.into())).await?)
    }
}

#[derive(PartialEq, Eq)]
enum Heard {
    /// What the server has and the client had not.
    Answer,
    Update(Vec<u8>),
}
