use std::sync::{Arc, Mutex};

use mongodb::bson::Document;
use mongodb::event::command::CommandEvent;

use super::*;
use crate::auth::directory::conformance;
use crate::auth::token::Token;
use crate::mongo::test_server::TestServer;

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    let server = TestServer::start();
    let uri = server.uri();
    conformance::run(async || {
        let mongo = Mongo::connect(&uri).await.unwrap();
        Box::new(MongoDirectory::new(mongo)) as Box<dyn Directory>
    })
    .await;
}

#[tokio::test]
async fn every_change_is_asked_for_on_a_majority_and_in_the_journal() {
    let server = TestServer::start();
    let sent: Arc<Mutex<Vec<Document>>> = Arc::default();
    let watch = {
        let sent = sent.clone();
        move |event| {
            if let CommandEvent::Started(started) = event {
                sent.lock().unwrap().push(started.command);
            }
        }
    };
    let mongo = Mongo::connect_watched(&server.uri(), Some(Arc::new(watch)))
        .await
        .unwrap();
    let directory = MongoDirectory::new(mongo);
    let (project, mut link, token) = conformance::project_with_link("p");
    link.max_uses = Some(1);
    directory
        .create_project(project.clone(), vec![(link.clone(), token.hash())])
        .await
        .unwrap();
    let pass = Token::generate().unwrap();
    assert!(
        directory
            .add_pass(&link.id, pass.id(), pass.hash())
            .await
            .unwrap()
    );
    assert!(directory.credential(pass.id()).await.unwrap().is_some());
    directory.delete_link(&project.id, &link.id).await.unwrap();
    directory.delete_project(&project.id).await.unwrap();
    let mut writes = 0;
    for command in sent.lock().unwrap().iter() {
        let name = command.keys().next().unwrap();
        let (concern, level, value) = match name.as_str() {
            "insert" | "update" | "delete" | "findAndModify" => ("writeConcern", "w", "majority"),
            "find" => ("readConcern", "level", "majority"),
            _ => continue,
        };
        writes += usize::from(concern == "writeConcern");
        let concern = command.get_document(concern).unwrap();
        assert_eq!(concern.get_str(level).unwrap(), value, "{command}");
        assert!(level != "w" || concern.get_bool("j").unwrap(), "{command}");
    }
    assert!(writes >= 5, "{writes}");
}

#[tokio::test]
async fn a_database_that_is_away_is_an_error_and_never_an_empty_directory() {
    let mut server = TestServer::start();
    let mongo = Mongo::connect(&server.uri()).await.unwrap();
    let directory = MongoDirectory::new(mongo);
    let (project, link, token) = conformance::project_with_link("p");
    directory
        .create_project(project.clone(), vec![(link.clone(), token.hash())])
        .await
        .unwrap();
    server.kill();
    assert!(directory.ping().await.is_err());
    assert!(directory.projects().await.is_err());
    let error = directory.credential(token.id()).await.unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
    server.restart();
    assert_eq!(directory.projects().await.unwrap(), [project]);
    assert!(directory.credential(token.id()).await.unwrap().is_some());
}
