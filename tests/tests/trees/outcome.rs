//! How a game has to end.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use tutti_tests::wait::pause;

use crate::place::Place;
use crate::written::{Tree, Written, is_by, lines};

/// How long they may take to agree, looked at in such steps.
const PATIENCE: u32 = 300;
const LOOK: Duration = Duration::from_millis(200);
/// Agreed for so many looks, they are done.
const CALM: u32 = 10;

/// Waits until all trees are the same, and stay so.
pub(crate) fn settled(places: &mut [Place]) -> Result<()> {
    let mut calm = 0;
    for _ in 0..PATIENCE {
        for place in places.iter_mut() {
            place.bridge.catch_up()?;
        }
        calm = match differing(places)?.is_empty() {
            true => calm + 1,
            false => 0,
        };
        if calm == CALM {
            return Ok(());
        }
        pause(LOOK);
    }
    let mut told = Vec::new();
    for place in places.iter() {
        let status = place.person.tutti(place.dir.path(), &["status"])?;
        told.push(format!("{}{:?}", status.stdout, place.bridge.told()));
    }
    bail!(
        "the trees differ: {}\n{}",
        differing(places)?.join("\n"),
        told.join("\n")
    )
}

/// The files that are not with everybody as they are with the first.
fn differing(places: &[Place]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let firsts = places[0].tree()?;
    for place in &places[1..] {
        let tree = place.tree()?;
        let names: BTreeSet<&String> = firsts.keys().chain(tree.keys()).collect();
        for name in names {
            let (first, own) = (firsts.get(name), tree.get(name));
            let same = match place.is_viewer {
                true => is_followed(place.name(), first, own),
                false => first == own,
            };
            if !same {
                let [first, own] = [first, own].map(shown);
                found.push(format!("{name}: {first}\n{}: {own}", place.name()));
            }
        }
    }
    Ok(found)
}

type File = (Vec<u8>, bool);

/// What somebody who may only read adds is with them alone.
fn is_followed(viewer: &str, first: Option<&File>, own: Option<&File>) -> bool {
    let others = |file: &File| {
        let lines = lines([file.0.as_slice()]).into_iter();
        let others: Vec<String> = lines.filter(|line| !is_by(line, viewer)).collect();
        (others, file.1)
    };
    match (first, own) {
        (Some(first), Some(own)) => others(first) == others(own),
        (Some(_), None) => false,
        (None, Some(own)) => !others(own).0.iter().any(|line| line.starts_with("line ")),
        (None, None) => true,
    }
}

fn shown(file: Option<&File>) -> String {
    let file = file.map(|(bytes, mode)| (String::from_utf8_lossy(bytes), mode));
    format!("{file:?}")
}

/// Each line that was written stands in the project or is kept.
pub(crate) fn all_is_there(places: &[Place], written: &Written) -> Result<()> {
    let tree = places[0].tree()?;
    let mut there = once(&tree)?;
    for place in places {
        there.extend(place.recovered()?);
    }
    for viewer in places.iter().filter(|place| place.is_viewer) {
        let is_theirs = |line: &&String| is_by(line, viewer.name());
        let everywhere = once(&tree)?;
        let shared: Vec<&String> = everywhere.iter().filter(is_theirs).collect();
        ensure!(shared.is_empty(), "shared by who may only read: {shared:?}");
        there.extend(viewer.lines()?.iter().filter(is_theirs).cloned());
    }
    let missing = written.lines.difference(&there);
    let missing: Vec<&String> = missing
        .filter(|line| !written.removed.contains(*line))
        .collect();
    let files = tree.iter().map(|(name, file)| (name, shown(Some(file))));
    ensure!(
        missing.is_empty(),
        "missing: {missing:?}, in {:#?}",
        files.collect::<Vec<_>>()
    );
    Ok(())
}

/// The lines of a tree, each of which stands once in a file. What git brings back may stand in a file
/// that was moved as well.
fn once(tree: &Tree) -> Result<BTreeSet<String>> {
    let mut there = BTreeSet::new();
    for (name, (bytes, _)) in tree {
        for line in lines([bytes.as_slice()]) {
            let one = (name, line);
            ensure!(!there.contains(&one), "twice: {one:?}");
            there.insert(one);
        }
    }
    Ok(there.into_iter().map(|(_, line)| line).collect())
}
