//! Three nodes, Redis and a database, each node on wires of its own, and what can happen to them.

use anyhow::Result;
use tutti_server::mongo::test_server::TestServer;
use tutti_tests::collab::Member;
use tutti_tests::redis::Redis;
use tutti_tests::rest::Project;
use tutti_tests::server::Server;
use tutti_tests::stock::Target;
use tutti_tests::wire::{Spoken, Trouble, Wire};

pub(crate) const NODES: usize = 3;

pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Server>,
    /// The way of each node to Redis, and to the database.
    pub(crate) to_redis: Vec<Wire>,
    pub(crate) to_database: Vec<Wire>,
    pub(crate) redis: Redis,
    pub(crate) database: TestServer,
    project: Project,
}

impl Cluster {
    pub(crate) fn start(seed: u64) -> Result<Self> {
        let database = TestServer::start();
        let redis = Redis::start()?;
        let wires = |port, spoken| -> Result<Vec<Wire>> {
            let seeds = (0..NODES as u64).map(|node| seed ^ node);
            seeds.map(|seed| Wire::to(port, spoken, seed)).collect()
        };
        let to_redis = wires(redis.port(), Spoken::Redis)?;
        let to_database = wires(database.port(), Spoken::MongoDb)?;
        let start = |redis: &Wire, database: &Wire| {
            let (mongodb, redis) = (uri(database.port()), redis.port());
            let redis = format!("redis://127.0.0.1:{redis}");
            Server::start_with(&["--mongodb", &mongodb, "--redis", &redis])
        };
        let wires = to_redis.iter().zip(&to_database);
        let nodes = wires
            .map(|(redis, database)| start(redis, database))
            .collect::<Result<Vec<Server>>>()?;
        let project = nodes[0].rest()?.make_project("chaos")?;
        Ok(Self {
            nodes,
            to_redis,
            to_database,
            redis,
            database,
            project,
        })
    }

    pub(crate) fn addresses(&self) -> Vec<String> {
        self.nodes.iter().map(Server::ws_url).collect()
    }

    /// A client that is not connected yet, of a node.
    pub(crate) fn member(&self, node: &Server, room: usize, client: u64) -> Member {
        let to = Target {
            server: &node.ws_url(),
            project: &self.project.id,
            document: &format!("room-{room}"),
            token: self.project.editor_token(),
        };
        Member::new(to, client)
    }

    /// The path of a room for y-websocket clients.
    pub(crate) fn path(&self, room: usize) -> String {
        let token = self.project.editor_token();
        format!("/ws/{}/room-{room}?token={token}", self.project.id)
    }

    /// A node that knows what is in the database and nothing else.
    pub(crate) fn fresh_node(&self) -> Result<Server> {
        Server::start_with(&["--mongodb", &uri(self.database.port())])
    }

    pub(crate) fn kill_all_nodes(&mut self) -> Result<()> {
        self.nodes.iter_mut().try_for_each(Server::kill)
    }

    pub(crate) fn restart_all_nodes(&mut self) -> Result<()> {
        std::thread::scope(|scope| {
            let nodes = self.nodes.iter_mut();
            let starting = nodes.map(|node| scope.spawn(|| node.restart()));
            let starting: Vec<_> = starting.collect();
            let mut started = starting.into_iter().map(|one| one.join());
            started.try_for_each(|started| started.expect("nobody panics"))
        })
    }

    /// The same trouble on every node's way to the database.
    pub(crate) fn database_trouble(&self, trouble: Trouble) {
        for wire in &self.to_database {
            wire.trouble(trouble);
        }
    }

    /// The same trouble on every node's way to Redis.
    pub(crate) fn redis_trouble(&self, trouble: Trouble) {
        for wire in &self.to_redis {
            wire.trouble(trouble);
        }
    }

    /// What the wires have swallowed so far.
    pub(crate) fn swallowed(&self) -> u64 {
        let wires = self.to_redis.iter().chain(&self.to_database);
        wires.map(Wire::swallowed).sum()
    }
}

fn uri(port: u16) -> String {
    // The server would name itself without the wire.
    format!("mongodb://127.0.0.1:{port}/tutti?directConnection=true")
}
