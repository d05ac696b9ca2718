//! What a server took to deliver what was typed.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::Args;
use crate::clients::{Crowd, Typed};
use crate::node::{Node, Redis};
use crate::servers::Server;

/// Of all nodes together.
pub(crate) struct Figures {
    server: Server,
    typed: Typed,
    /// Processor time.
    took: Duration,
    /// In bytes, at the end.
    memory: u64,
    /// Redis' processor time, where there is one.
    redis: Option<Duration>,
    /// What should have been delivered.
    expected: u64,
    /// Trips to the store; only Tutti tells them.
    trips: f64,
}

impl Figures {
    /// People join the nodes, and type.
    pub(crate) async fn measure(
        server: Server,
        args: &Args,
        nodes: &[Node],
        redis: Option<&Redis>,
    ) -> Result<Self> {
        let addresses: Vec<_> = nodes.iter().map(Node::addr).collect();
        let crowd = Crowd::join(server, &addresses, args.rooms, args.clients).await?;
        let (before, trips_before) = (used(nodes)?, trips(server, nodes)?);
        let redis_before = redis.map(Redis::used).transpose()?.unwrap_or_default();
        let typed = crowd.type_for(args.keys, args.seconds).await?;
        let redis = redis.map(Redis::used).transpose()?;
        Ok(Self {
            server,
            expected: typed.sent * (args.clients as u64 - 1),
            typed,
            took: used(nodes)?.saturating_sub(before),
            trips: trips(server, nodes)? - trips_before,
            memory: nodes.iter().map(Node::memory).sum::<Result<u64>>()?,
            redis: redis.map(|used| used.saturating_sub(redis_before)),
        })
    }

    /// In microseconds of processor time.
    fn each_delivered(&self) -> f64 {
        self.took.as_secs_f64() * 1e6 / self.typed.delivered as f64
    }

    fn memory_mib(&self) -> f64 {
        self.memory as f64 / f64::from(1 << 20)
    }

    /// One server's, in lines.
    pub(crate) fn print(&self) {
        let (typed, expected) = (&self.typed, self.expected);
        println!("updates typed           {:>10}", typed.sent);
        println!(
            "updates delivered       {:>10} of {expected}",
            typed.delivered
        );
        println!(
            "processor time          {:>10.2} s in all nodes",
            self.took.as_secs_f64()
        );
        println!("for each delivered one  {:>10.1} µs", self.each_delivered());
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
            self.trips * 1e3 / typed.sent as f64
        );
        println!("memory at the end       {:>10.1} MiB", self.memory_mib());
        if let Some(redis) = self.redis {
            println!("Redis beside them       {:>10.2} s", redis.as_secs_f64());
        }
    }
}

/// Several servers' under one load, the first of which the others are compared with. A server that cannot keep up
/// delivers less, and later.
pub(crate) fn print_table(all: &[Figures]) {
    println!();
    println!(
        "{:<12} {:>14} {:>7} {:>11} {:>18} {:>16} {:>7}",
        "", "each delivered", "ratio", "delivered", "median and 99 %", "memory", "ratio"
    );
    let Some(first) = all.first() else {
        return;
    };
    for one in all {
        println!(
            "{:<12} {:>11.1} µs {:>7.2} {:>9.1} % {:>6.1} {:>8.1} ms {:>12.1} MiB {:>7.2}",
            one.server.name(),
            one.each_delivered(),
            one.each_delivered() / first.each_delivered(),
            one.typed.delivered as f64 * 100.0 / one.expected as f64,
            one.typed.latency.at_ms(0.5),
            one.typed.latency.at_ms(0.99),
            one.memory_mib(),
            one.memory_mib() / first.memory_mib(),
        );
    }
}

fn used(nodes: &[Node]) -> Result<Duration> {
    nodes
        .iter()
        .map(Node::used)
        .sum::<Result<Duration>>()
        .context("the system does not tell how much processor time a node took")
}

/// Operations of the database, or the embedded store's commits, of all nodes.
fn trips(server: Server, nodes: &[Node]) -> Result<f64> {
    if server != Server::Tutti {
        return Ok(0.0);
    }
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
