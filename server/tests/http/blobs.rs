//! Contents of files that are no texts, sent and read as any program may.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use ureq::http::Response;

use crate::support::{Server, Shared};

const MIB: usize = 1024 * 1024;

fn hash(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn content(of: u8, bytes: usize) -> Vec<u8> {
    (0..bytes)
        .map(|at| of.wrapping_add((at / 3) as u8))
        .collect()
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    config.build().into()
}

fn address(server: &Server, project: &Shared, hash: &str) -> String {
    format!("{}/api/projects/{}/blobs/{hash}", server.base, project.id)
}

/// Sends bytes under a hash; returns the status and what is said.
fn put(server: &Server, project: &Shared, token: &str, hash: &str, bytes: &[u8]) -> (u16, String) {
    let request = agent()
        .put(address(server, project, hash))
        .header("Authorization", format!("Bearer {token}"));
    let mut answer = request.send(bytes).unwrap();
    let said = answer.body_mut().read_to_string().unwrap();
    (answer.status().as_u16(), said)
}

fn get(
    server: &Server,
    project: &Shared,
    token: &str,
    hash: &str,
    range: Option<&str>,
) -> (Response<()>, Vec<u8>) {
    let mut request = agent()
        .get(address(server, project, hash))
        .header("Authorization", format!("Bearer {token}"));
    if let Some(range) = range {
        request = request.header("Range", range);
    }
    let (head, body) = request.call().unwrap().into_parts();
    let bytes = body
        .into_with_config()
        .limit(1 << 30)
        .read_to_vec()
        .unwrap();
    (Response::from_parts(head, ()), bytes)
}

fn header<'a>(answer: &'a Response<()>, name: &str) -> &'a str {
    let value = answer.headers().get(name);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

#[test]
fn a_content_is_sent_once_and_read_whole_or_in_ranges() {
    let server = Server::start();
    let project = server.project("P");
    let (editor, viewer) = (&project.editor, &project.viewer);
    for size in [0, 1, MIB, 3 * MIB + 5] {
        let bytes = content(1, size);
        let name = hash(&bytes);
        assert_eq!(get(&server, &project, editor, &name, None).0.status(), 404);
        assert_eq!(
            put(&server, &project, editor, &name, &bytes).0,
            201,
            "{size}"
        );
        assert_eq!(
            put(&server, &project, editor, &name, &bytes).0,
            201,
            "again"
        );
        let (answer, read) = get(&server, &project, viewer, &name, None);
        assert_eq!(answer.status(), 200);
        assert!(read == bytes, "{size}");
        assert_eq!(header(&answer, "content-length"), size.to_string());
        assert_eq!(header(&answer, "etag"), format!("\"{name}\""));
        assert_eq!(header(&answer, "content-type"), "application/octet-stream");
        assert_eq!(header(&answer, "content-disposition"), "attachment");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        assert!(header(&answer, "cache-control").contains("private"));
    }
    let bytes = content(1, 3 * MIB + 5);
    let name = hash(&bytes);
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=1048575-1048577", MIB - 1, MIB + 2),
        ("bytes=3145728-", 3 * MIB, 3 * MIB + 5),
        ("bytes=-7", 3 * MIB - 2, 3 * MIB + 5),
    ] {
        let (answer, read) = get(&server, &project, viewer, &name, Some(range));
        assert_eq!(answer.status(), 206);
        assert!(read == bytes[from..to], "{range}");
        let expected = format!("bytes {from}-{}/{}", to - 1, bytes.len());
        assert_eq!(header(&answer, "content-range"), expected);
    }
    let beyond = get(&server, &project, viewer, &name, Some("bytes=9999999-"));
    assert_eq!(beyond.0.status(), 416);
    let several = get(&server, &project, viewer, &name, Some("bytes=0-1,4-5"));
    assert_eq!(several.0.status(), 200);

    let head = agent()
        .head(address(&server, &project, &name))
        .header("Authorization", format!("Bearer {viewer}"))
        .call()
        .unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()["content-length"], bytes.len().to_string());
}

#[test]
fn who_may_not_and_what_is_not_so_is_refused() {
    let server = Server::with(|settings| settings.max_blob_mb = 1);
    let (project, other) = (server.project("P"), server.project("Q"));
    let bytes = content(2, 1_000);
    let name = hash(&bytes);
    let table: &[(&str, &str, &[u8], u16)] = &[
        (&project.viewer, &name, &bytes, 403),
        ("nonsense", &name, &bytes, 401),
        (&other.editor, &name, &bytes, 403),
        (&project.editor, &name, b"other bytes", 422),
        (&project.editor, &name.to_uppercase(), &bytes, 400),
        (&project.editor, "..", &bytes, 400),
        (&project.editor, &name, &content(2, MIB + 1), 413),
    ];
    for (row, (token, hash, bytes, status)) in table.iter().enumerate() {
        let (answered, said) = put(&server, &project, token, hash, bytes);
        assert_eq!(answered, *status, "row {row}: {said}");
        let problem: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(problem["status"], *status);
        assert_eq!(
            get(&server, &project, &project.editor, &name, None)
                .0
                .status(),
            404
        );
    }
    assert_eq!(
        put(&server, &project, &project.editor, &name, &bytes).0,
        201
    );
    for (token, hash, status) in [
        (&other.editor, name.as_str(), 403),
        (&project.viewer, "nothing", 404),
        (&project.viewer, name.as_str(), 200),
    ] {
        let answered = get(&server, &project, token, hash, None).0.status();
        assert_eq!(answered, status);
    }
    // Another project's content is not there, however well one knows its name.
    assert_eq!(
        get(&server, &other, &other.editor, &name, None).0.status(),
        404
    );
    let shown = server.get(&format!("/api/projects/{}", project.id), &project.viewer);
    assert_eq!(shown.json()["max_blob_bytes"], MIB);
}

#[test]
fn what_is_lacking_is_told_to_editors() {
    let server = Server::start();
    let project = server.project("P");
    let (here, lacking) = (content(3, 10), content(4, 10));
    put(&server, &project, &project.editor, &hash(&here), &here);
    let path = format!("/api/projects/{}/blobs", project.id);
    let asked = json!({ "sha256": [hash(&here), hash(&lacking)] });
    let answer = server.post(&path, &project.editor, asked.clone());
    assert_eq!(answer.status, 200);
    let lacking = json!({ "sha256": [hash(&lacking)], "begun": [] });
    assert_eq!(answer.json(), lacking);
    assert_eq!(server.post(&path, &project.viewer, asked).status, 403);
    let many: Vec<String> = (0..1_001u32).map(|n| hash(&n.to_le_bytes())).collect();
    let most = json!({ "sha256": many[..1_000] });
    assert_eq!(server.post(&path, &project.editor, most).status, 200);
    let too_many = json!({ "sha256": many });
    assert_eq!(server.post(&path, &project.editor, too_many).status, 400);
    let bad = json!({ "sha256": ["../x"] });
    assert_eq!(server.post(&path, &project.editor, bad).status, 422);
}

/// A client that goes in the middle leaves nothing to read, and on the disk only what may be gone on
/// with.
#[test]
fn a_body_that_is_cut_off_leaves_one_beginning() {
    let server = Server::start();
    let project = server.project("P");
    let bytes = content(5, 4 * MIB);
    let name = hash(&bytes);
    let host = server.base.trim_start_matches("http://").to_owned();
    for _ in 0..3 {
        let mut socket = TcpStream::connect(&host).unwrap();
        let path = format!("/api/projects/{}/blobs/{name}", project.id);
        write!(
            socket,
            "PUT {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
            project.editor,
            bytes.len()
        )
        .unwrap();
        socket.write_all(&bytes[..3 * MIB]).unwrap();
        drop(socket);
    }
    assert_eq!(
        get(&server, &project, &project.editor, &name, None)
            .0
            .status(),
        404
    );
    let database = server.dir.path().join("data/documents.db");
    let parts = || {
        let connection = rusqlite::Connection::open(&database).unwrap();
        connection
            .query_row("SELECT count(*) FROM blob_parts", [], |row| {
                row.get::<_, u32>(0)
            })
            .unwrap()
    };
    let path = format!("/api/projects/{}/blobs", project.id);
    let begun = || {
        let asked = json!({ "sha256": [name] });
        let answer = server.post(&path, &project.editor, asked).json();
        answer["begun"][0]["bytes"].as_u64().unwrap_or(0) as usize
    };
    let start = Instant::now();
    while begun() != 3 * MIB || parts() != 3 {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{} parts, {} bytes",
            parts(),
            begun()
        );
        std::thread::yield_now();
    }
    // Who knows nothing of that sends all of it, and nothing else stays.
    let (status, said) = put(&server, &project, &project.editor, &name, &bytes);
    assert_eq!(status, 201, "{said}");
    while parts() != 4 {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{} parts",
            parts()
        );
        std::thread::yield_now();
    }
}

#[test]
fn contents_survive_a_restart_and_go_with_their_project() {
    let server = Server::start();
    let project = server.project("P");
    let bytes = content(6, MIB + 1);
    let name = hash(&bytes);
    put(&server, &project, &project.editor, &name, &bytes);
    let server = server.restart();
    assert!(get(&server, &project, &project.viewer, &name, None).1 == bytes);
    let path = format!("/api/projects/{}", project.id);
    assert_eq!(server.delete(&path, &server.admin).status, 204);
    let database = server.dir.path().join("data/documents.db");
    let connection = rusqlite::Connection::open(database).unwrap();
    let count = |table: &str| -> u32 {
        let count = format!("SELECT count(*) FROM {table}");
        connection.query_row(&count, [], |row| row.get(0)).unwrap()
    };
    assert_eq!((count("blobs"), count("blob_parts")), (0, 0));
}

/// While one client reads slowly, or not at all, others are served.
#[test]
fn a_slow_reader_holds_nobody_up() {
    let server = Server::start();
    let project = server.project("P");
    let bytes = content(7, 16 * MIB);
    let name = hash(&bytes);
    put(&server, &project, &project.editor, &name, &bytes);
    let host = server.base.trim_start_matches("http://").to_owned();
    let mut slow = TcpStream::connect(&host).unwrap();
    let path = format!("/api/projects/{}/blobs/{name}", project.id);
    write!(
        slow,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n\r\n",
        project.viewer
    )
    .unwrap();
    slow.read_exact(&mut [0; 100]).unwrap();
    for _ in 0..3 {
        assert!(get(&server, &project, &project.viewer, &name, None).1 == bytes);
    }
}
