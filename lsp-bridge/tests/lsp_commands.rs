//! `tutti lsp` as a process, and the commands that it runs as processes of their own.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tutti::credentials::{Access, Credentials};
use tutti::project::Project;

struct Bridge {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    next_id: i64,
}

impl Bridge {
    fn start(home: &Path, root: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_tutti"))
            .arg("lsp")
            .current_dir(root)
            .env("HOME", home)
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env_remove("TUTTI_SERVER")
            .env_remove("TUTTI_TOKEN")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut bridge = Self {
            process,
            input,
            output,
            next_id: 0,
        };
        let root = url::Url::from_file_path(root).unwrap();
        let params = json!({ "rootUri": root.as_str(), "capabilities": {} });
        bridge.request("initialize", params).unwrap();
        bridge.write(json!({ "method": "initialized", "params": {} }));
        bridge
    }

    fn write(&mut self, mut message: Value) {
        message["jsonrpc"] = "2.0".into();
        let body = message.to_string();
        let input = self.input.as_mut().unwrap();
        write!(input, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    }

    fn read(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "it has gone");
            match line.trim_end().split_once(": ") {
                Some(("Content-Length", number)) => length = number.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.output.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    fn request(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.next_id += 1;
        let id = self.next_id;
        self.write(json!({ "id": id, "method": method, "params": params }));
        loop {
            let message = self.read();
            if message["id"] == id && message.get("method").is_none() {
                return match message.get("error") {
                    Some(error) => Err(error.clone()),
                    None => Ok(message["result"].clone()),
                };
            }
        }
    }

    fn command(&mut self, command: &str, argument: Value) -> Result<Value, Value> {
        let params = json!({ "command": command, "arguments": [argument] });
        self.request("workspace/executeCommand", params)
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A directory that belongs to a project on a server that is not there.
fn joined(home: &Path) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let project = Project {
        root: directory.path().canonicalize().unwrap(),
        server: "http://127.0.0.1:9".parse().unwrap(),
        id: "p".parse().unwrap(),
    };
    project.begin().unwrap();
    project.finish().unwrap();
    let access = Access {
        name: None,
        token: "secret".into(),
        editor_link: None,
        viewer_link: None,
    };
    Credentials::at(home.join("config/tutti/credentials.toml"))
        .keep_project(&project, access)
        .unwrap();
    directory
}

#[test]
fn a_directory_is_left_from_within_the_editor() {
    let home = tempfile::tempdir().unwrap();
    let directory = joined(home.path());
    let mut bridge = Bridge::start(home.path(), directory.path());
    let answer = bridge.command("tutti.leave", Value::Null);
    assert_eq!(answer, Ok(Value::Null));
    assert!(!directory.path().join(".tutti/project.toml").exists());
    let again = bridge.command("tutti.leave", Value::Null).unwrap_err();
    assert_eq!(again["message"], "this is no shared project");
}

#[test]
fn a_share_that_fails_says_why_and_the_bridge_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut bridge = Bridge::start(home.path(), directory.path());
    let nowhere = json!({ "server": "http://127.0.0.1:9" });
    for (command, argument) in [
        ("tutti.share", nowhere),
        ("tutti.share", json!({ "dir": 3 })),
        ("tutti.join", Value::Null),
        ("tutti.join", json!({ "link": "no link" })),
        (
            "tutti.join",
            json!({ "link": "http://127.0.0.1:9/p/abc#T" }),
        ),
    ] {
        let error = bridge.command(command, argument.clone()).unwrap_err();
        let message = error["message"].as_str().unwrap();
        assert!(!message.is_empty(), "{command} {argument}");
    }
    assert_eq!(bridge.command("tutti.peers", Value::Null), Ok(json!([])));
}

#[test]
fn it_ends_with_its_editor() {
    let home = tempfile::tempdir().unwrap();
    for inside in [true, false] {
        let directory = match inside {
            true => joined(home.path()),
            false => tempfile::tempdir().unwrap(),
        };
        // An editor that says goodbye and keeps its end of the pipe open.
        let mut bridge = Bridge::start(home.path(), directory.path());
        assert_eq!(bridge.request("shutdown", Value::Null), Ok(Value::Null));
        bridge.write(json!({ "method": "exit" }));
        assert_eq!(bridge.process.wait().unwrap().code(), Some(0));
        // One that just goes.
        let mut bridge = Bridge::start(home.path(), directory.path());
        bridge.input = None;
        assert_eq!(bridge.process.wait().unwrap().code(), Some(0));
        // One that forgets half of it.
        let mut bridge = Bridge::start(home.path(), directory.path());
        bridge.write(json!({ "method": "exit" }));
        assert_eq!(bridge.process.wait().unwrap().code(), Some(1));
    }
}

/// The server loop ends at what it cannot read; the bridge would be there, deaf, and hold the
/// directory.
#[test]
fn what_is_no_message_is_passed_over() {
    let home = tempfile::tempdir().unwrap();
    let directory = joined(home.path());
    let mut bridge = Bridge::start(home.path(), directory.path());
    let input = bridge.input.as_mut().unwrap();
    input
        .write_all(b"garbage\r\n\r\nContent-Length: 2\r\n\r\n{]Content-Length: 2\r\n\r\n{}")
        .unwrap();
    assert_eq!(bridge.command("tutti.peers", Value::Null), Ok(json!([])));
    // Nothing that follows can be found any more.
    let input = bridge.input.as_mut().unwrap();
    input.write_all(b"Content-Length: many\r\n\r\n").unwrap();
    assert_eq!(bridge.process.wait().unwrap().code(), Some(0));
    let status = Command::new(env!("CARGO_BIN_EXE_tutti"))
        .args(["lsp", "--stdio"])
        .stdin(Stdio::null())
        .status();
    assert!(status.unwrap().success());
}
