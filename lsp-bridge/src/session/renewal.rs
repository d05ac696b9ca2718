//! A new way to the server while the bridge runs: `tutti join` with another link writes it into the credentials, or with
//! the server's new address into the directory, in a process of its own.

use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;
use url::Url;

use super::project::Project;
use crate::credentials::Credentials;
use crate::link::{Command, Token};
use crate::project::Project as Place;

/// How often the files are looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// Where the project is from now on, and what opens it.
pub(super) struct Renewed {
    server: Url,
    token: Token,
}

/// Tells of every other way from now on, until the receiver is dropped.
pub(super) fn watch(
    credentials: Credentials,
    place: Place,
    token: Token,
) -> mpsc::Receiver<Renewed> {
    let (news, renewed) = mpsc::channel(1);
    let known = Known { place, token };
    tokio::spawn(look(credentials, known, news));
    renewed
}

/// The way that the bridge knows.
struct Known {
    place: Place,
    token: Token,
}

async fn look(credentials: Credentials, mut known: Known, news: mpsc::Sender<Renewed>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    let named_in = known.place.file();
    let mut seen = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = news.closed() => return,
        }
        let now = (written(credentials.path()).await, written(&named_in).await);
        if seen == Some(now) {
            continue;
        }
        seen = Some(now);
        // Short files, read when they have changed.
        match known.renewed(&credentials) {
            Ok(None) => {}
            Ok(Some(renewed)) => {
                if news.send(renewed).await.is_err() {
                    return;
                }
            }
            Err(error) => tracing::warn!(%error, "a new access cannot be read"),
        }
    }
}

/// When a file was written last; `None` where there is none.
async fn written(file: &std::path::Path) -> Option<SystemTime> {
    let file = tokio::fs::metadata(file).await.ok()?;
    file.modified().ok()
}

impl Known {
    /// The way as it is now, if it is another one.
    fn renewed(&mut self, credentials: &Credentials) -> anyhow::Result<Option<Renewed>> {
        let place = Place::at(&self.place.root)?;
        // A directory that has been left, or is another project's by now, is not this bridge's any more.
        let Some(place) = place.filter(|place| place.id == self.place.id) else {
            return Ok(None);
        };
        let Some(access) = credentials.project(&place)? else {
            return Ok(None);
        };
        let token = Token(access.token);
        if (&place.server, &token) == (&self.place.server, &self.token) {
            return Ok(None);
        }
        let server = place.server.clone();
        *self = Self {
            place,
            token: token.clone(),
        };
        Ok(Some(Renewed { server, token }))
    }
}

impl Project {
    /// Comes to the server as somebody else, or to another one, so to speak.
    pub(super) fn access_renewed(&mut self, renewed: Renewed) {
        let Renewed { server, token } = renewed;
        tracing::info!(%server, "the access was renewed");
        // Whatever is wrong with this one is news again.
        self.told.clear();
        self.carrier.renew(&server, &token);
        self.outbox.send(Command::Renew { server, token });
    }
}
