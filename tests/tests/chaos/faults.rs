//! The table of faults.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use std::process::Command;
use tutti_tests::server::Server;
use tutti_tests::wire::{Refusal, Trouble};

use crate::cluster::{Cluster, NODES};

/// One row of the table.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    /// Whether it is in the selection that every test run makes.
    pub(crate) is_usual: bool,
    /// Begins it; one node is its victim.
    pub(crate) hit: fn(&mut Cluster, usize) -> Result<()>,
    /// How long it lasts.
    pub(crate) lasts: Duration,
    /// Ends it.
    pub(crate) heal: fn(&mut Cluster, usize) -> Result<()>,
    pub(crate) expects: Expects,
    /// Whether the wires swallow or refuse something, which a fault of this kind that does nothing would not.
    pub(crate) swallows: bool,
}

/// What has to be the case while it lasts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expects {
    /// Nothing but what has to be the case afterwards.
    Nothing,
    /// Everybody goes on to see what everybody types, at the latest after this.
    Together(Duration),
    /// The same, and everybody is told that nothing is saved.
    Unsaved,
    /// All nodes die as soon as it is over, before anybody can send anything twice.
    ThenDark,
}

/// Redis, or a node that is cut off from it, is given up and the store followed so soon that an edit takes this at most.
const THROUGH_THE_STORE: Expects = Expects::Together(seconds(2));

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const FREEZE: Duration = seconds(10);

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "kill-node",
        is_usual: true,
        hit: |all, node| all.nodes[node].kill(),
        lasts: seconds(2),
        heal: |all, node| all.nodes[node].restart(),
        expects: Expects::Nothing,
        swallows: false,
    },
    Fault {
        name: "kill-redis",
        is_usual: false,
        hit: |all, _| all.redis.kill(),
        lasts: seconds(5),
        heal: |all, _| all.redis.restart(),
        expects: THROUGH_THE_STORE,
        swallows: false,
    },
    Fault {
        name: "kill-database",
        is_usual: false,
        hit: |all, _| {
            all.database.kill();
            Ok(())
        },
        lasts: seconds(4),
        heal: |all, _| {
            all.database.restart();
            Ok(())
        },
        expects: Expects::Unsaved,
        swallows: false,
    },
    Fault {
        name: "kill-node-and-redis",
        is_usual: false,
        hit: |all, node| {
            all.nodes[node].kill()?;
            all.redis.kill()
        },
        lasts: seconds(3),
        heal: |all, node| {
            all.redis.restart()?;
            all.nodes[node].restart()
        },
        expects: Expects::Nothing,
        swallows: false,
    },
    Fault {
        name: "kill-node-and-database",
        is_usual: false,
        hit: |all, node| {
            all.database.kill();
            all.nodes[node].kill()
        },
        lasts: seconds(3),
        heal: |all, node| {
            all.database.restart();
            all.nodes[node].restart()
        },
        expects: Expects::Nothing,
        swallows: false,
    },
    Fault {
        name: "kill-redis-and-database",
        is_usual: false,
        hit: |all, _| {
            all.database.kill();
            all.redis.kill()
        },
        lasts: seconds(4),
        heal: |all, _| {
            all.database.restart();
            all.redis.restart()
        },
        expects: Expects::Nothing,
        swallows: false,
    },
    Fault {
        name: "kill-node-redis-and-database",
        is_usual: false,
        hit: |all, node| {
            all.database.kill();
            all.redis.kill()?;
            all.nodes[node].kill()
        },
        lasts: seconds(3),
        heal: |all, node| {
            all.database.restart();
            all.redis.restart()?;
            all.nodes[node].restart()
        },
        expects: Expects::Nothing,
        swallows: false,
    },
    Fault {
        name: "kill-everything",
        is_usual: true,
        hit: |all, _| {
            all.kill_all_nodes()?;
            all.database.kill();
            all.redis.kill()
        },
        lasts: seconds(1),
        heal: |all, _| {
            all.database.restart();
            all.redis.restart()?;
            all.restart_all_nodes()
        },
        expects: Expects::Nothing,
        swallows: false,
    },
    // A slow database makes the time long in which an edit is at the other nodes and not yet stored by its own.
    Fault {
        name: "kill-node-before-it-saves-then-the-others",
        is_usual: true,
        hit: |all, node| {
            all.to_database[node].trouble(Trouble {
                is_held: true,
                ..Trouble::default()
            });
            std::thread::sleep(seconds(1));
            all.nodes[node].kill()
        },
        // Its people have come to the others, which tell them that all is saved.
        lasts: seconds(3),
        heal: |all, node| {
            all.to_database[node].mend();
            all.nodes[node].restart()
        },
        expects: Expects::ThenDark,
        swallows: false,
    },
    // People at the others type behind what its people typed, and are told that they are saved.
    Fault {
        name: "one-node-does-not-save-and-all-die",
        is_usual: true,
        hit: |all, node| {
            all.to_database[node].trouble(Trouble {
                is_held: true,
                ..Trouble::default()
            });
            Ok(())
        },
        lasts: seconds(3),
        // What is held does not arrive; the lights go out before it can be sent again.
        heal: |all, node| {
            all.to_database[node].trouble(Trouble {
                is_cut: true,
                ..Trouble::default()
            });
            all.to_database[node].mend();
            Ok(())
        },
        expects: Expects::ThenDark,
        swallows: false,
    },
    Fault {
        name: "freeze-node",
        is_usual: true,
        hit: |all, node| all.nodes[node].hold(true),
        lasts: FREEZE,
        heal: |all, node| all.nodes[node].hold(false),
        expects: Expects::Nothing,
        swallows: false,
    },
    Fault {
        name: "freeze-redis",
        is_usual: true,
        hit: |all, _| all.redis.hold(true),
        lasts: FREEZE,
        heal: |all, _| all.redis.hold(false),
        expects: THROUGH_THE_STORE,
        swallows: false,
    },
    Fault {
        name: "freeze-database",
        is_usual: true,
        hit: |all, _| {
            all.database.hold(true);
            Ok(())
        },
        lasts: FREEZE,
        heal: |all, _| {
            all.database.hold(false);
            Ok(())
        },
        expects: Expects::Unsaved,
        swallows: false,
    },
    Fault {
        name: "redis-drops-messages",
        is_usual: true,
        hit: |all, _| {
            all.redis_trouble(Trouble {
                swallowed: 300,
                ..Trouble::default()
            });
            Ok(())
        },
        lasts: seconds(5),
        heal: |all, _| {
            all.redis_trouble(Trouble::default());
            Ok(())
        },
        expects: Expects::Nothing,
        swallows: true,
    },
    Fault {
        name: "redis-is-slow",
        is_usual: false,
        hit: |all, _| {
            all.redis_trouble(Trouble {
                delay: Duration::from_millis(150),
                ..Trouble::default()
            });
            Ok(())
        },
        lasts: seconds(5),
        heal: |all, _| {
            all.redis_trouble(Trouble::default());
            Ok(())
        },
        expects: THROUGH_THE_STORE,
        swallows: false,
    },
    Fault {
        name: "one-node-is-split-off",
        is_usual: true,
        hit: |all, node| {
            all.to_redis[node].trouble(Trouble {
                is_held: true,
                ..Trouble::default()
            });
            Ok(())
        },
        lasts: seconds(5),
        heal: |all, node| {
            all.to_redis[node].mend();
            Ok(())
        },
        expects: THROUGH_THE_STORE,
        swallows: false,
    },
    Fault {
        name: "one-node-is-split-off-until-it-is-buried",
        is_usual: false,
        hit: |all, node| {
            all.to_redis[node].trouble(Trouble {
                is_held: true,
                ..Trouble::default()
            });
            Ok(())
        },
        // Longer than it takes the others to take it for dead.
        lasts: seconds(13),
        heal: |all, node| {
            all.to_redis[node].mend();
            Ok(())
        },
        expects: THROUGH_THE_STORE,
        swallows: false,
    },
    Fault {
        name: "all-nodes-are-split",
        is_usual: false,
        hit: |all, _| {
            all.redis_trouble(Trouble {
                is_cut: true,
                ..Trouble::default()
            });
            Ok(())
        },
        lasts: seconds(6),
        heal: |all, _| {
            all.redis_trouble(Trouble::default());
            Ok(())
        },
        expects: THROUGH_THE_STORE,
        swallows: false,
    },
    Fault {
        name: "one-node-loses-the-database",
        is_usual: false,
        hit: |all, node| {
            all.to_database[node].trouble(Trouble {
                is_cut: true,
                ..Trouble::default()
            });
            Ok(())
        },
        lasts: seconds(8),
        heal: |all, node| {
            all.to_database[node].mend();
            Ok(())
        },
        expects: Expects::Nothing,
        swallows: false,
    },
    Fault {
        name: "database-refuses-writes",
        is_usual: false,
        hit: |all, _| {
            refuse(all, 10_107, "NotWritablePrimary");
            Ok(())
        },
        lasts: seconds(4),
        heal: |all, _| {
            all.database_trouble(Trouble::default());
            Ok(())
        },
        expects: Expects::Unsaved,
        swallows: true,
    },
    Fault {
        name: "database-says-its-disk-is-full",
        is_usual: false,
        hit: |all, _| {
            refuse(all, 14_031, "OutOfDiskSpace");
            Ok(())
        },
        lasts: seconds(4),
        heal: |all, _| {
            all.database_trouble(Trouble::default());
            Ok(())
        },
        expects: Expects::Unsaved,
        swallows: true,
    },
    Fault {
        name: "disk-is-full",
        is_usual: true,
        hit: |all, _| let_files_grow_to(all, "0"),
        lasts: seconds(4),
        // A database that could not write its journal may be of no use until it is started again.
        heal: |all, _| {
            let_files_grow_to(all, "unlimited")?;
            all.database.kill();
            all.database.restart();
            Ok(())
        },
        expects: Expects::Unsaved,
        swallows: false,
    },
    Fault {
        name: "database-loses-its-answers",
        is_usual: true,
        hit: |all, _| {
            all.database_trouble(Trouble {
                loses_answers: true,
                ..Trouble::default()
            });
            Ok(())
        },
        lasts: seconds(3),
        heal: |all, _| {
            all.database_trouble(Trouble::default());
            Ok(())
        },
        expects: Expects::Nothing,
        swallows: true,
    },
    Fault {
        name: "database-is-slow",
        is_usual: false,
        hit: |all, _| {
            all.database_trouble(Trouble {
                delay: Duration::from_millis(400),
                ..Trouble::default()
            });
            Ok(())
        },
        lasts: seconds(6),
        heal: |all, _| {
            all.database_trouble(Trouble::default());
            Ok(())
        },
        expects: Expects::Together(seconds(2)),
        swallows: false,
    },
    Fault {
        name: "rolling-restart",
        is_usual: true,
        hit: |all, first| {
            for node in 0..NODES {
                let node = &mut all.nodes[(first + node) % NODES];
                stop(node)?;
                node.restart()?;
            }
            Ok(())
        },
        lasts: Duration::ZERO,
        heal: |_, _| Ok(()),
        expects: Expects::Nothing,
        swallows: false,
    },
    Fault {
        name: "a-clock-is-an-hour-ahead",
        is_usual: true,
        hit: |all, node| by_clock(all, node, Some("+1h")),
        lasts: seconds(5),
        heal: |all, node| by_clock(all, node, None),
        expects: Expects::Nothing,
        swallows: false,
    },
    Fault {
        name: "a-clock-is-an-hour-behind",
        is_usual: false,
        hit: |all, node| by_clock(all, node, Some("-1h")),
        lasts: seconds(5),
        heal: |all, node| by_clock(all, node, None),
        expects: Expects::Nothing,
        swallows: false,
    },
];

fn refuse(all: &Cluster, code: i32, name: &'static str) {
    all.database_trouble(Trouble {
        refusal: Some(Refusal { code, name }),
        ..Trouble::default()
    });
}

fn by_clock(all: &mut Cluster, node: usize, off: Option<&str>) -> Result<()> {
    let node = &mut all.nodes[node];
    stop(node)?;
    node.restart_by_clock(off)
}

fn stop(node: &mut Server) -> Result<()> {
    let status = node.stop()?;
    ensure!(status.success(), "a node did not stop in order: {status}");
    Ok(())
}

fn let_files_grow_to(all: &Cluster, bytes: &str) -> Result<()> {
    let words = [
        format!("--pid={}", all.database.pid()),
        format!("--fsize={bytes}:unlimited"),
    ];
    let status = Command::new("prlimit").args(words).status();
    ensure!(status.context("prlimit does not run")?.success());
    Ok(())
}
