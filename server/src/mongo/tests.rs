//! What an operator reads where the database is not as it should be, and what counts as a failure.

use std::io::Write;
use std::net::TcpListener;

use metrics_exporter_prometheus::PrometheusBuilder;
use mongodb::bson::{Document, doc};

use super::measure::{measured, raw};
use super::test_server::TestServer;
use super::{Mongo, MongoUri};

/// Words of the driver that nobody outside it knows.
const ITS_OWN: &[&str] = &[
    "Kind:",
    "An error occurred",
    "argument",
    "Topology",
    "labels",
    "source:",
    "Error {",
    "os error",
    "Some(",
    "Query",
    "secret",
];

async fn refusal(uri: &str) -> String {
    let uri: MongoUri = uri.parse().unwrap();
    Mongo::connect(&uri).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_uri_that_leads_nowhere_is_told_of_in_ones_own_words() {
    let server = TestServer::start();
    let here = server.port();
    // Takes callers in and hangs up, as a proxy does that has nothing behind it.
    let hangs_up = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = hangs_up.local_addr().unwrap().port();
    std::thread::spawn(move || hangs_up.incoming().for_each(drop));
    // Answers, and not as a database.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let web = other.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for caller in other.incoming() {
            let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
            caller
                .and_then(|mut caller| caller.write_all(answer))
                .unwrap();
        }
    });
    let still = TestServer::start();
    still.hold(true);
    let silent = still.port();
    let cases = [
        (
            "mongodb://u:secret@127.0.0.1:1/".to_owned(),
            "nothing listens",
        ),
        (
            "mongodb://u:secret@no-such-host.invalid/".to_owned(),
            "host name is not known",
        ),
        (format!("mongodb://127.0.0.1:{there}/"), "breaks off"),
        (
            format!("mongodb://127.0.0.1:{web}/"),
            "does not answer as a MongoDB",
        ),
        (
            format!("mongodb://127.0.0.1:{silent}/"),
            ": it does not answer; start the database",
        ),
        (
            format!("mongodb://127.0.0.1:{here}/?tls=true"),
            "it does not answer, as a server without TLS may do where the URI has tls=true",
        ),
        (
            format!("mongodb://127.0.0.1:{here}/?replicaSet=other"),
            "another name than replicaSet",
        ),
        (
            "mongodb://h/?tls=true&tlsCAFile=/no/such/file".to_owned(),
            "/no/such/file",
        ),
        (
            "mongodb://a,b/?directConnection=true".to_owned(),
            "directConnection",
        ),
        (
            "mongodb+srv://no-such-host.invalid/".to_owned(),
            "host name is not known",
        ),
    ];
    for (uri, said) in cases {
        let sep = if uri.contains('?') { '&' } else { '?' };
        let error = refusal(&format!("{uri}{sep}serverSelectionTimeoutMS=400")).await;
        assert!(error.contains(said), "{uri}: {error}");
        assert!(error.contains("correct --mongodb"), "{uri}: {error}");
        for word in ITS_OWN {
            assert!(!error.contains(word), "{uri}: {error}");
        }
    }
}

/// The rendered figures after `act`, of which this test alone knows.
async fn figures(act: impl AsyncFnOnce()) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    let local = metrics::set_default_local_recorder(&recorder);
    act().await;
    drop(local);
    recorder.handle().render()
}

#[tokio::test]
async fn what_is_there_already_is_no_failure_of_the_database() {
    let mut server = TestServer::start();
    let mongo = Mongo::connect(&server.uri()).await.unwrap();
    let records = mongo.collection::<Document>("records");
    let one = || doc! { "_id": "one" };
    let failed = "tutti_mongodb_failures_total";
    let raced = figures(async || {
        measured("insert", records.insert_one(one())).await.unwrap();
        assert!(measured("insert", records.insert_one(one())).await.is_err());
        let both = [one(), doc! { "_id": "two" }];
        let many = records.insert_many(both).ordered(false);
        assert!(raw("insert", many).await.unwrap().is_err());
    });
    let raced = raced.await;
    assert!(raced.contains("tutti_mongodb_operations_total"), "{raced}");
    assert!(!raced.contains(failed), "{raced}");
    server.kill();
    let down = figures(async || {
        assert!(measured("insert", records.insert_one(one())).await.is_err());
    });
    let down = down.await;
    assert!(
        down.contains(&format!("{failed}{{operation=\"insert\"}} 1")),
        "{down}"
    );
}
