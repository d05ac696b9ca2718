//! A server for one test that speaks MongoDB's protocol: a process of its own on a free port of
//! this machine, with data in a directory of its own. `cargo xtask setup` installs it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use mongodb::Client;
use mongodb::bson::doc;

use super::MongoUri;

/// What the names begin with of what was moved away.
const AWAY: &str = "away_";

/// A running server. Dropping it stops it and removes its data.
#[derive(Debug)]
pub struct TestServer {
    child: Child,
    port: u16,
    data: tempfile::TempDir,
    /// An empty one, or the one of before.
    other: Option<tempfile::TempDir>,
}

impl TestServer {
    /// Starts a server and waits until it listens.
    ///
    /// # Panics
    /// It is not installed, or does not start.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, with more arguments; [`TestServer::restart`] leaves them out.
    ///
    /// # Panics
    /// It is not installed, or does not start.
    pub fn start_with(arguments: &[&str]) -> Self {
        let data = tempfile::tempdir().expect("a directory for the database");
        let (child, port) = launch(0, data.path(), arguments);
        Self {
            child,
            port,
            data,
            other: None,
        }
    }

    /// Where it is, naming the database `tutti`.
    pub fn uri(&self) -> MongoUri {
        self.uri_text().parse().expect("a URI within the rules")
    }

    /// The same as text. What is asked of a server that is away fails after a second.
    pub fn uri_text(&self) -> String {
        format!(
            "mongodb://127.0.0.1:{}/tutti?serverSelectionTimeoutMS=1000",
            self.port
        )
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process that runs now.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it, as a power cut would. Its data stays.
    ///
    /// # Panics
    /// It cannot be killed.
    pub fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Starts it again, after [`TestServer::kill`], on the same port and data.
    ///
    /// # Panics
    /// It does not start.
    pub fn restart(&mut self) {
        (self.child, _) = launch(self.port, self.data.path(), &[]);
    }

    /// Starts it again, after [`TestServer::kill`], on the same port and with nothing in it; the next time with what it had
    /// before, and so on.
    ///
    /// # Panics
    /// It does not start.
    pub fn restart_as_another(&mut self) {
        let directory = || tempfile::tempdir().expect("a directory for the database");
        let other = self.other.take().unwrap_or_else(directory);
        self.other = Some(std::mem::replace(&mut self.data, other));
        self.restart();
    }

    /// Empties the database where it is: all that is in it has other names then.
    ///
    /// # Panics
    /// It does not do as it is asked.
    pub async fn move_away(&self) {
        let away = |name: &str| (!name.starts_with(AWAY)).then(|| format!("{AWAY}{name}"));
        self.rename(away).await;
    }

    /// What was moved away is back, in the place of what has come meanwhile.
    ///
    /// # Panics
    /// It does not do as it is asked.
    pub async fn move_back(&self) {
        self.rename(|name| name.strip_prefix(AWAY).map(str::to_owned))
            .await;
    }

    async fn rename(&self, to: impl Fn(&str) -> Option<String>) {
        let (uri, database) = (self.uri_text(), self.uri().database().to_owned());
        let client = Client::with_uri_str(uri).await.expect("it is there");
        let names = client.database(&database).list_collection_names().await;
        for name in names.expect("they are listed") {
            let Some(to) = to(&name) else { continue };
            let rename = doc! {
                "renameCollection": format!("{database}.{name}"),
                "to": format!("{database}.{to}"),
                "dropTarget": true,
            };
            let renamed = client.database("admin").run_command(rename).await;
            renamed.expect("it can be renamed");
        }
    }

    /// Lets it go on, or hold still without closing a connection.
    ///
    /// # Panics
    /// The signal cannot be sent.
    pub fn hold(&self, still: bool) {
        let signal = if still { "-STOP" } else { "-CONT" };
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill runs").success());
        // The signal is on its way to each thread, and one may have an answer under way.
        while still && !self.stands_still() {
            std::thread::yield_now();
        }
    }

    /// Whether every thread of it is stopped, by Linux's `/proc`.
    fn stands_still(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let tasks = tasks.expect("a process that runs has threads");
        let mut states = tasks.flatten().map(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat"));
            // The state follows the name, which may hold anything. A thread that has ended is gone.
            stat.ok()?.rsplit_once(") ")?.1.chars().next()
        });
        states.all(|state| state.is_none_or(|state| matches!(state, 'T' | 't' | 'Z' | 'X')))
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(port: u16, data: &Path, arguments: &[&str]) -> (Child, u16) {
    let program = program();
    // A signal that is ignored stays so in the program that the shell becomes: a file that may not
    // grow is an error of writing, as a full disk is, and not the end of the process.
    let mut child = Command::new("sh")
        .args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#])
        .arg(&program)
        .args(["--port", &port.to_string()])
        .arg("--storage-path")
        .arg(data)
        // Without it a journaled write is acknowledged before it is on the disk.
        .arg("--sync-on-commit")
        .args(["--cache-size", "512M", "--log-file-max", "64MB"])
        .args(["--log-level", "ERROR"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask setup`", program.display()));
    let out = child.stdout.take().expect("it has an output");
    let mut line = String::new();
    BufReader::new(out)
        .read_line(&mut line)
        .expect("its output is text");
    let port = line.trim_end().rsplit_once(':');
    let port = port.and_then(|(_, port)| port.parse().ok());
    (child, port.unwrap_or_else(|| panic!("it says {line:?}")))
}

/// Where `cargo xtask setup` has put it (`xtask/src/tools.rs`).
fn program() -> PathBuf {
    let tools = std::env::var_os("TUTTI_TEST_TOOLS").map(PathBuf::from);
    let cache = || {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let home = || std::env::home_dir().map(|home| home.join(".cache"));
        let cache = cache.or_else(home).expect("a home directory");
        cache.join("tutti-test-tools")
    };
    tools.unwrap_or_else(cache).join("mongodb/secantusd-rs")
}
