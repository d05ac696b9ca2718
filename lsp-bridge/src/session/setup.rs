//! Finding the project that an editor works in, and what opens it.

use std::path::PathBuf;

use anyhow::Context;

use super::project::Setup;
use crate::cli::shown_name;
use crate::credentials::Credentials;
use crate::link::{Config, Timing, Token};
use crate::project::{Project, ProjectError};

/// How projects are found.
pub(crate) struct FindSetup {
    credentials: Option<PathBuf>,
    timing: Timing,
}

impl FindSetup {
    /// With the secrets of the person who runs this.
    pub(crate) fn of_user() -> Self {
        Self {
            credentials: None,
            timing: Timing::default(),
        }
    }

    /// With secrets and waiting times of one's own choice.
    #[cfg(test)]
    pub(crate) fn with(credentials: PathBuf, timing: Timing) -> Self {
        Self {
            credentials: Some(credentials),
            timing,
        }
    }

    pub(super) fn credentials(&self) -> anyhow::Result<Credentials> {
        Ok(match &self.credentials {
            Some(path) => Credentials::at(path.clone()),
            None => Credentials::of_user()?,
        })
    }

    /// The first project in or above one of `roots`, or, where the editor names none, in or
    /// above the current directory.
    pub(super) fn find(&self, roots: &[PathBuf]) -> anyhow::Result<Option<Setup>> {
        let current = match roots.is_empty() {
            true => std::env::current_dir().ok(),
            false => None,
        };
        let mut unnamed = None;
        for root in roots.iter().chain(&current) {
            match Project::find(root) {
                Ok(project) => return self.setup(project).map(Some),
                Err(ProjectError::NotFound(_)) => {}
                Err(error @ ProjectError::Unnamed(_)) => unnamed = Some(error),
                // A root that is not there (a new directory, a remote one) is no project's.
                Err(ProjectError::Io { path, source }) => {
                    tracing::info!(path = %path.display(), %source, "not looked at");
                }
                Err(error) => return Err(error.into()),
            }
        }
        unnamed.map_or(Ok(None), |error| Err(error.into()))
    }

    fn setup(&self, project: Project) -> anyhow::Result<Setup> {
        let credentials = self.credentials()?;
        let access = credentials.project(&project)?;
        let access = access.with_context(|| {
            format!(
                "nothing on this machine opens the project in {}: run `tutti join LINK` there",
                project.root.display()
            )
        })?;
        Ok(Setup {
            me: shown_name(&project.root),
            link: Config {
                server: project.server.clone(),
                project: project.id.clone(),
                token: Token(access.token),
                timing: self.timing,
            },
            root: project.root.clone(),
            place: project,
            credentials,
        })
    }
}
