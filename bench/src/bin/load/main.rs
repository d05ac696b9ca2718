//! What delivering an edit costs the server: people who type in rooms, on one node or on several
//! over a Redis, and the processor time that the nodes take for each update they deliver. Then, if asked, people who open
//! one document after the other, and how many of these were in memory.
//!
//! `cargo xtask bench --load -- --nodes 2 --mongodb`, which measures peers beside it.
#![allow(clippy::print_stdout)] // The figures are what this is for.

mod clients;
mod figures;
mod floor;
mod node;
mod servers;
mod visits;

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;

use figures::Figures;
use floor::Floor;
use node::{Node, Redis};
use servers::Server;
use tutti_server::mongo::MongoUri;
use tutti_server::mongo::test_server::TestServer;

/// How much is typed, and where.
#[derive(Debug, Clone, Parser)]
struct Args {
    /// Server processes; more than one work over a Redis that is started for it.
    #[arg(long, default_value_t = 1)]
    nodes: usize,
    /// Documents that people are in.
    #[arg(long, default_value_t = 20)]
    rooms: usize,
    /// People in each of them, spread over the nodes.
    #[arg(long, default_value_t = 10)]
    clients: usize,
    /// Keys a second of each.
    #[arg(long, default_value_t = 20)]
    keys: u32,
    /// How long.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// Keep it in a MongoDB-compatible server that is started for it, instead of in SQLite.
    #[arg(long)]
    mongodb: bool,
    /// No Redis: the nodes follow each other through their database.
    #[arg(long, requires = "mongodb")]
    without_redis: bool,
    /// Measure other servers under the same load, one after the other: their packages must be installed, as
    /// `cargo xtask bench --load` does.
    #[arg(long)]
    beside: bool,
    /// So many visits to documents, of which there are a tenth as many, 32 KiB each; four of five go to the same fifth.
    #[arg(long, default_value_t = 0)]
    visits: usize,
    /// Memory of each node for documents, in MiB.
    #[arg(long, default_value_t = 256)]
    cache_mb: usize,
    /// For the processes that this one starts.
    #[arg(long, hide = true)]
    serve: Option<String>,
    /// The same.
    #[arg(long, hide = true)]
    redis: Option<String>,
    /// The same.
    #[arg(long, hide = true)]
    database: Option<MongoUri>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Runtime::new()?;
    match &args.serve {
        Some(dir) => {
            let (redis, database) = (args.redis.as_deref(), args.database.as_ref());
            runtime.block_on(node::serve(dir, redis, database, args.cache_mb))
        }
        None => runtime.block_on(measure(&args)),
    }
}

async fn measure(args: &Args) -> Result<()> {
    ensure!(args.nodes > 0, "there must be a node");
    println!(
        "{} nodes on {}{}, {} rooms, {} people each, {} keys a second, {} s",
        args.nodes,
        if args.mongodb { "MongoDB" } else { "SQLite" },
        if args.without_redis { " alone" } else { "" },
        args.rooms,
        args.clients,
        args.keys,
        args.seconds
    );
    let mut all = vec![own(args).await?];
    let peers = servers::PEERS.iter().filter(|_| args.beside);
    for peer in peers.filter(|peer| args.nodes == 1 || peer.is_for_many_nodes()) {
        all.push(beside(args, *peer).await?);
    }
    if let [_, _, ..] = all.as_slice() {
        figures::print_table(&all);
    }
    Ok(())
}

/// Tutti's own figures.
async fn own(args: &Args) -> Result<Figures> {
    let dir = tempfile::tempdir()?;
    let redis = match args.nodes > 1 && !args.without_redis {
        true => Some(Redis::start()?),
        false => None,
    };
    let url = redis.as_ref().map(Redis::url);
    let database = args.mongodb.then(TestServer::start);
    let uri = database.as_ref().map(TestServer::uri_text);
    let nodes = (0..args.nodes)
        .map(|_| Node::start(dir.path(), url.as_deref(), uri.as_deref(), args.cache_mb))
        .collect::<Result<Vec<Node>>>()?;
    // Nodes know each other by signs of life, once a second.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let floor = match &database {
        Some(database) => Some(Floor::measure(&database.uri(), args.seconds).await?),
        None => None,
    };
    let figures = Figures::measure(Server::Tutti, args, &nodes, redis.as_ref()).await?;
    figures.print();
    if let Some(floor) = floor {
        let floor = floor.ended().await?;
        println!(
            "a bare insertion        {:>7.1} ms {:>7.1} ms, beside all that",
            floor.at_ms(0.5),
            floor.at_ms(0.99)
        );
    }
    if args.mongodb {
        print_operations(&nodes)?;
    }
    if args.visits > 0 {
        visits::measure(&nodes, args.visits).await?;
    }
    Ok(figures)
}

/// A peer's figures, under the same load.
async fn beside(args: &Args, peer: Server) -> Result<Figures> {
    let dir = tempfile::tempdir()?;
    let redis = match args.nodes > 1 {
        true => Some(Redis::start()?),
        false => None,
    };
    let port = redis.as_ref().map(Redis::port);
    let nodes = (0..args.nodes)
        .map(|_| Node::of(peer.peer(dir.path(), port)?))
        .collect::<Result<Vec<Node>>>()?;
    Figures::measure(peer, args, &nodes, redis.as_ref()).await
}

/// Which operations the trips to the database were, and how long they took.
fn print_operations(nodes: &[Node]) -> Result<()> {
    for operation in ["insert", "find", "aggregate", "update", "delete"] {
        let all = |figure: &str| {
            let name = format!("tutti_mongodb_operation_seconds_{figure}");
            let label = format!("operation=\"{operation}\"");
            let of_each = nodes.iter().map(|node| node.figure(&name, &label));
            of_each.sum::<Result<f64>>()
        };
        let (seconds, count) = (all("sum")?, all("count")?);
        if count > 0.0 {
            let mean_ms = seconds * 1e3 / count;
            println!("  {operation:<10} {count:>22.0} of {mean_ms:>5.1} ms");
        }
    }
    Ok(())
}
