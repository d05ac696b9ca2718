//! A person with a directory, a bridge and an editor.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use tutti_tests::bridge::Bridge;
use tutti_tests::cli::Person;

use crate::written::{Tree, lines, tree};

pub(crate) struct Place {
    pub(crate) person: Person,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) bridge: Bridge,
    pub(crate) is_running: bool,
    /// Their link lets them read only.
    pub(crate) is_viewer: bool,
    /// Their editor shows this file.
    pub(crate) open: Option<String>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Writing {
    InPlace,
    ByRename,
}

impl Place {
    pub(crate) fn new(person: Person, dir: tempfile::TempDir, is_viewer: bool) -> Result<Self> {
        Ok(Self {
            bridge: Bridge::start(&person, dir.path())?,
            person,
            dir,
            is_running: true,
            is_viewer,
            open: None,
        })
    }

    pub(crate) fn name(&self) -> &str {
        self.person.name()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn tree(&self) -> Result<Tree> {
        tree(self.dir.path())
    }

    pub(crate) fn lines(&self) -> Result<BTreeSet<String>> {
        Ok(self.counted()?.into_keys().collect())
    }

    /// The lines, and how often each stands in the files.
    pub(crate) fn counted(&self) -> Result<BTreeMap<String, usize>> {
        let tree = self.tree()?;
        let mut counted = BTreeMap::new();
        for line in lines(tree.values().map(|(bytes, _)| bytes.as_slice())) {
            *counted.entry(line).or_default() += 1;
        }
        Ok(counted)
    }

    /// What is here: on disk, and in the editor.
    pub(crate) fn all_lines(&self) -> Result<BTreeSet<String>> {
        let mut all = self.lines()?;
        all.extend(lines([self.bridge.text().as_bytes()]));
        Ok(all)
    }

    pub(crate) fn recovered(&self) -> Result<Vec<String>> {
        let Ok(kept) = fs::read_dir(self.path(".tutti/recovered")) else {
            return Ok(Vec::new());
        };
        let kept: Vec<Vec<u8>> = kept
            .map(|entry| Ok(fs::read(entry?.path())?))
            .collect::<Result<_>>()?;
        Ok(lines(kept.iter().map(Vec::as_slice)))
    }

    /// A file that no editor of this place shows.
    pub(crate) fn some_file(&self, rng: &mut fastrand::Rng) -> Result<Option<String>> {
        let names: Vec<String> = self.tree()?.into_keys().collect();
        let names = names
            .into_iter()
            .filter(|name| Some(name) != self.open.as_ref());
        Ok(rng.choice(names.collect::<Vec<_>>()))
    }

    pub(crate) fn some_data(&self, rng: &mut fastrand::Rng) -> Result<Option<String>> {
        let names = self.tree()?.into_keys();
        let data = names.filter(|name| !self.is_text(name));
        Ok(rng.choice(data.collect::<Vec<_>>()))
    }

    pub(crate) fn is_text(&self, name: &str) -> bool {
        fs::read_to_string(self.path(name)).is_ok()
    }

    pub(crate) fn git(&self, words: &[&str]) -> Result<()> {
        let who = [
            "-c",
            "user.name=Someone",
            "-c",
            "user.email=someone@localhost",
        ];
        let output = Command::new("git")
            .current_dir(self.dir.path())
            .args(who)
            .args(words)
            .output()?;
        // Nothing to stash, nothing to pop: that is git's to say.
        let _ = output.status;
        Ok(())
    }

    /// Whether the file was still there.
    pub(crate) fn edit(
        &self,
        name: &str,
        change: impl FnOnce(String) -> String,
        how: Writing,
    ) -> Result<bool> {
        // It may have gone, or been renamed by the other, since it was chosen.
        let Ok(text) = fs::read_to_string(self.path(name)) else {
            return Ok(false);
        };
        self.write(name, change(text).into_bytes(), how)?;
        Ok(true)
    }

    /// Writes a file that may have gone by now; then it is there again.
    pub(crate) fn write(&self, name: &str, content: Vec<u8>, how: Writing) -> Result<()> {
        let path = self.path(name);
        fs::create_dir_all(path.parent().context("a directory")?)?;
        match how {
            Writing::InPlace => fs::write(&path, content)?,
            Writing::ByRename => {
                let aside = self.path("4913~");
                fs::write(&aside, content)?;
                fs::rename(aside, path)?;
            }
        }
        Ok(())
    }

    /// Whether that could be done.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<bool> {
        let to = self.path(to);
        fs::create_dir_all(to.parent().context("a directory")?)?;
        Ok(fs::rename(self.path(from), to).is_ok())
    }

    pub(crate) fn loses_the_bridge(&mut self) -> Result<()> {
        self.is_running = false;
        self.bridge.lose()
    }

    pub(crate) fn has_a_bridge_again(&mut self) -> Result<()> {
        if !self.is_running {
            self.bridge.come_back(&self.person)?;
            self.is_running = true;
        }
        Ok(())
    }

    /// Saves and closes what the editor shows; returns what that was.
    pub(crate) fn closes(&mut self) -> Result<Option<String>> {
        if self.open.is_some() {
            self.bridge.catch_up()?;
            self.bridge.save()?;
            self.bridge.close()?;
        }
        Ok(self.open.take())
    }
}
