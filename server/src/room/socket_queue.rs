//! What a socket's writer has to do next: whose frames to send, and when to end.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::Notify;

use super::Outbox;

/// Why a member or its socket has to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// The WebSocket close code.
    pub code: u16,
    /// For a person.
    pub reason: String,
}

impl Closing {
    /// A code and its reason.
    pub fn new(code: u16, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }
}

/// The outboxes of one socket that have something to send, and the socket's end.
#[derive(Default)]
pub struct SocketQueue {
    ready: Mutex<VecDeque<Arc<Outbox>>>,
    closing: OnceLock<Closing>,
    probed: Mutex<bool>,
    wake: Notify,
    closed: Notify,
}

/// What a socket's writer wakes up for.
pub enum Wake {
    /// This outbox has something.
    Outbox(Arc<Outbox>),
    /// Find out at once whether the peer lives.
    Probe,
    /// Close.
    Close(Closing),
}

impl SocketQueue {
    pub(super) fn put(&self, outbox: Arc<Outbox>) {
        self.ready
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(outbox);
        self.wake.notify_one();
    }

    /// Puts an outbox back that has more.
    pub fn again(&self, outbox: Arc<Outbox>) {
        self.put(outbox);
    }

    /// Ends the socket; the first reason stands.
    pub fn close(&self, closing: Closing) {
        let _ = self.closing.set(closing);
        self.wake.notify_one();
        self.closed.notify_waiters();
    }

    /// Why the socket ends, once it does.
    pub fn closing(&self) -> Option<&Closing> {
        self.closing.get()
    }

    /// Waits until the socket is to end.
    pub async fn closed(&self) {
        let mut notified = std::pin::pin!(self.closed.notified());
        // Registered before looking, so that no close falls between.
        notified.as_mut().enable();
        if self.closing.get().is_none() {
            notified.await;
        }
    }

    /// Asks for a sign of life: somebody else claims what this connection owns.
    pub fn probe(&self) {
        *self.probed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_one();
    }

    /// What is to be done now, if anything.
    pub fn try_next(&self) -> Option<Wake> {
        if let Some(closing) = self.closing.get() {
            return Some(Wake::Close(closing.clone()));
        }
        let mut probed = self.probed.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut *probed) {
            return Some(Wake::Probe);
        }
        drop(probed);
        self.ready
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
            .map(Wake::Outbox)
    }

    /// Waits for the next thing to do. For one waiter, the socket's writer.
    pub async fn next(&self) -> Wake {
        loop {
            if let Some(wake) = self.try_next() {
                return wake;
            }
            self.wake.notified().await;
        }
    }
}
