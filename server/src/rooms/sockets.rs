//! The sockets that are open, for shutdown.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tutti_protocol::close;

use crate::room::{Closing, SocketQueue};

#[derive(Default)]
pub(crate) struct Sockets {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    fewer: Notify,
}

#[derive(Default)]
struct State {
    next: u64,
    open: HashMap<u64, Arc<SocketQueue>>,
    closing: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says on drop that a socket has gone.
pub struct SocketGuard {
    key: u64,
    shared: Arc<Shared>,
}

impl Drop for SocketGuard {
    fn drop(&mut self) {
        self.shared.state().open.remove(&self.key);
        self.shared.fewer.notify_waiters();
    }
}

fn restarting() -> Closing {
    Closing::new(close::RESTART, "the server is restarting")
}

impl Sockets {
    pub(crate) fn register(&self, socket: Arc<SocketQueue>) -> SocketGuard {
        let mut state = self.shared.state();
        if state.closing {
            socket.close(restarting());
        }
        state.next += 1;
        let key = state.next;
        state.open.insert(key, socket);
        SocketGuard {
            key,
            shared: self.shared.clone(),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.shared.state().open.len()
    }

    /// Closes all of them, and every one that comes later; returns when all have gone.
    pub(crate) async fn close(&self) {
        {
            let mut state = self.shared.state();
            state.closing = true;
            for socket in state.open.values() {
                socket.close(restarting());
            }
        }
        loop {
            let mut fewer = std::pin::pin!(self.shared.fewer.notified());
            // Registered before looking, so that no drop falls between.
            fewer.as_mut().enable();
            if self.shared.state().open.is_empty() {
                return;
            }
            fewer.await;
        }
    }
}
