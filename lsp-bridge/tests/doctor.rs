//! `tutti doctor` where something is not as it should be. Its server is one that says what a test
//! wants it to say; the real one is asked in the tests from end to end.
#![allow(
    clippy::unwrap_used,
    reason = "where a test cannot be set up, it fails"
)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tempfile::TempDir;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const SECRET: &str = "a-token-that-nobody-may-see";

/// What the server says.
#[derive(Clone)]
struct Says {
    date: SystemTime,
    title: &'static str,
    version: &'static str,
    /// The status and body of `/readyz`.
    ready: (&'static str, &'static str),
    /// The same of the project.
    project: (&'static str, &'static str),
}

impl Default for Says {
    fn default() -> Self {
        Self {
            date: SystemTime::now(),
            title: "Tutti",
            version: VERSION,
            ready: ("200 OK", r#"{"ready":true,"reasons":[]}"#),
            project: (
                "200 OK",
                r#"{"project":"abc","name":"Song","created_at":0,"role":"editor"}"#,
            ),
        }
    }
}

impl Says {
    /// Starts a server that says this; its address.
    fn serve(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let asked = lines.next().unwrap().unwrap();
                while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                let (status, body) = self.answer(asked.split(' ').nth(1).unwrap());
                let date = httpdate::fmt_http_date(self.date);
                let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ndate: {date}\r\n");
                let _ = write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len());
            }
        });
        format!("http://{address}")
    }

    fn answer(&self, path: &str) -> (&str, String) {
        match path {
            "/healthz" => ("200 OK", "ok\n".to_owned()),
            "/readyz" => (self.ready.0, self.ready.1.to_owned()),
            "/api/openapi.json" => {
                let Self { title, version, .. } = self;
                let info = format!(r#"{{"info":{{"title":"{title}","version":"{version}"}}}}"#);
                ("200 OK", info)
            }
            "/api/projects/abc" => (self.project.0, self.project.1.to_owned()),
            other => panic!("asked for {other}"),
        }
    }
}

/// A person, and a directory of theirs. Their path holds `tutti` and no editor.
struct Scene {
    home: TempDir,
    dir: TempDir,
}

impl Scene {
    /// A directory that is no project.
    fn bare() -> Self {
        let scene = Self {
            home: tempfile::tempdir().unwrap(),
            dir: tempfile::tempdir().unwrap(),
        };
        let bin = scene.home.path().join("bin");
        fs::create_dir(&bin).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tutti"), bin.join("tutti")).unwrap();
        scene
    }

    /// A directory that has joined the project `abc` of this server.
    fn joined(server: &str) -> Self {
        let scene = Self::bare();
        let dir = scene.dir.path().canonicalize().unwrap();
        fs::create_dir(dir.join(".tutti")).unwrap();
        let project = format!("server = \"{server}\"\nproject = \"abc\"\n");
        fs::write(dir.join(".tutti/project.toml"), project).unwrap();
        let secrets = format!(
            "[projects.\"{server}\".abc.\"{}\"]\ntoken = \"{SECRET}\"\n",
            dir.display()
        );
        scene.write(".config/tutti/credentials.toml", &secrets, 0o600);
        scene
    }

    fn write(&self, path: &str, text: &str, mode: u32) {
        let path = self.home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    /// A program on the path that says this when it is asked for its version.
    fn program(&self, name: &str, says: &str) {
        self.write(
            &format!("bin/{name}"),
            &format!("#!/bin/sh\necho '{says}'\n"),
            0o755,
        );
    }

    fn run(&self, words: &[&str]) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_tutti"))
            .arg("doctor")
            .args(words)
            .current_dir(self.dir.path())
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", self.home.path().join("bin"))
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let beside = String::from_utf8(output.stderr).unwrap();
        for text in [&said, &beside] {
            assert!(!text.contains(SECRET), "a secret is shown: {text}");
        }
        let code = output.status.code().unwrap();
        assert_eq!(beside.lines().count(), usize::from(code == 1), "{beside}");
        (code, said)
    }

    /// Runs it for machines; the code that it ends with agrees with what it says.
    fn finds(&self, words: &[&str]) -> Findings {
        let (code, said) = self.run(&[words, &["--json"]].concat());
        assert_eq!(said.lines().count(), 1, "{said}");
        let found: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(found["ok"], code == 0, "{said}");
        Findings(found)
    }
}

struct Findings(Value);

impl Findings {
    fn of(&self, check: &str) -> &Value {
        let checks = self.0["checks"].as_array().unwrap();
        let found = checks.iter().find(|found| found["check"] == check);
        found.unwrap_or_else(|| panic!("no {check} in {:#}", self.0))
    }

    /// The one thing that is wrong is this, and what is said of it holds these words.
    fn only_wrong(&self, check: &str, words: &[&str]) {
        let checks = self.0["checks"].as_array().unwrap().iter();
        let wrong: Vec<_> = checks
            .filter(|found| found["state"] == "wrong")
            .map(|found| found["check"].as_str().unwrap())
            .collect();
        assert_eq!(wrong, [check], "{:#}", self.0);
        let found = self.of(check);
        let said = format!("{} {}", found["says"], found["do"]);
        for word in words {
            assert!(said.contains(word), "no {word:?} in {said}");
        }
        let advice = found["do"].as_str().unwrap();
        assert!(advice.ends_with('.'), "a sentence: {advice}");
    }
}

fn ago(s: u64) -> SystemTime {
    SystemTime::now() - Duration::from_secs(s)
}

#[test]
fn all_well_is_calm_and_aligned() {
    let scene = Scene::joined(&Says::default().serve());
    scene.program("nvim", "NVIM v0.10.4");
    scene.write(".config/nvim/init.lua", "require('tutti')\n", 0o644);
    let (code, said) = scene.run(&[]);
    assert_eq!(code, 0, "{said}");
    for part in [
        "✓ Project      abc, in ",
        "✓ Server       http://127.0.0.1:",
        "✓ Clock        agrees with the server's\n",
        "✓ Credentials  ~/.config/tutti/credentials.toml, readable by you alone\n",
        "✓ Access       you may edit “Song”\n",
        "✓ State        .tutti/state can be written\n",
        "· Bridge       not running: it starts with your editor\n",
        "✓ Files        0 files in step\n",
        "✓ Neovim       0.10.4, set up in ~/.config/nvim/init.lua\n",
    ] {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
    assert!(!said.contains('✗') && !said.contains('→') && !said.contains('\x1b'));
}

#[test]
fn a_server_is_wrong_in_ways_that_are_told_apart() {
    let nowhere = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let found = Scene::joined(&nowhere).finds(&[]);
    found.only_wrong(
        "Server",
        &[&nowhere, "connection refused", "`tutti-server`"],
    );

    let says = Says {
        title: "Petstore",
        ..Says::default()
    };
    let found = Scene::joined(&says.serve()).finds(&[]);
    found.only_wrong("Server", &["is no Tutti server", "new link"]);

    let says = Says {
        version: "9.0.0",
        ..Says::default()
    };
    let found = Scene::joined(&says.serve()).finds(&[]);
    found.only_wrong("Server", &["version 9.0.0, and this is", VERSION]);

    let says = Says {
        ready: (
            "503 Service Unavailable",
            r#"{"ready":false,"reasons":["the disk is full"]}"#,
        ),
        ..Says::default()
    };
    let found = Scene::joined(&says.serve()).finds(&[]);
    found.only_wrong(
        "Server",
        &["cannot keep", "the disk is full", "nothing is lost"],
    );
}

#[test]
fn clocks_that_differ_are_told_with_the_reason() {
    let table = [
        (ago(30), None),
        (ago(600), Some("10 minutes ahead of the server's")),
        (
            ago(0) + Duration::from_secs(7_300),
            Some("2 hours behind the server's"),
        ),
    ];
    for (date, told) in table {
        let says = Says {
            date,
            ..Says::default()
        };
        let found = Scene::joined(&says.serve()).finds(&[]);
        match told {
            Some(told) => found.only_wrong("Clock", &[told, "over the network", "links"]),
            None => assert_eq!(found.of("Clock")["state"], "good"),
        }
    }
}

#[test]
fn a_token_is_wrong_in_ways_that_are_told_apart() {
    let problem = |status, detail| {
        let body =
            format!(r#"{{"type":"about:blank","title":"","status":{status},"detail":"{detail}"}}"#);
        body.leak()
    };
    let says = Says {
        project: ("401 Unauthorized", problem(401, "this link has ended")),
        ..Says::default()
    };
    let scene = Scene::joined(&says.serve());
    scene.finds(&[]).only_wrong(
        "Access",
        &["this link has ended", "new link", "`tutti join LINK`"],
    );

    scene.write(".config/tutti/credentials.toml", "", 0o600);
    scene
        .finds(&[])
        .only_wrong("Access", &["no token", "`tutti join LINK`"]);

    let viewer = r#"{"project":"abc","name":"Song","created_at":0,"role":"viewer"}"#;
    let says = Says {
        project: ("200 OK", viewer),
        ..Says::default()
    };
    let found = Scene::joined(&says.serve()).finds(&[]);
    assert_eq!(found.of("Access")["says"], "you may view, not edit, “Song”");
}

#[cfg(unix)]
#[test]
fn secrets_that_others_can_read_are_told() {
    let scene = Scene::joined(&Says::default().serve());
    let path = ".config/tutti/credentials.toml";
    let secrets = fs::read_to_string(scene.home.path().join(path)).unwrap();
    scene.write(path, &secrets, 0o644);
    scene
        .finds(&[])
        .only_wrong("Credentials", &["others", "chmod 600"]);
    scene.write(path, SECRET, 0o600);
    scene
        .finds(&[])
        .only_wrong("Credentials", &["repair or remove"]);
}

#[test]
fn a_directory_that_is_not_in_order_is_told() {
    let scene = Scene::joined(&Says::default().serve());
    let large = fs::File::create(scene.dir.path().join("large.bin")).unwrap();
    large.set_len(100 * 1024 * 1024 + 1).unwrap();
    let found = scene.finds(&[]);
    assert_eq!(
        found.of("Files")["list"][0],
        "large.bin: it is larger than the 100 MiB that the server takes"
    );

    fs::remove_dir_all(scene.dir.path().join(".tutti/state")).unwrap();
    fs::write(scene.dir.path().join(".tutti/state"), "").unwrap();
    let found = scene.finds(&[]);
    let state = found.of("State");
    assert_eq!(state["state"], "wrong", "{state}");
    assert!(
        state["says"]
            .as_str()
            .unwrap()
            .contains("cannot be written")
    );

    let project = scene.dir.path().join(".tutti/project.toml");
    fs::write(&project, "nonsense").unwrap();
    scene
        .finds(&[])
        .only_wrong("Project", &["cannot be understood", "tutti join LINK"]);
    fs::rename(&project, scene.dir.path().join(".tutti/pending.toml")).unwrap();
    let pending = format!("server = \"{}\"\nproject = \"abc\"\n", "http://127.0.0.1:9");
    fs::write(scene.dir.path().join(".tutti/pending.toml"), pending).unwrap();
    scene
        .finds(&[])
        .only_wrong("Project", &["half made", "again"]);
}

#[test]
fn outside_of_a_project_it_looks_at_what_is_there() {
    let scene = Scene::bare();
    let server = Says::default().serve();
    let found = scene.finds(&["--server", &server]);
    assert_eq!(found.of("Project")["state"], "note");
    assert_eq!(found.of("Server")["state"], "good");
    assert_eq!(found.of("Clock")["state"], "good");
    assert_eq!(found.of("Editors")["state"], "note");
    assert_eq!(fs::read_dir(scene.dir.path()).unwrap().count(), 0);

    fs::remove_file(scene.home.path().join("bin/tutti")).unwrap();
    scene
        .finds(&["--server", &server])
        .only_wrong("tutti", &["PATH"]);
}

#[test]
fn of_several_editors_one_that_is_set_up_suffices() {
    let scene = Scene::joined(&Says::default().serve());
    scene.program("nvim", "NVIM v0.10.4");
    scene.program("kak", "Kakoune v2024.05.18");
    let found = scene.finds(&[]);
    for (editor, file) in [
        ("Neovim", "~/.config/nvim/init.lua"),
        ("Kakoune", "~/.config/kak/kakrc"),
    ] {
        let found = found.of(editor);
        assert_eq!(found["state"], "wrong", "{found}");
        assert_eq!(found["paste"]["file"], file);
        let lines = found["paste"]["lines"].as_str().unwrap();
        assert!(lines.contains("tutti") && !lines.contains("```"), "{lines}");
        // They are what a person would copy, from the first column on.
        let (code, said) = scene.run(&[]);
        assert!(
            said.contains(&format!("\n{editor}, {file}:\n\n{lines}\n")),
            "{said}"
        );
        assert_eq!(code, 1);
    }
    let lines = found.of("Kakoune")["paste"]["lines"].as_str().unwrap();
    scene.write(".config/kak/kakrc", lines, 0o644);
    let found = scene.finds(&[]);
    assert_eq!(found.of("Kakoune")["state"], "good");
    assert_eq!(found.of("Neovim")["state"], "note");
    // Whoever asks about one means it.
    scene
        .finds(&["nvim"])
        .only_wrong("Neovim", &["not set up", "init.lua"]);
    scene
        .finds(&["helix"])
        .only_wrong("Helix", &["not on your PATH"]);
    scene.program("nvim", "NVIM v0.9.5");
    scene
        .finds(&["neovim"])
        .only_wrong("Neovim", &["0.9.5 is too old", "0.10"]);
}

#[test]
fn languages_that_helix_does_not_share_are_named() {
    let scene = Scene::joined(&Says::default().serve());
    scene.program("hx", "helix 25.01.1");
    let lines = "language-server.tutti = { command = \"tutti\" }\n\
        [[language]]\nname = \"rust\"\nlanguage-servers = [\"tutti\"]\n\
        [[language]]\nname = \"prose\"\nscope = \"text.prose\"\nfile-types = [\"md\"]\n\
        language-servers = [\"tutti\"]\n";
    scene.write(".config/helix/languages.toml", lines, 0o644);
    let write = |path: &str, text: &str| fs::write(scene.dir.path().join(path), text).unwrap();
    write("main.rs", "");
    write("README.md", "");
    write("ignored.json", "");
    write(".gitignore", "*.json\n");
    fs::create_dir(scene.dir.path().join(".git")).unwrap();
    write(".git/x.lua", "");
    let found = scene.finds(&["helix"]);
    let helix = found.of("Helix");
    assert_eq!(helix["state"], "good", "{helix}");
    let said = helix["says"].as_str().unwrap();
    assert!(said.contains("for prose, rust: it shares no files of other languages"));

    write("p.txt", "");
    write("a.py", "");
    write("b.py", "");
    let found = scene.finds(&["helix"]);
    let helix = found.of("Helix");
    assert_eq!(helix["state"], "note", "{helix}");
    assert!(
        helix["says"]
            .as_str()
            .unwrap()
            .ends_with(", which this project has")
    );
    let others = serde_json::json!(["python, such as a.py", "text, such as p.txt"]);
    assert_eq!(helix["list"], others);
}

#[test]
fn wrong_words_are_wrong_usage() {
    let scene = Scene::bare();
    for words in [["notepad"], ["--server=nonsense"]] {
        let status = Command::new(env!("CARGO_BIN_EXE_tutti"))
            .arg("doctor")
            .args(words)
            .current_dir(scene.dir.path() as &Path)
            .output()
            .unwrap()
            .status;
        assert_eq!(status.code(), Some(2));
    }
}
