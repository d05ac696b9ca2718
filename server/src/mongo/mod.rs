//! The connection to MongoDB that the document store and the project directory share.
//!
//! Every write is acknowledged by a majority of the replica set and in its journal, and every read
//! is of what a majority has, from the primary; what the URI says of either is overruled. No
//! operation needs a transaction, so a lone server serves as well as a replica set.

mod connect;
mod failure;
mod measure;
mod same;
pub(crate) mod schema;
#[cfg(any(test, feature = "test-support"))]
pub mod test_server;
#[cfg(test)]
mod tests;
mod uri;

use std::future::IntoFuture;
use std::time::Duration;

use mongodb::bson::{Document, doc};
use mongodb::{Collection, Database};

use same::Same;
use tokio::sync::watch;

pub use connect::ConnectError;
pub use failure::Failure;
pub(crate) use failure::{is_duplicate, not_inserted};
pub use uri::MongoUri;

/// A database that is ours to use, found usable. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Mongo {
    database: Database,
    same: Same,
}

/// Operations that make a collection which is not there yet.
const CREATES: &[&str] = &["insert", "update"];

/// How long whoever looks whether the database is there waits to be told.
const PROBE: Duration = Duration::from_millis(1500);

impl Mongo {
    pub(crate) fn collection<T: Send + Sync>(&self, name: &str) -> Collection<T> {
        self.database.collection(name)
    }

    /// Runs one operation; `name` is its label in the metrics.
    pub(crate) async fn measured<T>(
        &self,
        name: &'static str,
        operation: impl IntoFuture<Output = mongodb::error::Result<T>>,
    ) -> Result<T, Failure> {
        self.attempt(name, operation).await?.map_err(Failure::from)
    }

    /// The same, where the driver's own error matters.
    pub(crate) async fn attempt<T>(
        &self,
        name: &'static str,
        operation: impl IntoFuture<Output = mongodb::error::Result<T>>,
    ) -> Result<mongodb::error::Result<T>, Failure> {
        self.same.check().await?;
        let ended = measure::raw(name, operation).await?;
        // The driver may have tried it again, over a connection that it has just made.
        let same = self.same.check().await;
        if matches!(same, Err(Failure::Replaced)) && ended.is_ok() && CREATES.contains(&name) {
            // The next start must not take what was written there for another program's.
            schema::mark(self).await?;
        }
        same.map(|()| ended)
    }

    /// What was looked for, if it is there. That it is not is believed of the right database alone: of one that was emptied
    /// where it is, nothing else tells, and whoever is told that a project is gone does not ask again.
    pub(crate) async fn certain<T>(&self, found: Option<T>) -> Result<Option<T>, Failure> {
        if found.is_none() {
            self.same.doubt();
            self.same.check().await?;
        }
        Ok(found)
    }

    /// Changes each time this database is found to be there again after another was in its place.
    pub(crate) fn returns(&self) -> watch::Receiver<u64> {
        self.same.returns()
    }

    /// Asks the database whether it is there and can be written.
    pub(crate) async fn ping(&self) -> Result<(), Failure> {
        self.same.doubt();
        let ping = self.database.run_command(doc! { "ping": 1 });
        match tokio::time::timeout(PROBE, self.measured("ping", ping)).await {
            Ok(answer) => answer.map(drop),
            Err(_) => Err(Failure::Unavailable(
                "it has not answered in time".to_owned(),
            )),
        }
    }

    /// The database itself, for tests that look and damage.
    #[cfg(any(test, feature = "test-support"))]
    pub fn raw(&self) -> &Database {
        &self.database
    }
}

/// What all of one project's rooms are called, as a condition on a field: every `PROJECT/…`.
pub(crate) fn rooms_of(project: &tutti_protocol::ids::ProjectId) -> Document {
    // No id holds a slash, and `0` follows it.
    doc! { "$gte": format!("{project}/"), "$lt": format!("{project}0") }
}
