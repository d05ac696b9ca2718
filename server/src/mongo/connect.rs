//! From a URI to a database that is ours to use.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mongodb::event::EventHandler;
use mongodb::event::command::CommandEvent;
use mongodb::options::{
    Acknowledgment, ClientOptions, ReadConcern, ReadPreference, SelectionCriteria, Tls,
    WriteConcern,
};
use mongodb::{Client, bson::doc};

use super::failure::{HANGS_UP, SILENT};
use super::same::{Doubts, Same};
use super::{Failure, Mongo, MongoUri, schema};

/// How long a start waits for the database: one that starts together with us may need as long.
const WAIT_AT_START: Duration = Duration::from_secs(30);

/// How long an operation looks for a server that can take it. A new primary is elected within
/// some ten seconds; what fails meanwhile is tried again.
const FIND_SERVER: Duration = Duration::from_secs(5);

/// How long the server waits for a majority to take a write.
const MAJORITY: Duration = Duration::from_secs(10);

/// The same for one of many tries at the start.
const PROBE: Duration = Duration::from_secs(1);

/// Between two tries at the start.
const PAUSE: Duration = Duration::from_millis(500);

/// Watches the commands that go out, for tests.
pub(crate) type Watcher = Arc<dyn Fn(CommandEvent) + Send + Sync>;

/// Why the database cannot be used: one sentence that says what to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConnectError {
    /// It was not reached in time.
    #[error("cannot reach {place}: {reason}; start the database, or correct --mongodb")]
    Unreachable {
        /// Hosts and database.
        place: String,
        /// What stands in the way.
        reason: String,
    },
    /// What the URI asks for cannot be done.
    #[error("cannot use {place}: {reason}; correct --mongodb")]
    BadUri {
        /// Hosts and database.
        place: String,
        /// What stands in the way.
        reason: String,
    },
    /// It answers, and does not let us in.
    #[error(
        "cannot use {place}: {reason}; correct --mongodb, and give its user the role readWrite on that database"
    )]
    Refused {
        /// Hosts and database.
        place: String,
        /// What it says.
        reason: String,
    },
    /// It is another program's, or a later version's.
    #[error("cannot use {place}: {reason}")]
    NotOurs {
        /// Hosts and database.
        place: String,
        /// Whose it is and what to do.
        reason: String,
    },
}

impl Mongo {
    /// Connects, waiting for a database that is not there yet, and prepares its collections.
    ///
    /// # Errors
    /// [`ConnectError`]; at once where waiting is no use.
    pub async fn connect(uri: &MongoUri) -> Result<Self, ConnectError> {
        Self::connect_watched(uri, None).await
    }

    pub(crate) async fn connect_watched(
        uri: &MongoUri,
        watcher: Option<Watcher>,
    ) -> Result<Self, ConnectError> {
        let mut wait = Wait::new(uri);
        let mut options = loop {
            // A name that has to be looked up may not be known yet, like the server itself.
            match options(uri).await {
                Ok(options) => break options,
                Err(error) => wait.after(error.into()).await?,
            }
        };
        let found = options.server_selection_timeout.unwrap_or(FIND_SERVER);
        let mut probing = options.clone();
        probing.server_selection_timeout = Some(found.min(PROBE));
        loop {
            match probe(probing.clone(), uri).await {
                Ok(()) => break,
                Err(error) => wait.after(error.into()).await?,
            }
        }
        options.command_event_handler = watcher.map(EventHandler::Callback);
        let doubts = Arc::new(Doubts::default());
        options.cmap_event_handler = Some(doubts.handler());
        let client = Client::with_options(options);
        let client = match client {
            Ok(client) => client,
            Err(error) => return Err(wait.unreachable(error.into())),
        };
        let database = client.database(uri.database());
        let mut mongo = Self {
            same: Same::any(&database, doubts),
            database,
        };
        loop {
            match mongo.prepare().await {
                Ok(()) => return Ok(mongo),
                Err(schema::Unusable::NotOurs(reason)) => {
                    let place = uri.to_string();
                    return Err(ConnectError::NotOurs { place, reason });
                }
                Err(schema::Unusable::Failed(failure)) => wait.after(failure).await?,
            }
        }
    }
}

impl Mongo {
    async fn prepare(&mut self) -> Result<(), schema::Unusable> {
        schema::prepare(self).await?;
        Ok(self.same.hold().await?)
    }
}

async fn probe(options: ClientOptions, uri: &MongoUri) -> mongodb::error::Result<()> {
    let database = Client::with_options(options)?.database(uri.database());
    database.run_command(doc! { "ping": 1 }).await.map(drop)
}

async fn options(uri: &MongoUri) -> mongodb::error::Result<ClientOptions> {
    let mut options = ClientOptions::parse(uri.parsed()?).await?;
    options
        .app_name
        .get_or_insert_with(|| "tutti-server".to_owned());
    options.server_selection_timeout.get_or_insert(FIND_SERVER);
    options.write_concern = Some(
        WriteConcern::builder()
            .w(Acknowledgment::Majority)
            .journal(true)
            .w_timeout(MAJORITY)
            .build(),
    );
    options.read_concern = Some(ReadConcern::majority());
    options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
    Ok(options)
}

/// The patience of one start.
struct Wait<'a> {
    uri: &'a MongoUri,
    since: Instant,
    longest: Duration,
    told: bool,
}

impl<'a> Wait<'a> {
    fn new(uri: &'a MongoUri) -> Self {
        let named = uri.parsed().ok();
        let named = named.and_then(|parsed| parsed.server_selection_timeout);
        Self {
            uri,
            since: Instant::now(),
            longest: named.unwrap_or(WAIT_AT_START),
            told: false,
        }
    }

    async fn after(&mut self, failure: Failure) -> Result<(), ConnectError> {
        let place = self.uri.to_string();
        match failure {
            Failure::Refused(reason) => Err(ConnectError::Refused { place, reason }),
            Failure::BadUri(reason) => Err(ConnectError::BadUri { place, reason }),
            other if self.since.elapsed() >= self.longest => Err(self.unreachable(other)),
            other => {
                if !std::mem::replace(&mut self.told, true) {
                    let seconds = self.longest.as_secs();
                    tracing::warn!("waiting up to {seconds} s for {place}: {other}");
                }
                tokio::time::sleep(PAUSE).await;
                Ok(())
            }
        }
    }

    fn asks_for_tls(&self) -> bool {
        let parsed = self.uri.parsed().ok();
        let tls = parsed.and_then(|parsed| parsed.tls);
        matches!(tls, Some(Tls::Enabled(_)))
    }

    fn unreachable(&self, failure: Failure) -> ConnectError {
        let mut reason = failure.to_string();
        if reason == HANGS_UP {
            reason += ", as it does where TLS is needed and tls=true is not in the URI";
        }
        if reason == SILENT && self.asks_for_tls() {
            reason += ", as a server without TLS may do where the URI has tls=true";
        }
        ConnectError::Unreachable {
            place: self.uri.to_string(),
            reason,
        }
    }
}
