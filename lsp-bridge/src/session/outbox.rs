//! Commands to the link, without ever waiting for it.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use crate::link::Command;

/// What the link has not taken yet stands in line here. The line stays short: a link without a
/// connection takes everything at once, and one whose connection is stuck finds out in seconds;
/// what a person types meanwhile is little.
pub(super) struct Outbox {
    link: mpsc::Sender<Command>,
    waiting: VecDeque<Command>,
}

impl Outbox {
    pub(super) fn new(link: mpsc::Sender<Command>) -> Self {
        Self {
            link,
            waiting: VecDeque::new(),
        }
    }

    /// Sends `command` after all earlier ones. A link that has ended (denied) takes nothing more.
    pub(super) fn send(&mut self, command: Command) {
        if !self.waiting.is_empty() {
            return self.waiting.push_back(command);
        }
        match self.link.try_send(command) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            Err(mpsc::error::TrySendError::Full(command)) => self.waiting.push_back(command),
        }
    }

    /// Passes on what waits, as the link takes it; pends when nothing waits. May be dropped at
    /// any moment.
    pub(super) async fn pass_on(&mut self) {
        if self.waiting.is_empty() {
            std::future::pending::<()>().await;
        }
        match self.link.reserve().await {
            Ok(place) => {
                if let Some(command) = self.waiting.pop_front() {
                    place.send(command);
                }
            }
            Err(_) => self.waiting.clear(),
        }
    }

    /// Passes on all that waits and lets the link go.
    pub(super) async fn finish(mut self) {
        while !self.waiting.is_empty() {
            self.pass_on().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_order_when_the_link_is_slow() {
        let (link, mut taken) = mpsc::channel(2);
        let mut outbox = Outbox::new(link);
        let command = |n: usize| Command::Leave(format!("d{n}").parse().unwrap());
        for n in 0..6 {
            outbox.send(command(n));
        }
        for n in 0..6 {
            assert_eq!(taken.recv().await.unwrap(), command(n));
            if n < 4 {
                outbox.pass_on().await;
            }
        }
    }
}
