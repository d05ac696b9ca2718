//! The program itself: what it prints, and how it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

struct Program {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
}

fn program(args: &[&str], data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tutti-server"));
    command.args(["--data", data.to_str().unwrap()]).args(args);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Program {
    fn start(mut command: Command) -> Program {
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Program { child, stdout }
    }

    /// Starts it on a free port; the line that it prints when it serves.
    fn serve(data: &Path) -> (Program, String) {
        let mut program = Program::start(program(&["--listen", "127.0.0.1:0"], data));
        let mut line = String::new();
        program.stdout.read_line(&mut line).unwrap();
        (program, line)
    }

    #[cfg(unix)]
    fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([name, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    fn end(&mut self) -> (Option<i32>, String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        self.stdout.read_to_string(&mut out).unwrap();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        (self.child.wait().unwrap().code(), out, err)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts it where it cannot start: its exit code and its sentence.
fn refusal(args: &[&str], data: &Path) -> (i32, String) {
    let mut program = Program::start(program(args, data));
    let mut line = String::new();
    program.stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "", "it serves");
    let (code, _, sentence) = program.end();
    assert_eq!(sentence.lines().count(), 1, "{sentence}");
    assert!(sentence.starts_with("tutti-server: "), "{sentence}");
    (code.unwrap(), sentence)
}

#[cfg(unix)]
#[test]
fn serves_says_where_and_stops_when_told() {
    for signal in ["-TERM", "-INT"] {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("new/data");
        let (mut server, line) = Program::serve(&data);
        let address = line
            .trim_end()
            .strip_prefix("listening on http://127.0.0.1:")
            .unwrap();
        assert_ne!(address.parse::<u16>().unwrap(), 0);
        let token = std::fs::read_to_string(data.join("admin-token")).unwrap();
        server.signal(signal);
        let (code, out, err) = server.end();
        assert_eq!(code, Some(0), "{err}");
        assert_eq!(out, "", "nothing but the one line");
        assert!(
            err.contains(data.join("admin-token").to_str().unwrap()),
            "{err}"
        );
        assert!(!err.contains(token.trim()), "the token is never shown");
    }
}

/// A token may be asked with rightly, wrongly, over REST and over a socket: no log shows it.
#[cfg(unix)]
#[test]
fn no_log_shows_a_token() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Program::start(program(
        &[
            "--listen",
            "127.0.0.1:0",
            "--log-filter",
            "trace",
            "--log",
            "json",
        ],
        dir.path(),
    ));
    let mut err = server.child.stderr.take().unwrap();
    let log = std::thread::spawn(move || {
        let mut log = String::new();
        err.read_to_string(&mut log).unwrap();
        log
    });
    let mut line = String::new();
    server.stdout.read_line(&mut line).unwrap();
    let address = line
        .trim_end()
        .strip_prefix("listening on http://")
        .unwrap();
    let admin = std::fs::read_to_string(dir.path().join("admin-token"))
        .unwrap()
        .trim()
        .to_owned();
    let wrong = tutti_server::auth::Token::generate()
        .unwrap()
        .reveal()
        .to_owned();
    for token in [&admin, &wrong] {
        for request in [
            format!("GET /api/projects HTTP/1.1\r\nAuthorization: Bearer {token}\r\n"),
            format!(
                "GET /ws/p/d?token={token} HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            ),
        ] {
            let connection = if request.contains("Upgrade") {
                "Upgrade"
            } else {
                "close"
            };
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            write!(
                stream,
                "{request}Host: localhost\r\nConnection: {connection}\r\n\r\n"
            )
            .unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap();
        }
    }
    server.signal("-TERM");
    server.child.wait().unwrap();
    let log = log.join().unwrap();
    assert!(log.lines().count() > 10, "{log}");
    for token in [admin, wrong] {
        assert!(!log.contains(&token[12..]), "{log}");
    }
}

#[cfg(unix)]
#[test]
fn files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (_server, _) = Program::serve(&data);
    assert_eq!(
        std::fs::metadata(&data).unwrap().permissions().mode() & 0o777,
        0o700
    );
    for entry in std::fs::read_dir(&data).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
}

#[cfg(unix)]
#[test]
fn an_open_connection_does_not_keep_it_up() {
    let dir = tempfile::tempdir().unwrap();
    let (mut server, line) = Program::serve(dir.path());
    let address = line
        .trim_end()
        .strip_prefix("listening on http://")
        .unwrap();
    let _silent = std::net::TcpStream::connect(address).unwrap();
    server.signal("-TERM");
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn one_data_directory_one_server() {
    let dir = tempfile::tempdir().unwrap();
    let (_server, _) = Program::serve(dir.path());
    let (code, sentence) = refusal(&["--listen", "127.0.0.1:0"], dir.path());
    assert_eq!(code, 1);
    assert!(
        sentence.contains("in use by another tutti-server"),
        "{sentence}"
    );
}

#[test]
fn of_many_first_starts_at_once_one_serves() {
    let dir = tempfile::tempdir().unwrap();
    let mut started: Vec<_> = (0..6)
        .map(|_| {
            program(&["--listen", "127.0.0.1:0"], dir.path())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut serving = Vec::new();
    for child in &mut started {
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        match line.is_empty() {
            false => serving.push(child),
            true => assert_eq!(child.wait().unwrap().code(), Some(1)),
        }
    }
    assert_eq!(serving.len(), 1);
    for child in serving {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let token = std::fs::read_to_string(dir.path().join("admin-token")).unwrap();
    let (mut server, _) = Program::serve(dir.path());
    assert_eq!(
        std::fs::read_to_string(dir.path().join("admin-token")).unwrap(),
        token
    );
    server.child.kill().unwrap();
    assert!(!server.end().2.contains("first start"));
}

#[test]
fn the_port_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, sentence) = refusal(&["--listen", &address], dir.path());
    assert_eq!(code, 1);
    assert!(
        sentence.contains(&address) && sentence.contains("--listen"),
        "{sentence}"
    );
}

#[test]
fn the_data_directory_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    // Not even root can make a directory below a file.
    let (code, sentence) = refusal(&["--listen", "127.0.0.1:0"], &file.join("data"));
    assert_eq!(code, 1);
    assert!(
        sentence.contains("cannot write to the data directory") && sentence.contains("--data"),
        "{sentence}"
    );
}

#[test]
fn damaged_data_is_never_taken_for_none() {
    for name in ["directory.db", "documents.db"] {
        let dir = tempfile::tempdir().unwrap();
        let garbage = "no database ".repeat(1000);
        std::fs::write(dir.path().join(name), &garbage).unwrap();
        let (code, sentence) = refusal(&["--listen", "127.0.0.1:0"], dir.path());
        assert_eq!(code, 1);
        assert!(sentence.contains(name), "{sentence}");
        assert_eq!(
            std::fs::read_to_string(dir.path().join(name)).unwrap(),
            garbage
        );
    }
}

#[test]
fn wrong_usage() {
    let dir = tempfile::tempdir().unwrap();
    for (args, word) in [
        (&["--listen", "here"][..], "--listen"),
        (&["--wat"], "--wat"),
        (&["--mongodb", "localhost:27017"], "mongodb://HOST"),
        (&["--redis", "localhost"], "redis://"),
        (&["--config", "/nowhere/tutti.toml"], "/nowhere/tutti.toml"),
        (&["--log-filter", "a=b=c"], "--log-filter"),
    ] {
        let (code, sentence) = refusal(args, dir.path());
        assert_eq!(code, 2, "{sentence}");
        assert!(sentence.contains(word), "{sentence}");
    }
    assert!(
        !dir.path().join("admin-token").exists(),
        "nothing is touched"
    );
}

/// A Redis that is away keeps nobody from working; `/readyz` and the log say so.
#[test]
fn a_redis_that_is_away_is_said() {
    let dir = tempfile::tempdir().unwrap();
    // Nobody listens on a port that has just been let go.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let url = format!("redis://:secret@{address}");
    let mut command = program(&["--listen", "127.0.0.1:0"], dir.path());
    command.env("TUTTI_REDIS", url);
    let mut server = Program::start(command);
    let mut line = String::new();
    server.stdout.read_line(&mut line).unwrap();
    let serves = line.trim().strip_prefix("listening on ").unwrap();
    let mut stderr = BufReader::new(server.child.stderr.take().unwrap()).lines();
    let said = stderr
        .find(|line| line.as_ref().unwrap().contains("Redis"))
        .unwrap()
        .unwrap();
    assert!(said.contains(&address.to_string()), "{said}");
    assert!(!said.contains("secret"), "{said}");
    let mut ready = ureq::get(format!("{serves}/readyz")).call().unwrap();
    let ready: serde_json::Value = ready.body_mut().read_json().unwrap();
    assert_eq!(ready["ready"], true);
    let remark = ready["remarks"][0].as_str().unwrap();
    assert!(remark.contains("Redis") && remark.contains(&address.to_string()));
    let advice = "nothing listens at its address; start it, or correct --redis";
    assert!(remark.contains(advice), "{remark}");
    assert!(!remark.contains("secret"), "{remark}");
    let mut figures = ureq::get(format!("{serves}/metrics")).call().unwrap();
    let figures = figures.body_mut().read_to_string().unwrap();
    assert!(figures.contains("tutti_fanout_connected 0"), "{figures}");
}

#[test]
fn a_database_that_is_not_there_is_waited_for_and_then_said() {
    let dir = tempfile::tempdir().unwrap();
    // Taken and given back: nothing listens at its address.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let uri = format!("mongodb://ada:secret@127.0.0.1:{port}/notes?serverSelectionTimeoutMS=2000");
    let mut program = Program::start(program(
        &["--listen", "127.0.0.1:0", "--mongodb", &uri],
        dir.path(),
    ));
    let (code, out, err) = program.end();
    assert_eq!((code, &*out), (Some(1), ""), "{err}");
    let last = err.lines().last().unwrap();
    assert!(
        last.starts_with("tutti-server: cannot reach MongoDB at 127.0.0.1:"),
        "{err}"
    );
    assert!(
        last.contains("database notes") && last.contains("nothing listens at its address"),
        "{err}"
    );
    assert!(err.contains("waiting up to 2 s for"), "{err}");
    assert!(!err.contains("secret"), "{err}");
    assert!(!dir.path().join("admin-token").exists(), "nothing is made");
}

#[cfg(unix)]
#[test]
fn a_start_that_waits_for_its_database_stops_when_told() {
    let dir = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("mongodb://{}/", free.local_addr().unwrap());
    drop(free);
    let mut command = program(&["--listen", "127.0.0.1:0", "--mongodb", &uri], dir.path());
    command.env("TUTTI_LOG", "json");
    let mut program = Program::start(command);
    let mut line = String::new();
    let mut errors = BufReader::new(program.child.stderr.take().unwrap());
    errors.read_line(&mut line).unwrap();
    assert!(line.contains("waiting up to"), "{line}");
    program.signal("-TERM");
    assert_eq!(program.child.wait().unwrap().code(), Some(0));
}

#[test]
fn migrate_says_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let nothing = format!("sqlite:{}", dir.path().join("none").display());
    let other = format!("sqlite:{}", dir.path().join("other").display());
    for (args, code, word) in [
        (vec!["migrate"], 2, "--from"),
        (
            vec!["migrate", "--from", "here", "--to", &other],
            2,
            "sqlite:DIR",
        ),
        (
            vec!["migrate", "--from", &nothing, "--to", &other],
            1,
            "nothing to copy",
        ),
        (
            vec!["migrate", "--from", &other, "--to", &other],
            1,
            "two different places",
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_tutti-server"))
            .args(&args)
            .output()
            .unwrap();
        let sentence = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{sentence}");
        assert_eq!(sentence.lines().count(), 1, "{sentence}");
        assert!(sentence.contains(word), "{sentence}");
    }
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        0,
        "nothing is made"
    );
}

#[test]
fn help_and_version_are_no_failures() {
    let dir = tempfile::tempdir().unwrap();
    for flag in ["--help", "--version"] {
        let output = program(&[flag], dir.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(
            String::from_utf8(output.stdout)
                .unwrap()
                .contains("tutti-server")
        );
    }
}
