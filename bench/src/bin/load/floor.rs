//! What the database alone takes for the least that can be saved, beside everything else.

use std::time::{Duration, Instant};

use anyhow::Result;
use mongodb::bson::{Document, doc};
use tokio::task::JoinHandle;
use tutti_server::mongo::{Mongo, MongoUri};

use super::clients::Spread;

/// From one insertion to the next.
const PACE: Duration = Duration::from_millis(50);

/// Inserts one small record after the other, each as durably as an edit.
pub(crate) struct Floor(JoinHandle<Result<Vec<u64>>>);

impl Floor {
    pub(crate) async fn measure(uri: &MongoUri, seconds: u64) -> Result<Self> {
        let mongo = Mongo::connect(uri).await?;
        let records = mongo.raw().collection::<Document>("floor");
        Ok(Self(tokio::spawn(async move {
            let end = Instant::now() + Duration::from_secs(seconds);
            let mut ticks = tokio::time::interval(PACE);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut micros = Vec::new();
            while Instant::now() < end {
                ticks.tick().await;
                let start = Instant::now();
                records.insert_one(doc! { "update": "0123456789" }).await?;
                micros.push(start.elapsed().as_micros() as u64);
            }
            Ok(micros)
        })))
    }

    pub(crate) async fn ended(self) -> Result<Spread> {
        Ok(Spread::new(self.0.await??))
    }
}
