//! A real Redis on a free port of this machine, which ends with its test.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How Redis runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Single,
    /// A cluster of one member that has all slots.
    Cluster,
}

pub(crate) struct RedisServer {
    pub(crate) port: u16,
    kind: Kind,
    dir: TempDir,
    process: Option<Child>,
}

impl RedisServer {
    pub(crate) fn start(kind: Kind) -> Self {
        let mut server = Self::absent(kind);
        server.launch();
        if kind == Kind::Cluster {
            server.say(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
            server.until(Self::is_whole);
        }
        server
    }

    /// A cluster of two members, each with half of the slots.
    pub(crate) fn start_two() -> (Self, Self) {
        let (mut one, mut two) = (Self::absent(Kind::Cluster), Self::absent(Kind::Cluster));
        one.launch();
        two.launch();
        one.say(&["CLUSTER", "ADDSLOTSRANGE", "0", "8191"]);
        two.say(&["CLUSTER", "ADDSLOTSRANGE", "8192", "16383"]);
        one.say(&["CLUSTER", "MEET", "127.0.0.1", &two.port.to_string()]);
        one.until(Self::is_whole);
        two.until(Self::is_whole);
        (one, two)
    }

    fn is_whole(&self) -> bool {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_connection().unwrap();
        let info: String = redis::cmd("CLUSTER")
            .arg("INFO")
            .query(&mut connection)
            .unwrap();
        info.contains("cluster_state:ok")
    }

    /// One that does not run yet.
    pub(crate) fn absent(kind: Kind) -> Self {
        // A cluster's members also use the port 10,000 above.
        let port = loop {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            if port < 50_000 && TcpListener::bind((Ipv4Addr::LOCALHOST, port + 10_000)).is_ok() {
                break port;
            }
        };
        Self {
            port,
            kind,
            dir: tempfile::tempdir().unwrap(),
            process: None,
        }
    }

    pub(crate) fn launch(&mut self) {
        let port = self.port.to_string();
        let mut command = Command::new("redis-server");
        command
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", ""])
            .args(["--daemonize", "no", "--appendonly", "no"])
            .arg("--dir")
            .arg(self.dir.path())
            .stdout(Stdio::null());
        if self.kind == Kind::Cluster {
            command.args(["--cluster-enabled", "yes"]);
        }
        let process = command
            .spawn()
            .expect("redis-server runs here: `cargo xtask setup` installs it");
        self.process = Some(process);
        self.until(|server| TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).is_ok());
    }

    fn until(&self, done: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !done(self) {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "Redis does not start"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn say(&self, words: &[&str]) {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_connection().unwrap();
        let mut command = redis::cmd(words[0]);
        let _: redis::Value = command.arg(&words[1..]).query(&mut connection).unwrap();
    }

    /// Sends bytes of anybody's making to a channel.
    pub(crate) fn publish(&self, channel: &str, bytes: &[u8]) -> i64 {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_connection().unwrap();
        let mut publish = redis::cmd("PUBLISH");
        publish
            .arg(channel)
            .arg(bytes)
            .query(&mut connection)
            .unwrap()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Sends it a signal by its name.
    pub(crate) fn signal(&self, signal: &str) {
        super::node::signal(self.process.as_ref().unwrap().id(), signal);
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
