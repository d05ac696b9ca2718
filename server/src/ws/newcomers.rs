//! What sockets that were not let in yet may make the server hold, all together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The room that newcomers have, in bytes.
#[derive(Debug)]
pub(super) struct Newcomers {
    most: usize,
    held: AtomicUsize,
}

/// A part of that room, until it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    of: Arc<Newcomers>,
    bytes: usize,
}

impl Newcomers {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            held: AtomicUsize::new(0),
        })
    }

    /// Room for so many bytes; `None` if there is not so much left.
    pub(super) fn take(self: &Arc<Self>, bytes: usize) -> Option<Share> {
        let add = |held: usize| held.checked_add(bytes).filter(|held| *held <= self.most);
        let taken = self
            .held
            .try_update(Ordering::Relaxed, Ordering::Relaxed, add);
        taken.ok().map(|_| Share {
            of: self.clone(),
            bytes,
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let all = Newcomers::new(10);
        let first = all.take(6).unwrap();
        assert!(all.take(5).is_none() && all.take(usize::MAX).is_none());
        let second = all.take(4).unwrap();
        drop(first);
        assert!(all.take(7).is_none());
        drop(all.take(6).unwrap());
        drop(second);
        assert!(all.take(10).is_some());
    }
}
