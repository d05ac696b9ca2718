//! Signs in the database, one record a node.

use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use mongodb::Collection;
use mongodb::bson::doc;
use serde::{Deserialize, Serialize};

use super::NodeId;
use super::signs::{Hears, Sign, Signs};
use crate::mongo::{Failure, Mongo, schema};

/// Leaves signs in a database.
pub struct MongoSigns {
    mongo: Mongo,
    signs: Collection<Record>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    /// The node's id, of which the database knows only the signed kind.
    #[serde(rename = "_id")]
    node: i64,
    count: i64,
    #[serde(default)]
    hears: Carrier,
}

/// By what the node hears others, as it is written.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Carrier {
    Redis,
    /// Also where nothing is said: signs were once left only by who is cut off.
    #[default]
    Nobody,
    Store,
}

impl Carrier {
    fn name(hears: Hears) -> &'static str {
        match hears {
            Hears::Redis => "redis",
            Hears::Nobody => "nobody",
            Hears::Store => "store",
        }
    }
}

impl From<Carrier> for Hears {
    fn from(carrier: Carrier) -> Self {
        match carrier {
            Carrier::Redis => Self::Redis,
            Carrier::Nobody => Self::Nobody,
            Carrier::Store => Self::Store,
        }
    }
}

impl MongoSigns {
    /// In this database.
    pub fn new(mongo: &Mongo) -> Self {
        Self {
            mongo: mongo.clone(),
            signs: mongo.collection(schema::SIGNS),
        }
    }
}

fn words(failure: Failure) -> String {
    failure.to_string()
}

impl Signs for MongoSigns {
    fn leave(&self, node: NodeId, hears: Hears) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let own = doc! { "_id": node.0.cast_signed() };
            let said = doc! { "hears": Carrier::name(hears) };
            let more = doc! { "$inc": { "count": 1_i64 }, "$set": said };
            let update = self.signs.update_one(own, more).upsert(true);
            self.mongo
                .measured("update", update)
                .await
                .map(drop)
                .map_err(words)
        })
    }

    fn take(&self, node: NodeId) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let own = doc! { "_id": node.0.cast_signed() };
            let delete = self.signs.delete_one(own);
            self.mongo
                .measured("delete", delete)
                .await
                .map(drop)
                .map_err(words)
        })
    }

    fn all(&self) -> BoxFuture<'_, Result<Vec<Sign>, String>> {
        Box::pin(async {
            let all = async { self.signs.find(doc! {}).await?.try_collect().await };
            let all: Vec<Record> = self.mongo.measured("find", all).await.map_err(words)?;
            let sign = |record: Record| Sign {
                node: NodeId(record.node.cast_unsigned()),
                count: record.count,
                hears: record.hears.into(),
            };
            Ok(all.into_iter().map(sign).collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mongo::test_server::TestServer;

    #[tokio::test]
    async fn a_sign_is_left_counted_and_taken() {
        let server = TestServer::start();
        let signs = MongoSigns::new(&Mongo::connect(&server.uri()).await.unwrap());
        let (one, other) = (NodeId(u64::MAX), NodeId(7));
        for (node, hears) in [
            (one, Hears::Nobody),
            (other, Hears::Store),
            (one, Hears::Redis),
        ] {
            signs.leave(node, hears).await.unwrap();
        }
        let mut all = signs.all().await.unwrap();
        all.sort_by_key(|sign| sign.node);
        let sign = |node, count, hears| Sign { node, count, hears };
        assert_eq!(
            all,
            [sign(other, 1, Hears::Store), sign(one, 2, Hears::Redis)]
        );
        signs.take(one).await.unwrap();
        signs.take(one).await.unwrap();
        assert_eq!(signs.all().await.unwrap(), [sign(other, 1, Hears::Store)]);
    }
}
