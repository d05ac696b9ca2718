//! What people do to their files.

use std::collections::BTreeSet;
use std::fs;

use anyhow::Result;

use crate::place::{Place, Writing};
use crate::written::{Written, data};

/// The first so many of what [`Place::do_something`] knows are for two alone.
pub(crate) const FOR_TWO: u8 = 26;
/// So many are for all.
pub(crate) const ALL: u8 = 32;
/// And these for files that trade their names as well.
pub(crate) const WITH_TRADES: u8 = 38;

/// The others, as somebody sees them who is about to act.
#[derive(Default)]
pub(crate) struct Others {
    /// What they have.
    pub(crate) lines: BTreeSet<String>,
    /// What their editors show.
    pub(crate) open: Vec<String>,
}

/// What was done.
struct Did {
    told: String,
    /// By git, which looks at all files, and takes a while for it.
    by_git: bool,
}

impl From<String> for Did {
    fn from(told: String) -> Self {
        Self {
            told,
            by_git: false,
        }
    }
}

impl From<&str> for Did {
    fn from(told: &str) -> Self {
        told.to_owned().into()
    }
}

impl Place {
    /// One thing that a person does. What it takes away is noted.
    pub(crate) fn act(
        &mut self,
        repertoire: u8,
        others: &Others,
        rng: &mut fastrand::Rng,
        written: &mut Written,
    ) -> Result<String> {
        let before = self.counted()?;
        let did = match rng.u8(0..repertoire) {
            what if self.is_viewer && !may_be_a_viewers(what) => "looks on".into(),
            what => self.do_something(what, others, rng, written)?,
        };
        let after = self.counted()?;
        // What git has brought back may stand in two files, and who takes it out of the one does not know
        // that somebody takes it out of the other.
        let fewer = before
            .into_iter()
            .filter(|(line, times)| after.get(line).is_none_or(|now| now < times));
        written.removed.extend(fewer.map(|(line, _)| line));
        if did.by_git {
            // What was about to arrive may have been there when git looked.
            let about_to = others.lines.iter();
            let about_to = about_to.filter(|line| !after.contains_key(*line));
            written.removed.extend(about_to.cloned());
        }
        Ok(did.told)
    }

    fn do_something(
        &mut self,
        what: u8,
        others: &Others,
        rng: &mut fastrand::Rng,
        written: &mut Written,
    ) -> Result<Did> {
        let file = self.some_file(rng)?;
        let how = [Writing::InPlace, Writing::ByRename][rng.usize(0..2)];
        let name = self.name().to_owned();
        Ok(match (what, file) {
            (0..=4, Some(file)) => {
                let line = written.line(&name);
                let at = rng.f64();
                let insert = |text: String| {
                    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
                    let at = (at * (lines.len() + 1) as f64) as usize;
                    lines.insert(at.min(lines.len()), &line);
                    lines.concat()
                };
                if !self.edit(&file, insert, how)? {
                    written.lines.remove(line.trim());
                }
                format!("writes {} into {file} {how:?}", line.trim()).into()
            }
            (5, _) => {
                let file = format!("dir{}/new{}.txt", rng.u8(0..3), written.count);
                let line = written.line(&name);
                self.write(&file, line.into_bytes(), Writing::InPlace)?;
                format!("makes {file} with line {}", written.count).into()
            }
            (6, Some(file)) => self.moves(&file, rng, written)?.into(),
            (7, Some(file)) => self.deletes(&file).into(),
            (8, _) => self.moves_a_directory(rng).into(),
            (9, Some(file)) => {
                let drop_one = |text: String| {
                    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
                    if !lines.is_empty() {
                        lines.remove(0);
                    }
                    lines.concat()
                };
                self.edit(&file, drop_one, how)?;
                format!("deletes the first line of {file}").into()
            }
            (10..=13, _) if self.open.is_none() => self.uses_git(what)?,
            (14, _) if self.is_running => {
                self.loses_the_bridge()?;
                "loses the bridge".into()
            }
            (14..=16, _) if !self.is_running => {
                self.has_a_bridge_again()?;
                "has a bridge again".into()
            }
            (17..=19, Some(file))
                if self.open.is_none() && self.is_running && self.is_text(&file) =>
            {
                let Ok(()) = self.bridge.show(&file) else {
                    return Ok(format!("could not open {file}").into());
                };
                self.open = Some(file.clone());
                format!("opens {file}").into()
            }
            (20, _) => {
                let file = format!("dir{}/data{}.bin", rng.u8(0..3), written.count);
                let line = written.line(&name);
                self.write(&file, data(&line), Writing::InPlace)?;
                format!("makes {file} with data {}", written.count).into()
            }
            (21..=24, Some(_)) => {
                let Some(file) = self.some_data(rng)? else {
                    return Ok("has no data".into());
                };
                self.write(&file, data(&written.line(&name)), how)?;
                format!("writes data {} into {file} {how:?}", written.count).into()
            }
            (25, Some(file)) => {
                let line = written.line(&name);
                let becomes_data = self.is_text(&file);
                let content = match becomes_data {
                    true => data(&line),
                    false => line.into_bytes(),
                };
                self.write(&file, content, how)?;
                let count = written.count;
                format!("turns {file} into data: {becomes_data}, with {count}").into()
            }
            (26..=27, _) => self.meddles(what, self.open.clone(), rng, written)?,
            (28..=29, _) => self.meddles(what, rng.choice(others.open.clone()), rng, written)?,
            (15..=16 | 30..=31, _) if self.open.is_some() => {
                let line = written.line(&name);
                self.bridge.type_at(0, &line)?;
                format!("types {}", line.trim()).into()
            }
            (32..=37, Some(file)) => self.trades(&file, rng, written)?.into(),
            (_, _) if self.open.is_some() => {
                format!("saves and closes {:?}", self.closes()?).into()
            }
            _ => "waits".into(),
        })
    }

    /// Moves or deletes what some editor shows.
    fn meddles(
        &self,
        what: u8,
        file: Option<String>,
        rng: &mut fastrand::Rng,
        written: &mut Written,
    ) -> Result<Did> {
        let there = file.filter(|file| self.path(file).exists());
        let Some(file) = there else {
            return Ok("waits".into());
        };
        let did = match what % 2 {
            0 => self.moves(&file, rng, written)?,
            _ => self.deletes(&file),
        };
        Ok(format!("of what is open, {did}").into())
    }

    fn moves(&self, file: &str, rng: &mut fastrand::Rng, written: &mut Written) -> Result<String> {
        let to = format!("dir{}/moved{}.txt", rng.u8(0..3), written.count);
        written.count += 1;
        let moved = self.rename(file, &to)?;
        Ok(format!("moves {file} to {to}: {moved}"))
    }

    /// Two files trade their names, or one passes its name on, without a pause.
    fn trades(&self, file: &str, rng: &mut fastrand::Rng, written: &mut Written) -> Result<String> {
        let other = self.some_file(rng)?.filter(|other| other != file);
        let Some(other) = other else {
            return Ok("waits".into());
        };
        let new = format!("dir{}/traded{}.txt", rng.u8(0..3), written.count);
        written.count += 1;
        let is_swap = rng.bool();
        let mut moved = self.rename(&other, &new)? && self.rename(file, &other)?;
        if is_swap {
            moved &= self.rename(&new, file)?;
        }
        Ok(format!(
            "{file} takes the name of {other}, that is {new}, swapped {is_swap}: {moved}"
        ))
    }

    fn deletes(&self, file: &str) -> String {
        let gone = fs::remove_file(self.path(file)).is_ok();
        format!("deletes {file}: {gone}")
    }

    fn moves_a_directory(&self, rng: &mut fastrand::Rng) -> String {
        let from = format!("dir{}", rng.u8(0..3));
        let to = format!("dir{}", rng.u8(0..3));
        let is_mine = |file: &String| file.starts_with(&from);
        let is_open = self.open.as_ref().is_some_and(is_mine);
        let moved = !is_open
            && !self.path(&to).exists()
            && fs::rename(self.path(&from), self.path(&to)).is_ok();
        format!("moves {from} to {to}: {moved}")
    }

    fn uses_git(&self, what: u8) -> Result<Did> {
        let told = match what {
            10 => {
                self.git(&["add", "-A"])?;
                self.git(&["commit", "-qm", "all"])?;
                "commits"
            }
            11 => {
                self.git(&["stash"])?;
                "stashes"
            }
            12 => {
                self.git(&["stash", "pop"])?;
                "pops the stash"
            }
            _ => {
                self.git(&["checkout", "-q", "."])?;
                "checks out what was committed"
            }
        };
        let told = told.to_owned();
        let by_git = true;
        Ok(Did { told, by_git })
    }
}

/// Who may only read changes files as well, with other programs than an editor, but makes none of others' files look like
/// one of theirs.
fn may_be_a_viewers(what: u8) -> bool {
    matches!(what, 0..=5 | 7 | 14..=16 | 20..=25 | 29)
}
