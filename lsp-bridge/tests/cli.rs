//! The program itself: what it says and how it ends when there is no server to ask.
#![allow(
    clippy::unwrap_used,
    reason = "where a test cannot be set up, it fails"
)]

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

/// A person with a home of their own.
struct Person {
    home: TempDir,
}

impl Person {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
        }
    }

    fn tutti(&self, dir: &Path, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tutti"))
            .args(words)
            .current_dir(dir)
            .env_clear()
            .env("HOME", self.home.path())
            .env("USERPROFILE", self.home.path())
            .output()
            .unwrap()
    }

    /// Runs it, and checks that it fails with one sentence, which is returned.
    fn fails(&self, dir: &Path, words: &[&str]) -> String {
        self.fails_with(1, dir, words)
    }

    /// The same with this exit code.
    fn fails_with(&self, code: i32, dir: &Path, words: &[&str]) -> String {
        let output = self.tutti(dir, words);
        assert_eq!(output.status.code(), Some(code), "{words:?} {output:?}");
        assert!(output.stdout.is_empty(), "{words:?} {output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.lines().count(), 1, "{words:?} {said}");
        said
    }
}

/// An address at which nobody listens.
fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// Makes a directory a project of a server that is not there.
fn shared(dir: &Path) {
    fs::create_dir(dir.join(".tutti")).unwrap();
    let text = format!("server = \"{}\"\nproject = \"abc\"\n", nowhere());
    fs::write(dir.join(".tutti/project.toml"), text).unwrap();
}

#[test]
fn each_mistake_is_one_sentence_that_says_what_to_do() {
    let person = Person::new();
    let dir = tempfile::tempdir().unwrap();
    let nowhere = nowhere();
    let link = format!("{nowhere}/p/abc#token");
    let table: &[(&[&str], &[&str])] = &[
        (
            &["status"],
            &["no project found", "tutti share", "tutti join"],
        ),
        (&["leave"], &["no project found"]),
        (&["link", "--role", "editor"], &["no project found"]),
        (&["join", &link], &["no Tutti server answers", &nowhere]),
        (&["share", "missing"], &["missing cannot be shared"]),
        (
            &["share", "--server", &nowhere],
            &["no Tutti server answers", &nowhere, "--server"],
        ),
        (
            &["share", "--server", &nowhere, "--token", "T"],
            &["no Tutti server answers", &nowhere, "tutti-server"],
        ),
    ];
    for (words, parts) in table {
        let said = person.fails(dir.path(), words);
        for part in *parts {
            assert!(said.contains(part), "{words:?} says: {said}");
        }
    }
    let said = person.fails_with(2, dir.path(), &["join", "hello"]);
    for part in ["not a Tutti link", "/p/PROJECT#TOKEN"] {
        assert!(said.contains(part), "{said}");
    }
    let said = person.fails(dir.path(), &["join", &link]);
    assert!(!said.contains("--server"), "join has no such flag: {said}");
    let written = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(written, 0, "the directory is left as it was");
}

/// A server that answers each request with this.
fn answering(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n");
            let _ = write!(stream, "{head}content-length: {length}\r\n\r\n{body}");
            // Closed with a part of the request unread, it would be a broken connection.
            let _ = stream.shutdown(Shutdown::Write);
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    format!("http://{address}")
}

#[test]
fn a_share_without_a_good_token_speaks_of_the_token() {
    let person = Person::new();
    let dir = tempfile::tempdir().unwrap();
    let there = answering("200 OK", "ok\n");
    let said = person.fails(dir.path(), &["share", "--server", &there]);
    for part in ["no token for", "--token", "TUTTI_TOKEN"] {
        assert!(said.contains(part), "{said}");
    }
    let refusing = answering(
        "401 Unauthorized",
        r#"{"type":"about:blank","title":"Unauthorized","status":401,"detail":"Ask for a new link."}"#,
    );
    let words = ["share", "--server", &refusing, "--token", "bad"];
    let said = person.fails(dir.path(), &words);
    assert!(said.contains("the token from --token"), "{said}");
    assert!(!said.contains("link"), "{said}");
}

#[test]
fn wrong_usage_ends_with_2_and_help_with_0() {
    let person = Person::new();
    let dir = person.home.path();
    for words in [
        &[][..],
        &["nonsense"],
        &["join"],
        &["link"],
        &["link", "--role", "owner"],
        &["link", "--role", "editor", "--expires", "soon"],
        &["share", "--server", "not an address"],
        &["share", "--server", "ftp://host"],
    ] {
        let output = person.tutti(dir, words);
        assert_eq!(output.status.code(), Some(2), "{words:?} {output:?}");
        assert!(output.stdout.is_empty(), "{words:?}");
    }
    for words in [["--help"], ["--version"]] {
        let output = person.tutti(dir, &words);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(!output.stdout.is_empty());
    }
}

#[test]
fn a_shared_directory_is_not_shared_twice() {
    let person = Person::new();
    let dir = tempfile::tempdir().unwrap();
    shared(dir.path());
    fs::create_dir(dir.path().join("sub")).unwrap();
    let said = person.fails(dir.path(), &["share"]);
    assert!(said.contains("shared already"), "{said}");
    let said = person.fails(dir.path(), &["share", "sub"]);
    assert!(said.contains("lies inside the shared project"), "{said}");
}

#[test]
fn status_without_a_server_says_what_is_known() {
    let person = Person::new();
    let dir = tempfile::tempdir().unwrap();
    shared(dir.path());
    fs::create_dir(dir.path().join("sub")).unwrap();
    fs::write(dir.path().join("new.txt"), "new\n").unwrap();
    fs::write(dir.path().join("image.png"), b"\x89PNG\0").unwrap();
    let large = fs::File::create(dir.path().join("large.bin")).unwrap();
    large.set_len(100 * 1024 * 1024 + 1).unwrap();
    let output = person.tutti(&dir.path().join("sub"), &["status"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    for part in [
        "no access from here: run `tutti join LINK`",
        "0 files in step with the project, 2 changed here",
        "Changed here since the bridge last ran: 2 files\n  image.png\n  new.txt\n",
        "Left alone: 1 file\n  large.bin: it is larger than the 100 MiB that the server takes\n",
    ] {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }

    for number in 0..50 {
        fs::write(dir.path().join(format!("file{number}.txt")), "new\n").unwrap();
    }
    let output = person.tutti(dir.path(), &["status"]);
    let said = String::from_utf8(output.stdout).unwrap();
    for number in 0..50 {
        assert!(said.contains(&format!("  file{number}.txt\n")), "{said}");
    }
}

#[test]
fn leaving_keeps_the_files_and_asks_before_edits_stay_behind() {
    let person = Person::new();
    let dir = tempfile::tempdir().unwrap();
    shared(dir.path());
    fs::write(dir.path().join("new.txt"), "new\n").unwrap();
    let said = person.fails(dir.path(), &["leave"]);
    assert!(said.contains("--force"), "{said}");
    assert!(dir.path().join(".tutti/project.toml").exists());

    let kept = dir.path().join(".tutti/recovered/a.txt");
    fs::create_dir(kept.parent().unwrap()).unwrap();
    fs::write(&kept, "kept\n").unwrap();
    let output = person.tutti(dir.path(), &["leave", "--force"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(fs::read_to_string(&kept).unwrap(), "kept\n");
    assert!(!dir.path().join(".tutti/project.toml").exists());
    assert!(dir.path().join("new.txt").exists());
    person.fails(dir.path(), &["status"]);
}

/// Makes a directory a project of `server`, which `person` has access to.
fn joined(person: &Person, dir: &Path, server: &str) {
    fs::create_dir(dir.join(".tutti")).unwrap();
    let text = format!("server = \"{server}\"\nproject = \"abc\"\n");
    fs::write(dir.join(".tutti/project.toml"), text).unwrap();
    let root = dir.canonicalize().unwrap();
    let project = tutti::project::Project::at(&root).unwrap().unwrap();
    let access = tutti::credentials::Access {
        name: None,
        token: "T".to_owned(),
        editor_link: None,
        viewer_link: None,
    };
    let secrets = person.home.path().join(".config/tutti/credentials.toml");
    tutti::credentials::Credentials::at(secrets)
        .keep_project(&project, access)
        .unwrap();
}

/// A server that knows the project, for someone with this role.
fn project_for(role: &'static str) -> String {
    let body = match role {
        "viewer" => r#"{"project":"abc","name":"calm","created_at":0,"role":"viewer"}"#,
        _ => r#"{"project":"abc","name":"calm","created_at":0,"role":"editor"}"#,
    };
    answering("200 OK", body)
}

#[test]
fn a_change_is_called_what_it_is_by_who_made_it_and_whether_a_bridge_runs() {
    let table = [
        ("editor", false, "Changed here since the bridge last ran"),
        (
            "editor",
            true,
            "Changed here, and on the way into the project",
        ),
        (
            "viewer",
            false,
            "Changed here alone, since your link is view-only",
        ),
        (
            "viewer",
            true,
            "Changed here alone, since your link is view-only",
        ),
    ];
    for (role, bridge_runs, heading) in table {
        let person = Person::new();
        let dir = tempfile::tempdir().unwrap();
        joined(&person, dir.path(), &project_for(role));
        fs::write(dir.path().join("new.txt"), "new\n").unwrap();
        let bridge = bridge_runs.then(|| tutti::mirror::Mirror::open(dir.path(), "Ada").unwrap());
        let output = person.tutti(dir.path(), &["status"]);
        drop(bridge);
        let said = String::from_utf8(output.stdout).unwrap();
        let lists = format!("1 changed here\n{heading}: 1 file\n  new.txt\n");
        assert!(said.ends_with(&lists), "{role} {bridge_runs}:\n{said}");
    }
}

#[test]
fn a_viewer_who_leaves_is_not_told_to_send_what_is_not_taken() {
    let person = Person::new();
    let dir = tempfile::tempdir().unwrap();
    joined(&person, dir.path(), &project_for("viewer"));
    fs::write(dir.path().join("new.txt"), "new\n").unwrap();
    let said = person.fails(dir.path(), &["leave"]);
    for part in ["your link is view-only", "--force", "stay as they are"] {
        assert!(said.contains(part), "{said}");
    }
    assert!(!said.contains("open an editor"), "{said}");
}

#[test]
fn a_link_alone_is_the_result_and_what_it_is_stands_beside_it() {
    let person = Person::new();
    let dir = tempfile::tempdir().unwrap();
    let made = r#"{"id":"1","link":"http://host/p/abc#SECRET"}"#;
    joined(&person, dir.path(), &answering("201 Created", made));
    for (words, parts) in [
        (&["link", "--role", "viewer"][..], ["To view", "for ever"]),
        (
            &["link", "--role", "editor", "--expires", "7d"],
            ["To edit", "until "],
        ),
    ] {
        let before = SystemTime::now();
        let output = person.tutti(dir.path(), words);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(output.stdout, b"http://host/p/abc#SECRET\n");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(!said.contains("SECRET"), "{said}");
        for part in parts {
            assert!(said.contains(part), "{said}");
        }
        if let Some((_, end)) = said.trim_end().split_once("until ") {
            let end = httpdate::parse_http_date(end).unwrap();
            let week = Duration::from_secs(7 * 24 * 60 * 60);
            let minute = Duration::from_secs(60);
            let given = end.duration_since(before).unwrap();
            assert!(week - minute < given && given < week + minute, "{said}");
        }
    }
    // Beyond what a date can say.
    let words = ["link", "--role", "editor", "--expires", "100000000000000d"];
    let output = person.tutti(dir.path(), &words);
    assert_eq!(output.stdout, b"http://host/p/abc#SECRET\n", "{output:?}");
}

#[test]
fn who_reads_only_the_first_line_hears_of_no_failure() {
    let person = Person::new();
    let dir = tempfile::tempdir().unwrap();
    shared(dir.path());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_tutti"))
        .arg("status")
        .current_dir(dir.path())
        .env_clear()
        .env("HOME", person.home.path())
        .stdout(writer)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_token_of_a_server_on_this_machine_is_found_and_not_shown() {
    let person = Person::new();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(".gitkeep"), "").unwrap();
    // A server's own token file, found because the server is on this machine.
    let data = person.home.path().join(".local/share/tutti");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("admin-token"), "ADMIN\n").unwrap();
    let said = person.fails(dir.path(), &["share", "--server", &nowhere()]);
    assert!(said.contains("no Tutti server answers"), "{said}");
    assert!(!said.contains("ADMIN"), "{said}");
}
