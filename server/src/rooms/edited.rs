//! Which projects are being edited, since when nobody has, and who was there: what a version is made
//! of when a project falls quiet.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tutti_protocol::ids::ProjectId;

use super::Rooms;

/// Names that are remembered of one project.
const MOST_PEOPLE: usize = 100;

/// The projects that people of this node have edited since their last version.
#[derive(Default)]
pub(crate) struct Edited {
    projects: Mutex<HashMap<ProjectId, Growing>>,
}

struct Growing {
    last_edit: Instant,
    people: BTreeSet<String>,
}

impl Edited {
    fn projects(&self) -> MutexGuard<'_, HashMap<ProjectId, Growing>> {
        self.projects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody of this node has edited a project.
    pub(super) fn here(&self, project: &ProjectId) {
        let (mut projects, now) = (self.projects(), Instant::now());
        match projects.get_mut(project) {
            Some(growing) => growing.last_edit = now,
            None => {
                let growing = Growing {
                    last_edit: now,
                    people: BTreeSet::new(),
                };
                projects.insert(project.clone(), growing);
            }
        }
    }

    /// Somebody of another node has: that one makes the version, but here is no quiet either.
    pub(super) fn elsewhere(&self, project: &ProjectId) {
        if let Some(growing) = self.projects().get_mut(project) {
            growing.last_edit = Instant::now();
        }
    }
}

impl Rooms {
    /// The projects that people of this node have edited since their last version, and for how long
    /// nobody has.
    pub(crate) fn edited(&self) -> Vec<(ProjectId, Duration)> {
        let projects = self.registry.edited.projects();
        let quiet = |(project, growing): (&ProjectId, &Growing)| {
            (project.clone(), growing.last_edit.elapsed())
        };
        projects.iter().map(quiet).collect()
    }

    /// Who is in a project, and who was since its last version.
    pub(crate) async fn people_since(&self, project: &ProjectId) -> BTreeSet<String> {
        let mut people = self.people(project).await;
        let mut projects = self.registry.edited.projects();
        if let Some(growing) = projects.get_mut(project) {
            for name in &people {
                if growing.people.len() < MOST_PEOPLE {
                    growing.people.insert(name.clone());
                }
            }
            people.extend(growing.people.iter().cloned());
        }
        people.into_iter().take(MOST_PEOPLE).collect()
    }

    /// A version was made that has all that was edited before `begun`.
    pub(crate) fn has_version(&self, project: &ProjectId, begun: Instant) {
        let mut projects = self.registry.edited.projects();
        match projects.get_mut(project) {
            Some(growing) if growing.last_edit >= begun => growing.people.clear(),
            _ => {
                projects.remove(project);
            }
        }
    }
}
