//! Versions as REST has them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::files::{index_update, index_update_by, text_update, write};
use crate::support::{Reply, Server, Shared};

const PATIENCE: Duration = Duration::from_secs(30);

const MAIN: &str = "fn main() {}\n// ♫ 𝄞\n";

/// A project with three files, and a version of it.
fn set_up() -> (Server, Shared) {
    let server = Server::start();
    let project = server.project("x");
    let files = [("a", "src/main.rs"), ("b", "notes.md"), ("e", "empty")];
    server.runtime.block_on(async {
        write(&server, &project, "index", &index_update(&files)).await;
        write(&server, &project, "a", &text_update(MAIN)).await;
        write(&server, &project, "b", &text_update("one\ntwo\nthree\n")).await;
    });
    let made = server.post(
        &project.path("/versions"),
        &project.editor,
        json!({ "name": " before the rewrite " }),
    );
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json();
    assert_eq!(made["version"], 1);
    assert_eq!(made["name"], "before the rewrite");
    assert_eq!(made["reason"], "named");
    assert_eq!(made["files"], 3);
    (server, project)
}

fn get(server: &Server, project: &Shared, path: &str) -> Value {
    let reply = server.get(&project.path(path), &project.viewer);
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

/// Somebody who has not seen a text adds words to it, which come behind it.
fn type_into(server: &Server, project: &Shared, document: &str, words: &str) {
    let update = {
        use yrs::{ReadTxn, StateVector, Text, Transact};
        let doc = tutti_protocol::index::new_doc(77);
        let content = doc.get_or_insert_text("content");
        content.insert(&mut doc.transact_mut(), 0, words);
        doc.transact()
            .encode_state_as_update_v1(&StateVector::default())
    };
    let writing = write(server, project, document, &update);
    server.runtime.block_on(writing);
}

fn text(server: &Server, project: &Shared, document: &str) -> String {
    let path = project.path(&format!("/files/{document}/text"));
    server.get(&path, &project.viewer).body
}

fn restore(server: &Server, project: &Shared, version: u64, body: Value) -> Reply {
    let path = project.path(&format!("/versions/{version}/restore"));
    server.post(&path, &project.editor, body)
}

#[test]
fn listed_shown_and_read() {
    let (server, project) = set_up();
    for name in ["second", "third"] {
        let path = project.path("/versions");
        let made = server.post(&path, &server.admin, json!({ "name": name }));
        assert_eq!(made.status, 201);
    }
    let numbers = |query: &str| -> Vec<u64> {
        let listed = get(&server, &project, &format!("/versions{query}"));
        let listed = listed.as_array().unwrap().iter();
        listed.map(|one| one["version"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(""), [3, 2, 1]);
    assert_eq!(numbers("?limit=2"), [3, 2]);
    assert_eq!(numbers("?before=3&limit=1"), [2]);
    assert_eq!(numbers("?before=1"), [0u64; 0]);

    let shown = get(&server, &project, "/versions/1");
    assert_eq!(shown["version"]["people"], json!([]));
    let files = shown["files"].as_array().unwrap();
    let files: Vec<_> = files
        .iter()
        .map(|file| {
            let (id, path) = (file["id"].as_str().unwrap(), file["path"].as_str().unwrap());
            (id, path, file["bytes"].as_u64().unwrap())
        })
        .collect();
    let expected = [
        ("e", "empty", 0),
        ("b", "notes.md", 14),
        ("a", "src/main.rs", MAIN.len() as u64),
    ];
    assert_eq!(files, expected);
    type_into(&server, &project, "a", "later");
    let path = project.path("/versions/1/files/a/text");
    let reply = server.get(&path, &project.viewer);
    assert_eq!((reply.status, reply.body.as_str()), (200, MAIN));
    assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
}

#[test]
fn compared_with_now_and_with_another() {
    let (server, project) = set_up();
    assert_eq!(get(&server, &project, "/versions/1/diff"), json!([]));
    type_into(&server, &project, "b", "zero\n");
    let index = index_update_by(3, &[("n", "new")]);
    server
        .runtime
        .block_on(write(&server, &project, "index", &index));
    let now = get(&server, &project, "/versions/1/diff?against=now");
    let changed: Vec<_> = now
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            (
                file["path"].as_str().unwrap(),
                file["change"].as_str().unwrap(),
            )
        })
        .collect();
    assert!(changed.contains(&("new", "added")), "{now}");
    assert!(changed.contains(&("notes.md", "changed")), "{now}");
    let notes = now.as_array().unwrap().iter();
    let notes = notes
        .clone()
        .find(|file| file["path"] == "notes.md")
        .unwrap();
    assert_eq!(
        notes["diff"],
        "--- a/notes.md\n+++ b/notes.md\n@@ -1,3 +1,4 @@\n one\n two\n three\n+zero\n"
    );
    let path = project.path("/versions");
    server.post(&path, &project.editor, json!({ "name": "second" }));
    let between = get(&server, &project, "/versions/1/diff?against=2");
    assert_eq!(between, now);
    let back = get(&server, &project, "/versions/2/diff?against=1");
    assert!(back.to_string().contains("-zero"), "{back}");
}

#[test]
fn what_is_too_much_to_be_shown_is_said_in_words() {
    let (server, project) = set_up();
    let many: String = (0..60_000).map(|n| format!("{n}\n")).collect();
    type_into(&server, &project, "b", &many);
    let now = get(&server, &project, "/versions/1/diff");
    assert_eq!(now[0]["path"], "notes.md");
    assert!(now[0]["diff"].is_null());
    assert!(now[0]["left_out"].as_str().unwrap().starts_with("cut"));
}

#[test]
fn a_restore_brings_all_back_and_can_be_taken_back() {
    let (server, project) = set_up();
    type_into(&server, &project, "a", "// mine\n");
    type_into(&server, &project, "b", "zero\n");
    let one = restore(&server, &project, 1, json!({ "path": "src" }));
    assert_eq!(one.status, 200, "{}", one.body);
    let one = one.json();
    let expected = json!({ "before": 2, "changed": 1, "returned": 0, "deleted": 0 });
    assert_eq!(one, expected);
    assert_eq!(text(&server, &project, "a"), MAIN);
    assert_eq!(text(&server, &project, "b"), "one\ntwo\nthree\nzero\n");
    let before = get(&server, &project, "/versions/2");
    assert_eq!(before["version"]["reason"], "before_restore");

    let all = restore(&server, &project, 1, json!({})).json();
    assert_eq!((&all["before"], &all["changed"]), (&json!(3), &json!(1)));
    assert_eq!(text(&server, &project, "b"), "one\ntwo\nthree\n");
    assert_eq!(get(&server, &project, "/versions/1/diff"), json!([]));
    // Nothing differs: nothing is done, and what is there is a version already.
    let path = project.path("/versions");
    server.post(&path, &project.editor, json!({ "name": "as it was" }));
    let again = restore(&server, &project, 1, json!({})).json();
    assert_eq!(
        again,
        json!({ "before": 4, "changed": 0, "returned": 0, "deleted": 0 })
    );

    let back = restore(&server, &project, 2, json!({})).json();
    assert_eq!(back["changed"], 2);
    assert_eq!(text(&server, &project, "a"), format!("{MAIN}// mine\n"));
    assert_eq!(text(&server, &project, "b"), "one\ntwo\nthree\nzero\n");
}

/// The edits of both are made of one text.
#[test]
fn two_restores_at_once_write_once() {
    let (server, project) = set_up();
    type_into(&server, &project, "a", "// mine\n");
    let path = project.path("/versions");
    server.post(&path, &project.editor, json!({ "name": "now" }));
    for version in [1, 2, 1] {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let reply = restore(&server, &project, version, json!({}));
                    assert_eq!(reply.status, 200, "{}", reply.body);
                });
            }
        });
        let mine = if version == 2 { "// mine\n" } else { "" };
        assert_eq!(text(&server, &project, "a"), format!("{MAIN}{mine}"));
        assert_eq!(text(&server, &project, "b"), "one\ntwo\nthree\n");
    }
}

#[test]
fn many_may_be_asked_for_at_once() {
    let (server, project) = set_up();
    let path = project.path("/versions");
    std::thread::scope(|scope| {
        for number in 0..24 {
            let (server, project, path) = (&server, &project, &path);
            scope.spawn(move || {
                let name = json!({ "name": format!("name {number}") });
                let reply = server.post(path, &project.editor, name);
                assert_eq!(reply.status, 201, "{}", reply.body);
            });
        }
    });
    until_there_are(&server, &project, 25);
}

#[test]
fn what_was_typed_in_a_file_that_was_gone_comes_back_with_it() {
    let (server, project) = set_up();
    let index = index_update_by(5, &[("n", "new.txt")]);
    server.runtime.block_on(async {
        write(&server, &project, "index", &index).await;
        write(&server, &project, "n", &text_update("new\n")).await;
    });
    let gone = restore(&server, &project, 1, json!({})).json();
    assert_eq!(gone["deleted"], 1, "{gone}");
    type_into(&server, &project, "n", "typed on\n");
    let back = restore(&server, &project, 2, json!({})).json();
    assert_eq!(back["returned"], 1, "{back}");
    assert_eq!(text(&server, &project, "n"), "new\ntyped on\n");
}

/// The versions, once there are so many of them.
fn until_there_are(server: &Server, project: &Shared, count: usize) -> Vec<Value> {
    let started = Instant::now();
    loop {
        let all = get(server, project, "/versions");
        let all = all.as_array().unwrap();
        if all.len() >= count {
            return all.clone();
        }
        assert!(started.elapsed() < PATIENCE, "there are {}", all.len());
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn a_project_that_falls_quiet_gets_a_version() {
    let server = Server::with(|settings| settings.version_quiet_s = 1);
    let project = server.project("x");
    let index = index_update(&[("a", "a.txt")]);
    let writing = write(&server, &project, "index", &index);
    server.runtime.block_on(writing);
    type_into(&server, &project, "a", "one");
    let first = until_there_are(&server, &project, 1);
    assert_eq!(first[0]["reason"], "quiet");
    // What changes nothing makes none.
    let by_name = project.path("/versions");
    server.post(&by_name, &project.editor, json!({ "name": "mine" }));
    let update = text_update("two");
    let writing = write(&server, &project, "a", &update);
    server.runtime.block_on(writing);
    let all = until_there_are(&server, &project, 3);
    let reasons: Vec<_> = all
        .iter()
        .map(|one| one["reason"].as_str().unwrap())
        .collect();
    assert_eq!(reasons, ["quiet", "named", "quiet"]);
    let text = server.get(&project.path("/versions/3/files/a/text"), &project.viewer);
    assert_eq!(text.body, "twoone");
}

/// A document that cannot be read is no empty file.
#[test]
fn a_damaged_document_keeps_a_version_from_being_made() {
    let (mut server, project) = set_up();
    server.stop();
    let database = server.dir.path().join("data/documents.db");
    let database = rusqlite::Connection::open(database).unwrap();
    let damage = "UPDATE updates SET bytes = x'00' WHERE doc =
                  (SELECT doc FROM documents WHERE document = 'b')";
    let entries = database.execute(damage, []).unwrap();
    let snapshots = "UPDATE snapshots SET checksum = checksum + 1 WHERE doc =
                     (SELECT doc FROM documents WHERE document = 'b')";
    let snapshots = database.execute(snapshots, []).unwrap();
    assert!(entries + snapshots > 0);
    drop(database);
    let server = server.restart();
    let path = project.path("/versions");
    let refused = server.post(&path, &project.editor, json!({ "name": "second" }));
    assert_eq!(refused.status, 500, "{}", refused.body);
    assert_eq!(refused.json()["type"], "urn:tutti:damaged");
    let refused = restore(&server, &project, 1, json!({ "path": "src" }));
    assert_eq!(refused.status, 500, "{}", refused.body);
    assert_eq!(
        get(&server, &project, "/versions")
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn versions_outlive_a_restart_and_go_with_their_project() {
    let (server, project) = set_up();
    type_into(&server, &project, "b", "zero\n");
    let server = server.restart();
    assert_eq!(
        get(&server, &project, "/versions")
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(restore(&server, &project, 1, json!({})).status, 200);
    assert_eq!(text(&server, &project, "b"), "one\ntwo\nthree\n");
    server.delete(&project.path(""), &server.admin);
    server
        .get(&project.path("/versions"), &server.admin)
        .problem(404);
}

#[test]
fn what_makes_no_sense_is_refused_in_a_sentence() {
    let (server, project) = set_up();
    for name in ["", "  ", "a\nb", &"x".repeat(201)] {
        let path = project.path("/versions");
        let reply = server.post(&path, &project.editor, json!({ "name": name }));
        assert!(reply.problem(400).contains("1 to 200"), "{name:?}");
    }
    for query in ["limit=0", "limit=201", "limit=x", "before=-1", "befor=1"] {
        let path = project.path(&format!("/versions?{query}"));
        let said = server.get(&path, &project.viewer).problem(400);
        assert!(said.contains("limit is 1 to 200"), "{query}");
    }
    for number in ["0", "2", "x", "-1", "01", "+1", "99999999999", "4294967295"] {
        for rest in ["", "/diff", "/files/a/text"] {
            let path = project.path(&format!("/versions/{number}{rest}"));
            let said = server.get(&path, &project.viewer).problem(404);
            assert!(said.contains("no such version"), "{path}: {said}");
        }
    }
    let path = project.path("/versions/1/diff?against=7");
    server.get(&path, &project.viewer).problem(404);
    for query in ["against=1&against=1", "agianst=1"] {
        let path = project.path(&format!("/versions/1/diff?{query}"));
        let said = server.get(&path, &project.viewer).problem(400);
        assert!(said.contains("compared against one thing"), "{query}");
    }
    let gone = restore(&server, &project, 1, json!({ "path": "none" }));
    assert!(gone.problem(404).contains("no file at this path"));
    for path in ["../x", "/etc/passwd", ""] {
        restore(&server, &project, 1, json!({ "path": path })).problem(400);
    }
    for body in [json!({ "path": 7 }), json!({ "pth": "src" })] {
        restore(&server, &project, 1, body).problem(422);
    }
}
