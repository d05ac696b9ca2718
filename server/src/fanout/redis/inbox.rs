//! What has arrived for one topic and waits for its room, bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, watch};

use super::super::{Received, Subscription};

/// Messages that may wait for one room. A room takes them in microseconds; one that is held up
/// for longer catches up by an exchange.
const WAITING: usize = 1_024;

/// Bytes that may wait for all rooms of this node together.
const WAITING_BYTES: usize = 64 * 1024 * 1024;

/// Whether a topic is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carried {
    /// It is being subscribed to.
    NotYet,
    /// Redis is away.
    No,
    /// It is, in this connection to Redis (they are counted from 1).
    In(u64),
}

/// The end that is filled.
pub(super) struct Inbox {
    items: mpsc::Sender<Received>,
    carried: watch::Sender<Carried>,
    lost: Arc<AtomicBool>,
    bytes: Arc<AtomicUsize>,
}

/// The end that a room reads.
pub(super) struct Outlet {
    items: mpsc::Receiver<Received>,
    carried: watch::Receiver<Carried>,
    told: Carried,
    lost: Arc<AtomicBool>,
    bytes: Arc<AtomicUsize>,
}

/// An inbox; `bytes` is shared by all of this node.
pub(super) fn inbox(carried: Carried, bytes: Arc<AtomicUsize>) -> (Inbox, Outlet) {
    let (items, receiver) = mpsc::channel(WAITING);
    let (carried, watching) = watch::channel(carried);
    let lost = Arc::new(AtomicBool::new(false));
    let outlet = Outlet {
        items: receiver,
        carried: watching,
        told: Carried::NotYet,
        lost: lost.clone(),
        bytes: bytes.clone(),
    };
    (
        Inbox {
            items,
            carried,
            lost,
            bytes,
        },
        outlet,
    )
}

impl Inbox {
    /// Puts something in; what does not fit is lost, and the room is told that something was.
    pub(super) fn push(&self, item: Received) {
        let size = size(&item);
        let before = self.bytes.fetch_add(size, Ordering::Relaxed);
        if before + size <= WAITING_BYTES && self.items.try_send(item).is_ok() {
            return;
        }
        self.bytes.fetch_sub(size, Ordering::Relaxed);
        metrics::counter!("tutti_fanout_dropped_total", "why" => "slow room").increment(1);
        self.lost.store(true, Ordering::SeqCst);
        // Wakes a room that has emptied the inbox just before it was told. If this does not fit
        // either, the room has yet to empty it, and looks then.
        let _ = self.items.try_send(Received::Back);
    }

    pub(super) fn set_carried(&self, carried: Carried) {
        self.carried.send_replace(carried);
    }
}

impl Outlet {
    /// Whether the topic has come to be carried, or not, since the room was told last.
    fn turn(&mut self) -> Option<Received> {
        let now = *self.carried.borrow_and_update();
        if now == self.told {
            return None;
        }
        match now {
            Carried::NotYet => None,
            Carried::No => {
                self.told = now;
                Some(Received::Away)
            }
            Carried::In(_) => {
                self.told = now;
                // It stands for everything that was lost before.
                self.lost.store(false, Ordering::SeqCst);
                Some(Received::Back)
            }
        }
    }

    fn taken(&self, item: Received) -> Received {
        self.bytes.fetch_sub(size(&item), Ordering::Relaxed);
        item
    }
}

impl Subscription for Outlet {
    fn ready(&mut self) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let known = self.carried.wait_for(|carried| *carried != Carried::NotYet);
            match known.await {
                Ok(carried) => matches!(*carried, Carried::In(_)),
                Err(_) => false,
            }
        })
    }

    fn next(&mut self) -> BoxFuture<'_, Received> {
        Box::pin(async move {
            loop {
                if let Some(turn) = self.turn() {
                    return turn;
                }
                match self.items.try_recv() {
                    Ok(item) => return self.taken(item),
                    Err(_) if self.lost.swap(false, Ordering::SeqCst) => return Received::Back,
                    Err(_) => {}
                }
                tokio::select! {
                    biased;
                    changed = self.carried.changed() => {
                        if changed.is_err() {
                            // The fan-out has ended.
                            return std::future::pending().await;
                        }
                    }
                    Some(item) = self.items.recv() => return self.taken(item),
                }
            }
        })
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.items.close();
        while let Ok(item) = self.items.try_recv() {
            self.bytes.fetch_sub(size(&item), Ordering::Relaxed);
        }
    }
}

fn size(item: &Received) -> usize {
    match item {
        Received::Message(_, message) => message.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fanout::{Message, NodeId};

    fn item() -> Received {
        Received::Message(NodeId(1), Message::Stored)
    }

    #[tokio::test]
    async fn a_room_is_told_when_it_is_carried_and_when_not() {
        let (inbox, mut outlet) = inbox(Carried::NotYet, Arc::default());
        inbox.push(item());
        inbox.set_carried(Carried::In(1));
        assert!(outlet.ready().await);
        assert_eq!(outlet.next().await, Received::Back);
        assert_eq!(outlet.next().await, item());
        inbox.set_carried(Carried::No);
        assert_eq!(outlet.next().await, Received::Away);
        assert!(!outlet.ready().await);
        // Away and back between two looks is still news.
        inbox.set_carried(Carried::In(2));
        assert_eq!(outlet.next().await, Received::Back);
        inbox.set_carried(Carried::No);
        inbox.set_carried(Carried::In(3));
        assert_eq!(outlet.next().await, Received::Back);
    }

    #[tokio::test]
    async fn an_overfull_inbox_turns_into_a_gap() {
        let bytes = Arc::new(AtomicUsize::new(0));
        let (inbox, mut outlet) = inbox(Carried::In(1), bytes.clone());
        assert_eq!(outlet.next().await, Received::Back);
        for _ in 0..WAITING + 5 {
            inbox.push(item());
        }
        for _ in 0..WAITING {
            assert_eq!(outlet.next().await, item());
        }
        assert_eq!(outlet.next().await, Received::Back);
        inbox.push(item());
        assert_eq!(outlet.next().await, item());
        inbox.push(item());
        drop(outlet);
        assert_eq!(bytes.load(Ordering::Relaxed), 0);
    }
}
