//! A new access while the bridge runs: `tutti join` with another link writes it into the credentials, in a process of
//! its own.

use std::io;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;

use super::project::Project;
use crate::credentials::Credentials;
use crate::link::{Command, Token};
use crate::project::Project as Place;

/// How often the credentials are looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// Tells of every token that opens the project from now on, until the receiver is dropped.
pub(super) fn watch(credentials: Credentials, place: Place, token: Token) -> mpsc::Receiver<Token> {
    let (news, renewed) = mpsc::channel(1);
    tokio::spawn(look(credentials, place, token, news));
    renewed
}

async fn look(credentials: Credentials, place: Place, mut token: Token, news: mpsc::Sender<Token>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    let mut written: Option<SystemTime> = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = news.closed() => return,
        }
        let file = tokio::fs::metadata(credentials.path()).await;
        let now = file.and_then(|file| file.modified());
        match now {
            Ok(now) if written == Some(now) => continue,
            Ok(now) => written = Some(now),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                tracing::debug!(%error, "the credentials are not looked at");
                continue;
            }
        }
        // A short file, read when it has changed.
        match credentials.project(&place) {
            Ok(Some(access)) if access.token != token.0 => {
                token = Token(access.token);
                if news.send(token.clone()).await.is_err() {
                    return;
                }
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "a new access cannot be read"),
        }
    }
}

impl Project {
    /// Comes to the server as somebody else, so to speak.
    pub(super) fn access_renewed(&mut self, token: Token) {
        tracing::info!("the access was renewed");
        // Whatever is wrong with this one is news again.
        self.told.clear();
        self.carrier.renew(&token);
        self.outbox.send(Command::Renew(token));
    }
}
