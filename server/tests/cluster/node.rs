//! A node in a process of its own, to be stopped and killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tutti_server::limits::Limits;

use crate::client::{Client, doc};
use crate::redis_server::{Kind, RedisServer};
use crate::server::{EDITOR, Server, Shared};

const SHARED: &str = "TUTTI_TEST_SHARED";
const REDIS: &str = "TUTTI_TEST_REDIS";

pub(crate) struct Node {
    pub(crate) server: Server,
    process: Child,
}

impl Node {
    pub(crate) fn start(shared: &Path, redis: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "node::serves_in_a_process_of_its_own",
                "--nocapture",
            ])
            .env(SHARED, shared)
            .env(REDIS, redis)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let addr = lines
            .find_map(|line| {
                let line = line.unwrap();
                let (_, addr) = line.split_once("listening on ")?;
                Some(addr.parse().unwrap())
            })
            .expect("the node listens");
        // Read on, so that the node never finds its output closed.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            server: Server::at(addr),
            process,
        }
    }

    /// Sends it a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.process.id(), name);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sends a signal to a process that this test has started.
pub(crate) fn signal(process: u32, name: &str) {
    let status = Command::new("kill")
        .args(["-s", name, &process.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

/// Also what a node's process runs: it finds in its environment that it is one.
#[tokio::test(flavor = "multi_thread")]
async fn serves_in_a_process_of_its_own() {
    if let (Ok(shared), Ok(redis)) = (std::env::var(SHARED), std::env::var(REDIS)) {
        return serve(Path::new(&shared), &redis).await;
    }
    let (redis, shared) = (RedisServer::start(Kind::Single), Shared::new());
    let node = Node::start(shared.path(), &redis.url());
    let mut ada = Client::yws(&node.server, "p/d", EDITOR, doc()).await;
    ada.until_synced().await;
}

#[allow(clippy::print_stdout, reason = "the test that started it reads this")]
async fn serve(shared: &Path, redis: &str) {
    let server = Server::start(shared, redis, Limits::default()).await;
    println!("listening on {}", server.addr);
    std::future::pending::<()>().await;
}
