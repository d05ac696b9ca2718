//! Names that do not go together with those that the project has.

use std::collections::HashMap;

use tutti_protocol::path::ProjectPath;

use super::effect::{Effect, Notice};
use super::local::News;
use super::places::Places;
use super::tree::LeftAlone;
use super::watch::Changes;
use super::{Mirror, MirrorError};

/// Files by their names, as file systems see them that fold case and form.
#[derive(Default)]
pub(super) struct Names {
    files: HashMap<String, ProjectPath>,
    /// A file in each directory.
    directories: HashMap<String, ProjectPath>,
}

impl Names {
    pub(super) fn has(&self, path: &ProjectPath) -> bool {
        self.files.get(&path.folded()) == Some(path)
    }

    /// Why a file cannot stand beside these, if it cannot.
    pub(super) fn why_not(&self, path: &ProjectPath) -> Option<LeftAlone> {
        let name = path.folded();
        if let Some(first) = self.files.get(&name) {
            return (first != path).then(|| LeftAlone::Namesake(first.clone()));
        }
        let parent = directories(&name).find_map(|directory| self.files.get(directory));
        let other = parent.or_else(|| self.directories.get(&name))?;
        Some(LeftAlone::InTheWay(other.clone()))
    }

    pub(super) fn add(&mut self, path: &ProjectPath) {
        let name = path.folded();
        for directory in directories(&name) {
            if !self.directories.contains_key(directory) {
                self.directories.insert(directory.to_owned(), path.clone());
            }
        }
        self.files.insert(name, path.clone());
    }
}

/// The directories that a file stands in.
fn directories(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(end, _)| &name[..end])
}

impl Mirror {
    /// A new file whose name others' file systems may take for another file's stays out: the project would
    /// have to show it under a name that it does not have here. So does one that has the name of a directory of the
    /// project, or the other way round, which is mostly one that is about to go.
    pub(super) fn leave_namesakes(&mut self, news: &mut News, effects: &mut Vec<Effect>) {
        if news.created.is_empty() {
            return;
        }
        if !effects.is_empty() {
            self.shown = Places::of(self.entries.get_or_insert_default());
        }
        let mut names = Names::default();
        self.shown.paths().for_each(|path| names.add(path));
        news.created.sort_by(|a, b| a.path.cmp(&b.path));
        news.created.retain(|file| {
            let reason = names.why_not(&file.path);
            match &reason {
                None => names.add(&file.path),
                Some(reason) => {
                    let path = file.path.to_string();
                    self.left_alone.insert(path.clone(), reason.clone());
                    // Of the other kind the one that waits for its place is told of.
                    if let LeftAlone::Namesake(_) = reason {
                        let reason = reason.to_string();
                        effects.push(Effect::Tell(Notice::LeftAlone { path, reason }));
                    }
                }
            }
            reason.is_none()
        });
    }

    /// Looks again at the files whose names others had: those may be free now.
    pub(super) fn look_at_namesakes(
        &mut self,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        let is_named =
            |why: &LeftAlone| matches!(why, LeftAlone::Namesake(_) | LeftAlone::InTheWay(_));
        let left_alone = self.left_alone.iter();
        let namesakes = left_alone.filter(|(_, why)| is_named(why));
        let paths: Vec<String> = namesakes.map(|(path, _)| path.clone()).collect();
        if !paths.is_empty() {
            effects.extend(self.files_changed(&Changes::of(paths))?);
        }
        Ok(())
    }
}
