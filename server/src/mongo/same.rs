//! Whether the database is still the one that this node started with.
//!
//! A server that comes back without its data takes whatever is sent to it, and what is stored there builds on what is
//! lost. So each database has an id, made when it was first used. Another server can only be reached over a new connection:
//! after each new one the id is asked for, and until it has been found to be the same nothing counts that was answered.
//! It is asked for as soon as the connections of before are given up, so that hardly anything is sent there first. One that
//! is emptied where it is breaks no connection: so it is asked for every two seconds besides, and before it is believed that
//! something is not there.
//!
//! Up to then something may have been called saved that is in the other one. So once the old one is back, those who hold
//! documents are told, and store them whole. Who puts it back may do so piece by piece, so it has to stay for a while first.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mongodb::bson::{Bson, Document, doc};
use mongodb::event::EventHandler;
use mongodb::event::cmap::CmapEvent;
use mongodb::{Collection, Database};
use tokio::sync::watch;

use super::schema::META;
use super::{Failure, measure};

/// The record that holds the id.
const NAME: &str = "database";

/// For so long it goes without saying.
const CERTAIN: Duration = Duration::from_secs(2);

/// So long the old one has to be back before it is used.
const SETTLING: Duration = Duration::from_secs(2);

/// Which database was found in the place of ours when it was last asked for.
#[derive(Debug, Clone, Copy)]
enum Found {
    Ours,
    Another,
    OursAgain { since: Instant },
}

/// How often there was a doubt.
#[derive(Debug)]
pub(super) struct Doubts {
    /// As often as the driver made a connection, or gave up those that it had, or somebody wished to know, or it had not
    /// been asked for some time.
    raised: AtomicU64,
    /// When there was one for the last reason, in milliseconds since the start.
    of_old: AtomicU64,
    start: Instant,
    /// Up to which of them the database was found to be the same since.
    settled: AtomicU64,
    found: Mutex<Found>,
    /// How often ours was used again after another was found.
    returns: watch::Sender<u64>,
}

impl Default for Doubts {
    fn default() -> Self {
        Self {
            raised: AtomicU64::new(0),
            of_old: AtomicU64::new(0),
            start: Instant::now(),
            settled: AtomicU64::new(0),
            found: Mutex::new(Found::Ours),
            returns: watch::Sender::new(0),
        }
    }
}

impl Doubts {
    /// Raises them by what the driver does.
    pub(super) fn handler(self: &Arc<Self>) -> EventHandler<CmapEvent> {
        let doubts = self.clone();
        EventHandler::callback(move |event| {
            if matches!(
                event,
                CmapEvent::ConnectionReady(_) | CmapEvent::PoolCleared(_)
            ) {
                doubts.raise();
            }
        })
    }

    fn raise(&self) {
        self.raised.fetch_add(1, Ordering::SeqCst);
    }

    /// Raises them if that was long ago; of several at once one does.
    fn grow_old(&self) {
        let now = self.start.elapsed().as_millis() as u64;
        let last = self.of_old.load(Ordering::SeqCst);
        let is_long = u128::from(now - last.min(now)) >= CERTAIN.as_millis();
        let is_first = || {
            let exchange =
                self.of_old
                    .compare_exchange(last, now, Ordering::SeqCst, Ordering::SeqCst);
            exchange.is_ok()
        };
        if is_long && is_first() {
            self.raise();
        }
    }

    fn raised(&self) -> u64 {
        self.raised.load(Ordering::SeqCst)
    }

    /// What was read after so many were raised was of the same one.
    fn settle(&self, raised: u64) {
        self.settled.fetch_max(raised, Ordering::SeqCst);
    }

    /// It was asked for just now; whether ours is there and may be used.
    fn found(&self, is_ours: bool) -> bool {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        *found = match *found {
            _ if !is_ours => Found::Another,
            Found::Another => Found::OursAgain {
                since: Instant::now(),
            },
            Found::OursAgain { since } if since.elapsed() >= SETTLING => {
                self.returns.send_modify(|returns| *returns += 1);
                Found::Ours
            }
            found => found,
        };
        matches!(*found, Found::Ours)
    }

    fn is_settled(&self, raised: u64) -> bool {
        self.settled.load(Ordering::SeqCst) >= raised
    }
}

/// What tells a database from another.
#[derive(Debug, Clone)]
pub(super) struct Same {
    meta: Collection<Document>,
    id: Option<String>,
    doubts: Arc<Doubts>,
}

impl Same {
    /// Before the id is known; any database will do.
    pub(super) fn any(database: &Database, doubts: Arc<Doubts>) -> Self {
        Self {
            meta: database.collection(META),
            id: None,
            doubts,
        }
    }

    /// Makes the id, unless there is one, and holds to it from now on.
    pub(super) async fn hold(&mut self) -> Result<(), Failure> {
        loop {
            let raised = self.doubts.raised();
            self.id = self.read().await?;
            if self.id.is_some() {
                self.doubts.settle(raised);
                return Ok(());
            }
            let random = getrandom::u64().map_err(|error| {
                Failure::Unavailable(format!("this system gives no random bytes ({error})"))
            })?;
            let fresh = doc! { "_id": NAME, "id": format!("{random:016x}") };
            // Another node may be faster.
            match measure::raw("insert", self.meta.insert_one(fresh)).await? {
                Err(error) if !super::is_duplicate(&error) => return Err(error.into()),
                _ => {}
            }
        }
    }

    async fn read(&self) -> Result<Option<String>, Failure> {
        let record = self.meta.find_one(doc! { "_id": NAME });
        let record = measure::measured("find", record).await?;
        match record.and_then(|mut record| record.remove("id")) {
            Some(Bson::String(id)) => Ok(Some(id)),
            _ => Ok(None),
        }
    }

    /// Asks again the next time, whether or not there is a reason to.
    pub(super) fn doubt(&self) {
        self.doubts.raise();
    }

    /// Changes each time it is found to be there again after another was.
    pub(super) fn returns(&self) -> watch::Receiver<u64> {
        self.doubts.returns.subscribe()
    }

    /// Finds out whether it is the same, where that is not known.
    pub(super) async fn check(&self) -> Result<(), Failure> {
        let Some(id) = &self.id else { return Ok(()) };
        self.doubts.grow_old();
        let raised = self.doubts.raised();
        if self.doubts.is_settled(raised) {
            return Ok(());
        }
        let is_ours = self.read().await?.as_ref() == Some(id);
        if !self.doubts.found(is_ours) {
            return Err(Failure::Replaced);
        }
        self.doubts.settle(raised);
        Ok(())
    }
}
