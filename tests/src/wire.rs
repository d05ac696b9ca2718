//! The way between one node and Redis or the database: a relay of TCP connections that can be cut, held, slowed down,
//! and that swallows or refuses single messages of either protocol.

mod bson;
mod relay;
mod resp;

use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use anyhow::Result;

/// What is spoken on a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// RESP3, with Pub/Sub.
    Redis,
    /// MongoDB's `OP_MSG`.
    MongoDb,
}

/// What is the matter with a wire. As it comes by default, nothing is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trouble {
    /// Connections end, and none comes about.
    pub is_cut: bool,
    /// Nothing passes, and no connection ends: what was sent arrives once it is mended.
    pub is_held: bool,
    /// Everything passes this much later.
    pub delay: Duration,
    /// Redis: of 1,000 messages on rooms' channels, how many do not arrive.
    pub swallowed: u32,
    /// MongoDB: writes do not get there, and are answered with this error.
    pub refusal: Option<Refusal>,
    /// MongoDB: inserts get there, and the connection ends before they are answered.
    pub loses_answers: bool,
}

/// An error as MongoDB gives it.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// Its number.
    pub code: i32,
    /// Its name.
    pub name: &'static str,
}

/// A relay to one port of this machine; dropped, it is cut for good.
pub struct Wire {
    port: u16,
    state: Arc<State>,
}

/// What all threads of a wire know.
struct State {
    to: u16,
    spoken: Spoken,
    seed: u64,
    now: Mutex<Now>,
    changed: Condvar,
}

#[derive(Default)]
struct Now {
    trouble: Trouble,
    /// Both ends of everything that is connected, or was.
    ends: Vec<TcpStream>,
    swallowed: u64,
}

impl Wire {
    /// Leads to a port of this machine from a free one. `seed` decides what is swallowed.
    ///
    /// # Errors
    /// When there is none.
    pub fn to(port: u16, spoken: Spoken, seed: u64) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let state = Arc::new(State {
            to: port,
            spoken,
            seed,
            now: Mutex::default(),
            changed: Condvar::new(),
        });
        let port = listener.local_addr()?.port();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                // A wire that is held keeps nobody else from calling.
                thread::spawn(move || state.connect(near));
            }
        });
        Ok(Self { port, state })
    }

    /// This side.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on, this is the matter with it.
    pub fn trouble(&self, trouble: Trouble) {
        let mut now = self.state.now();
        now.trouble = trouble;
        if trouble.is_cut {
            for end in now.ends.drain(..) {
                // It may have ended by itself.
                let _ = end.shutdown(Shutdown::Both);
            }
        }
        drop(now);
        self.state.changed.notify_all();
    }

    /// From now on, nothing is the matter with it.
    pub fn mend(&self) {
        self.trouble(Trouble::default());
    }

    /// How many messages it has swallowed or refused, and answers it has lost.
    #[must_use]
    pub fn swallowed(&self) -> u64 {
        self.state.now().swallowed
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.trouble(Trouble {
            is_cut: true,
            ..Trouble::default()
        });
    }
}

impl State {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().expect("no relay panics")
    }

    /// What is the matter, once nothing is held any more.
    fn trouble(&self) -> Trouble {
        let now = self.now();
        let held = |now: &mut Now| now.trouble.is_held;
        let now = self.changed.wait_while(now, held);
        now.expect("no relay panics").trouble
    }

    fn swallows(&self) {
        self.now().swallowed += 1;
    }
}
