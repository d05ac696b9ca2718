//! Signs in the database, one record a node.

use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use mongodb::Collection;
use mongodb::bson::doc;
use serde::{Deserialize, Serialize};

use super::NodeId;
use super::signs::{Sign, Signs};
use crate::mongo::{Failure, Mongo, measured, schema};

/// Leaves signs in a database.
pub struct MongoSigns {
    signs: Collection<Record>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    /// The node's id, of which the database knows only the signed kind.
    #[serde(rename = "_id")]
    node: i64,
    count: i64,
}

impl MongoSigns {
    /// In this database.
    pub fn new(mongo: &Mongo) -> Self {
        Self {
            signs: mongo.collection(schema::SIGNS),
        }
    }
}

fn words(failure: Failure) -> String {
    failure.to_string()
}

impl Signs for MongoSigns {
    fn leave(&self, node: NodeId) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let own = doc! { "_id": node.0.cast_signed() };
            let more = doc! { "$inc": { "count": 1_i64 } };
            let update = self.signs.update_one(own, more).upsert(true);
            measured("update", update).await.map(drop).map_err(words)
        })
    }

    fn take(&self, node: NodeId) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let own = doc! { "_id": node.0.cast_signed() };
            let delete = self.signs.delete_one(own);
            measured("delete", delete).await.map(drop).map_err(words)
        })
    }

    fn all(&self) -> BoxFuture<'_, Result<Vec<Sign>, String>> {
        Box::pin(async {
            let all = async { self.signs.find(doc! {}).await?.try_collect().await };
            let all: Vec<Record> = measured("find", all).await.map_err(words)?;
            let sign = |record: Record| Sign {
                node: NodeId(record.node.cast_unsigned()),
                count: record.count,
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
        for node in [one, other, one] {
            signs.leave(node).await.unwrap();
        }
        let mut all = signs.all().await.unwrap();
        all.sort_by_key(|sign| sign.node);
        let sign = |node, count| Sign { node, count };
        assert_eq!(all, [sign(other, 1), sign(one, 2)]);
        signs.take(one).await.unwrap();
        signs.take(one).await.unwrap();
        assert_eq!(signs.all().await.unwrap(), [sign(other, 1)]);
    }
}
