//! Whether the database has what people were told is saved.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use tutti_tests::collab::Account;
use tutti_tests::wait::until;

use crate::cluster::Cluster;
use crate::marks;

/// The texts of all rooms, as a node that has just been started reads them from the database.
pub(crate) fn stored(all: &Cluster, rooms: usize) -> Result<Vec<String>> {
    let node = all.fresh_node()?;
    (0..rooms)
        .map(|room| {
            let client = 1_000_000 + room as u64;
            let mut reader = all.member(&node, room, client);
            until("a reader to be let in", || reader.connect().ok())?;
            Ok(reader.text())
        })
        .collect()
}

/// What an audit has counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    /// Acknowledged edits that were looked for.
    pub(crate) acknowledged: usize,
}

/// Holds a room's text against what its people did.
pub(crate) fn check(text: &str, accounts: &[Account]) -> Result<Counted> {
    let all: Vec<&str> = marks::of(text).collect();
    let there: BTreeSet<&str> = all.iter().copied().collect();
    ensure!(all.len() == there.len(), "a mark is doubled in {text}");
    let mut counted = Counted::default();
    let mut typed = BTreeSet::new();
    for account in accounts {
        let deleted: BTreeSet<&String> = account.deleted.iter().collect();
        for mark in &account.acknowledged {
            let is_there = there.contains(&**mark);
            ensure!(
                is_there || deleted.contains(mark),
                "{mark} was saved and is gone"
            );
        }
        for mark in &account.gone {
            ensure!(!there.contains(&**mark), "{mark} was deleted and is back");
        }
        counted.acknowledged += account.acknowledged.len() + account.gone.len();
        typed.extend(account.typed.iter().map(String::as_str));
    }
    let strange = there.iter().find(|mark| !typed.contains(**mark));
    ensure!(strange.is_none(), "nobody typed {strange:?}");
    Ok(counted)
}

/// The same, where everything is acknowledged: it is all there.
pub(crate) fn check_all(text: &str, accounts: &[Account]) -> Result<()> {
    check(text, accounts)?;
    let expected: usize = accounts
        .iter()
        .map(|account| account.typed.len() - account.deleted.len())
        .sum();
    let there = marks::of(text).count();
    ensure!(
        there == expected,
        "{expected} marks should be there, {there} are"
    );
    Ok(())
}

/// The accounts of each room's people together with its text.
pub(crate) fn check_rooms(
    texts: &[String],
    accounts: &[Vec<Account>],
    check: impl Fn(&str, &[Account]) -> Result<()>,
) -> Result<()> {
    for (room, (text, accounts)) in texts.iter().zip(accounts).enumerate() {
        check(text, accounts).with_context(|| format!("in room {room}"))?;
    }
    Ok(())
}
