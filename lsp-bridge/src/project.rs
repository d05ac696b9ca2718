//! Where a project lies on this machine: the directory with `.tutti/project.toml` in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tutti_protocol::ids::ProjectId;
use url::Url;

/// The project's own directory.
pub const PRIVATE_DIR: &str = ".tutti";
/// Which server and project this is. Holds no secret and may be committed.
pub(crate) const PROJECT_FILE: &str = "project.toml";
/// The same while a `share` or `join` has not come to its end.
pub(crate) const PENDING_FILE: &str = "pending.toml";
/// Keeps git away, also where it takes up or puts aside what is not tracked: `git stash -u` would take the project from
/// under a bridge.
const GITIGNORE: &str = "*\n";
/// Where the bridge keeps its replicas.
const STATE_DIR: &str = "state";

/// A directory that is a shared project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The directory that holds `.tutti`.
    pub root: PathBuf,
    /// The server's base address.
    pub server: Url,
    /// The project's id there.
    pub id: ProjectId,
}

/// Why a project cannot be opened.
#[derive(Debug, Error)]
pub enum ProjectError {
    /// No `.tutti/project.toml` there or above.
    #[error(
        "no project found in {} or above it: share it with `tutti share`, or join one with \
         `tutti join LINK`",
        .0.display()
    )]
    NotFound(PathBuf),
    /// No `.tutti/project.toml` there or above, but what a project has left.
    #[error(
        "{} was a shared directory, and its .tutti/project.toml is missing: put that file back, or run \
         `tutti join LINK . --merge` there",
        .0.display()
    )]
    Unnamed(PathBuf),
    /// A file that is not what Tutti writes.
    #[error("{} cannot be understood ({reason}): repair it, or run `tutti join LINK` again", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The disk refused.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

#[derive(Serialize, Deserialize)]
struct ProjectFile {
    server: String,
    project: ProjectId,
}

impl Project {
    /// Finds the project that `start` lies in, looking upward.
    pub fn find(start: &Path) -> Result<Self, ProjectError> {
        let absolute = start.canonicalize().map_err(|source| ProjectError::Io {
            path: start.to_owned(),
            source,
        })?;
        for directory in absolute.ancestors() {
            if let Some(project) = Self::at(directory)? {
                return Ok(project);
            }
        }
        match absolute.ancestors().find(|directory| is_unnamed(directory)) {
            Some(directory) => Err(ProjectError::Unnamed(directory.to_owned())),
            None => Err(ProjectError::NotFound(start.to_owned())),
        }
    }

    /// The project whose root is `directory`, if it is one.
    pub fn at(directory: &Path) -> Result<Option<Self>, ProjectError> {
        Self::read(directory, PROJECT_FILE)
    }

    /// The project that a `share` or `join` of `directory` has begun and not ended.
    pub fn pending(directory: &Path) -> Result<Option<Self>, ProjectError> {
        Self::read(directory, PENDING_FILE)
    }

    fn read(directory: &Path, name: &str) -> Result<Option<Self>, ProjectError> {
        let path = directory.join(PRIVATE_DIR).join(name);
        let text = match fs::read_to_string(&path) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            Err(source) => return Err(ProjectError::Io { path, source }),
            Ok(text) => text,
        };
        let unreadable = |reason: &str| ProjectError::Unreadable {
            path: path.clone(),
            reason: reason.to_owned(),
        };
        let file: ProjectFile =
            toml::from_str(&text).map_err(|error| unreadable(error.message()))?;
        let server = Url::parse(&file.server).ok();
        let server =
            server.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        Ok(Some(Self {
            root: directory.to_owned(),
            server: server.ok_or_else(|| unreadable("its server is no http or https address"))?,
            id: file.project,
        }))
    }

    /// Notes in the directory that this project is on its way there.
    pub fn begin(&self) -> Result<(), ProjectError> {
        let text = self.to_toml();
        let private = self.private();
        let io = |path: PathBuf| move |source| ProjectError::Io { path, source };
        fs::create_dir_all(&private).map_err(io(private.clone()))?;
        for (name, text) in [(".gitignore", GITIGNORE), (PENDING_FILE, &text)] {
            let path = private.join(name);
            fs::write(&path, text).map_err(io(path))?;
        }
        Ok(())
    }

    /// Makes what [`Project::begin`] noted the project of this directory.
    pub fn finish(&self) -> Result<(), ProjectError> {
        let path = self.private().join(PROJECT_FILE);
        fs::rename(self.private().join(PENDING_FILE), &path)
            .map_err(|source| ProjectError::Io { path, source })
    }

    /// The file that names the project and its server.
    pub fn file(&self) -> PathBuf {
        self.private().join(PROJECT_FILE)
    }

    /// The project's own directory.
    pub fn private(&self) -> PathBuf {
        self.root.join(PRIVATE_DIR)
    }

    fn to_toml(&self) -> String {
        let file = ProjectFile {
            server: self.server.as_str().trim_end_matches('/').to_owned(),
            project: self.id.clone(),
        };
        toml::to_string(&file).expect("two texts")
    }
}

/// Whether a project was here that nothing names any more.
pub(crate) fn is_unnamed(directory: &Path) -> bool {
    let private = directory.join(PRIVATE_DIR);
    let has = |name: &str| private.join(name).symlink_metadata().is_ok();
    private.join(STATE_DIR).is_dir() && !has(PROJECT_FILE) && !has(PENDING_FILE)
}

/// The project that the text of a `project.toml` names; `None` if it makes no sense.
pub(crate) fn id_in(text: &str) -> Option<ProjectId> {
    let file: ProjectFile = toml::from_str(text).ok()?;
    Some(file.project)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(root: &Path) -> Project {
        Project {
            root: root.canonicalize().unwrap(),
            server: "https://code.example.org/tutti".parse().unwrap(),
            id: "abc".parse().unwrap(),
        }
    }

    #[test]
    fn found_from_below_once_it_is_finished() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("a/b");
        fs::create_dir_all(&deep).unwrap();
        let project = project(directory.path());
        project.begin().unwrap();
        assert!(matches!(
            Project::find(&deep),
            Err(ProjectError::NotFound(_))
        ));
        assert_eq!(
            Project::pending(&project.root).unwrap(),
            Some(project.clone())
        );
        project.finish().unwrap();
        assert_eq!(Project::find(&deep).unwrap(), project);
        assert_eq!(Project::pending(&project.root).unwrap(), None);
        let text = fs::read_to_string(project.private().join(PROJECT_FILE)).unwrap();
        assert_eq!(
            text,
            "server = \"https://code.example.org/tutti\"\nproject = \"abc\"\n"
        );
    }

    #[test]
    fn one_that_has_lost_its_name_is_known() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("a/b");
        fs::create_dir_all(&deep).unwrap();
        let project = project(directory.path());
        project.begin().unwrap();
        fs::create_dir(project.private().join(STATE_DIR)).unwrap();
        let found = Project::find(&deep);
        assert!(
            matches!(found, Err(ProjectError::NotFound(_))),
            "only half made"
        );
        project.finish().unwrap();
        assert_eq!(Project::find(&deep).unwrap(), project);
        fs::remove_file(project.file()).unwrap();
        match Project::find(&deep) {
            Err(ProjectError::Unnamed(root)) => assert_eq!(root, project.root),
            found => panic!("{found:?}"),
        }
    }

    #[test]
    fn a_file_of_other_content_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".tutti/project.toml");
        fs::create_dir(path.parent().unwrap()).unwrap();
        for text in [
            "",
            "nonsense",
            "server = \"http://h\"\nproject = \"../x\"\n",
            "server = \"file:///etc\"\nproject = \"abc\"\n",
        ] {
            fs::write(&path, text).unwrap();
            let error = Project::find(directory.path()).unwrap_err();
            assert!(matches!(error, ProjectError::Unreadable { .. }), "{text:?}");
        }
    }
}
