//! What delivering an edit costs the server: people who type in rooms, on one node or on several
//! over a Redis, and the processor time that the nodes take for each update they deliver. Then, if asked, people who open
//! one document after the other, and how many of these were in memory.
//!
//! `cargo run --release -p tutti-bench --bin load -- --nodes 2 --mongodb`
#![allow(clippy::print_stdout)] // The figures are what this is for.

mod clients;
mod node;
mod visits;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;

use node::{Node, Redis};
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

    let addresses: Vec<_> = nodes.iter().map(Node::addr).collect();
    let crowd = clients::Crowd::join(&addresses, args.rooms, args.clients).await?;
    let before = used(&nodes)?;
    let trips_before = trips(&nodes)?;
    let redis_before = redis.as_ref().map(Redis::used).transpose()?;
    let typed = crowd.type_for(args.keys, args.seconds).await?;
    let after = used(&nodes)?;
    let took = after.saturating_sub(before);
    let trips = trips(&nodes)? - trips_before;

    let expected = typed.sent * (args.clients as u64 - 1);
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
    println!("updates typed           {:>10}", typed.sent);
    println!(
        "updates delivered       {:>10} of {expected}",
        typed.delivered
    );
    println!(
        "processor time          {:>10.2} s in all nodes",
        took.as_secs_f64()
    );
    println!(
        "for each delivered one  {:>10.1} µs",
        took.as_secs_f64() * 1e6 / typed.delivered as f64
    );
    println!(
        "median and 99 % latency {:>7.1} ms {:>7.1} ms",
        typed.latency.at_ms(0.5),
        typed.latency.at_ms(0.99)
    );
    println!(
        "until it is saved       {:>7.1} ms {:>7.1} ms, at most {:.1} ms",
        typed.saved.at_ms(0.5),
        typed.saved.at_ms(0.99),
        typed.saved.at_ms(1.0)
    );
    println!(
        "trips to the store      {:>10.1} for 1,000 updates typed",
        trips * 1e3 / typed.sent as f64
    );
    if args.mongodb {
        print_operations(&nodes)?;
    }
    if let (Some(redis), Some(before)) = (&redis, redis_before) {
        let redis = redis.used()?.saturating_sub(before);
        println!("Redis beside them       {:>10.2} s", redis.as_secs_f64());
    }
    if args.visits > 0 {
        visits::measure(&nodes, args.visits).await?;
    }
    Ok(())
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

/// Operations of the database, or the embedded store's commits, of all nodes.
fn trips(nodes: &[Node]) -> Result<f64> {
    let names = [
        "tutti_mongodb_operations_total",
        "tutti_store_commits_total",
    ];
    for name in names {
        let all = nodes.iter().map(|node| node.figure(name, ""));
        let all = all.sum::<Result<f64>>()?;
        if all > 0.0 {
            return Ok(all);
        }
    }
    Ok(0.0)
}

fn used(nodes: &[Node]) -> Result<Duration> {
    nodes
        .iter()
        .map(Node::used)
        .sum::<Result<Duration>>()
        .context("the system does not tell how much processor time a node took")
}
