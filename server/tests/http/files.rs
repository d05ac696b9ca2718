//! Files as REST shows them, written the way every client writes: over a socket.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tutti_protocol::codec::Reader;
use tutti_protocol::index::{self, CONTENT, Eol, FileEntry, Roots};
use tutti_protocol::sync::SyncMessage;
use tutti_protocol::yws::Message;
use yrs::{ReadTxn, StateVector, Text, Transact};

use crate::support::{Server, Shared, token_of};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const PATIENCE: Duration = Duration::from_secs(20);

async fn connect(server: &Server, project: &Shared, document: &str, token: &str) -> Socket {
    let base = server.base.replace("http://", "ws://");
    let url = format!("{base}/ws/{}/{document}?token={token}", project.id);
    tokio_tungstenite::connect_async(url).await.unwrap().0
}

/// Writes to a document and waits until the server says that it is durable.
pub(crate) async fn write(server: &Server, project: &Shared, document: &str, update: &[u8]) {
    let mut socket = connect(server, project, document, &project.editor).await;
    let message = Message::Sync(SyncMessage::Update(update)).encode();
    socket.send(Frame::Binary(message.into())).await.unwrap();
    loop {
        let frame = tokio::time::timeout(PATIENCE, socket.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        let Frame::Binary(bytes) = frame else {
            continue;
        };
        if let Ok(Message::Sync(SyncMessage::Update(echo))) =
            Message::read(&mut Reader::new(&bytes))
            && echo == update
        {
            return socket.close(None).await.unwrap();
        }
    }
}

/// The code with which the server closes a socket.
async fn close_code(socket: &mut Socket) -> u16 {
    loop {
        match tokio::time::timeout(PATIENCE, socket.next()).await.unwrap() {
            Some(Ok(Frame::Close(Some(close)))) => return close.code.into(),
            Some(Ok(_)) => {}
            other => panic!("ended without a close frame: {other:?}"),
        }
    }
}

pub(crate) fn text_update(text: &str) -> Vec<u8> {
    let doc = index::new_doc(1);
    let content = doc.get_or_insert_text(CONTENT);
    content.insert(&mut doc.transact_mut(), 0, text);
    doc.transact()
        .encode_state_as_update_v1(&StateVector::default())
}

pub(crate) fn index_update(files: &[(&str, &str)]) -> Vec<u8> {
    index_update_by(2, files)
}

/// The same, by somebody else.
pub(crate) fn index_update_by(client: u64, files: &[(&str, &str)]) -> Vec<u8> {
    let doc = index::new_doc(client);
    let roots = Roots::of(&doc);
    for (id, path) in files {
        let entry = FileEntry {
            path: (*path).to_owned(),
            eol: Eol::Lf,
            executable: false,
            created_at: 1_790_000_000_000,
            created_by: "Ada".to_owned(),
            blob: None,
        };
        index::insert(
            &mut doc.transact_mut(),
            &roots,
            &id.parse().unwrap(),
            &entry,
        );
    }
    doc.transact()
        .encode_state_as_update_v1(&StateVector::default())
}

#[test]
fn listed_and_read() {
    let server = Server::start();
    let project = server.project("x");
    assert_eq!(
        server.get(&project.path("/files"), &project.viewer).json(),
        json!([])
    );
    let text = "fn main() {}\n// ♫ naïve 𝄞\n";
    let files = [
        ("b1", "src/main.rs"),
        ("a1", "z.txt"),
        ("c1", "src/main.rs"),
        ("d1", "../evil"),
    ];
    server.runtime.block_on(async {
        write(&server, &project, "index", &index_update(&files)).await;
        write(&server, &project, "b1", &text_update(text)).await;
        write(&server, &project, "unlisted", &text_update("hidden")).await;
    });

    let listed = server.get(&project.path("/files"), &project.viewer).json();
    let shown: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            (
                file["id"].as_str().unwrap(),
                file["path"].as_str().unwrap(),
                file["bytes"].as_u64().unwrap() > 0,
            )
        })
        .collect();
    // In the order of the paths; what no client would write to disk is left out.
    assert_eq!(
        shown,
        [
            ("c1", "src/main (c1).rs", false),
            ("b1", "src/main.rs", true),
            ("a1", "z.txt", false)
        ]
    );

    let read = |id: &str| server.get(&project.path(&format!("/files/{id}/text")), &project.viewer);
    let reply = read("b1");
    assert_eq!((reply.status, reply.body.as_str()), (200, text));
    assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(read("a1").body, "", "created, and never written to");
    assert_eq!(read("a1").status, 200);
    assert_eq!(read("unlisted").body, "hidden");
    for nothing in ["nothing", "index", "%2e%2e", "a%2fb", &"x".repeat(65)] {
        read(nothing).problem(404);
    }

    let server = server.restart();
    let again = server.get(&project.path("/files/b1/text"), &project.viewer);
    assert_eq!(again.body, text);
}

#[test]
fn a_project_is_deleted_with_everyone_in_it() {
    let server = Server::start();
    let project = server.project("x");
    let other = server.project("y");
    server.runtime.block_on(async {
        write(&server, &project, "a1", &text_update("gone")).await;
        write(&server, &other, "a1", &text_update("kept")).await;
    });
    let mut socket = server
        .runtime
        .block_on(connect(&server, &project, "a1", &project.editor));
    assert_eq!(server.delete(&project.path(""), &server.admin).status, 204);
    let code = server.runtime.block_on(close_code(&mut socket));
    assert!((4400..4500).contains(&code), "{code}");
    server
        .get(&project.path("/files/a1/text"), &project.editor)
        .problem(401);
    server
        .get(&project.path("/files/a1/text"), &server.admin)
        .problem(404);
    assert_eq!(
        server
            .get(&other.path("/files/a1/text"), &other.viewer)
            .body,
        "kept"
    );
}

#[test]
fn a_withdrawn_link_turns_out_those_who_used_it() {
    let server = Server::start();
    let project = server.project("x");
    let limited = json!({ "role": "viewer", "max_uses": 1 });
    let created = server
        .post(&project.path("/links"), &server.admin, limited)
        .json();
    let joined = server
        .post(
            &project.path("/join"),
            &token_of(&created["link"]),
            json!({}),
        )
        .json();
    let pass = joined["token"].as_str().unwrap().to_owned();
    server.runtime.block_on(async {
        let mut by_limited_link =
            connect(&server, &project, "a1", &token_of(&created["link"])).await;
        assert_eq!(
            close_code(&mut by_limited_link).await,
            tutti_protocol::close::FORBIDDEN
        );
    });
    let (mut by_pass, mut by_editor) = server.runtime.block_on(async {
        write(&server, &project, "a1", &text_update("x")).await;
        (
            connect(&server, &project, "a1", &pass).await,
            connect(&server, &project, "a1", &project.editor).await,
        )
    });
    let path = project.path(&format!("/links/{}", created["id"].as_str().unwrap()));
    assert_eq!(server.delete(&path, &server.admin).status, 204);
    server.runtime.block_on(async {
        let code = close_code(&mut by_pass).await;
        assert!((4400..4500).contains(&code), "{code}");
        // Nobody else notices.
        let step1 = Message::Sync(SyncMessage::Step1(&[0])).encode();
        by_editor.send(Frame::Binary(step1.into())).await.unwrap();
        loop {
            let frame = tokio::time::timeout(PATIENCE, by_editor.next())
                .await
                .unwrap()
                .unwrap()
                .unwrap();
            let Frame::Binary(bytes) = frame else {
                continue;
            };
            if let Ok(Message::Sync(SyncMessage::Step2(_))) =
                Message::read(&mut Reader::new(&bytes))
            {
                break;
            }
        }
    });
}

#[test]
fn an_expired_link_turns_out_those_who_used_it() {
    let server = Server::start();
    let project = server.project("x");
    let brief = json!({ "role": "viewer", "expires_in_s": 2 });
    let created = server
        .post(&project.path("/links"), &server.admin, brief)
        .json();
    server.runtime.block_on(async {
        let mut socket = connect(&server, &project, "a1", &token_of(&created["link"])).await;
        let code = close_code(&mut socket).await;
        assert!((4400..4500).contains(&code), "{code}");
    });
}

#[test]
fn sockets_are_refused_in_words_of_their_own() {
    let server = Server::start();
    let project = server.project("x");
    let other = server.project("y");
    server.runtime.block_on(async {
        for (token, code) in [
            ("", tutti_protocol::close::UNAUTHORIZED),
            ("wrong", tutti_protocol::close::UNAUTHORIZED),
            (&other.editor, tutti_protocol::close::FORBIDDEN),
        ] {
            let mut socket = connect(&server, &project, "a1", token).await;
            assert_eq!(close_code(&mut socket).await, code, "{token:?}");
        }
        let nowhere = Shared {
            id: "nowhere".to_owned(),
            ..project
        };
        let mut socket = connect(&server, &nowhere, "a1", &server.admin).await;
        assert_eq!(
            close_code(&mut socket).await,
            tutti_protocol::close::NOT_FOUND
        );
    });
}
