//! The secrets of this person: one file beneath their configuration directory, mode 0600.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tutti_protocol::ids::ProjectId;
use tutti_protocol::link::ShareLink;
use url::Url;

use crate::project::Project;

/// Why the secrets cannot be read or kept.
#[derive(Debug, Error)]
pub enum CredentialsError {
    /// The system does not say where this person's configuration lies.
    #[error("this system does not say where your configuration lies: set HOME")]
    NoHome,
    /// The disk refused.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that is not what Tutti writes.
    #[error("{} cannot be understood: repair or remove it", .0.display())]
    Unreadable(PathBuf),
}

/// The secrets of one project. Deliberately without `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Opens the project.
    pub token: String,
    /// The project's name, for when the server cannot be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The link for editors, where this person has shared the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub editor_link: Option<String>,
    /// The link for viewers, where this person has shared the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewer_link: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct Secrets {
    /// Per server: a token that may make projects there.
    #[serde(default)]
    servers: BTreeMap<String, String>,
    /// Per server, project and directory: one person may edit a project in one directory and only
    /// view it in another.
    #[serde(default)]
    projects: BTreeMap<String, BTreeMap<ProjectId, BTreeMap<String, Access>>>,
    /// Per link that lets a limited number of people in: the token that it gave. One person uses it
    /// once, for however many directories.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    entered: BTreeMap<String, String>,
}

/// The file. Each change reads it anew, so that several bridges can share it.
pub struct Credentials {
    path: PathBuf,
}

impl Credentials {
    /// The file of the person who runs this.
    pub fn of_user() -> Result<Self, CredentialsError> {
        let directories = directories::BaseDirs::new().ok_or(CredentialsError::NoHome)?;
        Ok(Self::at(
            directories.config_dir().join("tutti/credentials.toml"),
        ))
    }

    /// A file of one's own choice.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it lies, or would.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it can be read, if it is there.
    pub fn check(&self) -> Result<(), CredentialsError> {
        self.read().map(drop)
    }

    /// What opens a project in its directory, and in no other: a repository from elsewhere may
    /// bring a `.tutti/project.toml` along that names any project.
    pub fn project(&self, project: &Project) -> Result<Option<Access>, CredentialsError> {
        let mut secrets = self.read()?;
        let ids = secrets.projects.remove(&key(&project.server));
        let directories = ids.and_then(|mut ids| ids.remove(&project.id));
        Ok(directories.and_then(|mut found| found.remove(&directory(project))))
    }

    /// The token that may make projects on a server.
    pub fn server(&self, server: &Url) -> Result<Option<String>, CredentialsError> {
        Ok(self.read()?.servers.remove(&key(server)))
    }

    /// Keeps what opens a project in its directory.
    pub fn keep_project(&self, project: &Project, access: Access) -> Result<(), CredentialsError> {
        self.change(|secrets| {
            let ids = secrets.projects.entry(key(&project.server)).or_default();
            let directories = ids.entry(project.id.clone()).or_default();
            directories.insert(directory(project), access);
        })
    }

    /// What a link has given that this person has used before.
    pub fn entered(&self, link: &ShareLink) -> Result<Option<String>, CredentialsError> {
        Ok(self.read()?.entered.remove(&link.to_string()))
    }

    /// Keeps what a link has given.
    pub fn keep_entered(&self, link: &ShareLink, token: &str) -> Result<(), CredentialsError> {
        self.change(|secrets| {
            secrets.entered.insert(link.to_string(), token.to_owned());
        })
    }

    /// Keeps the token that may make projects on a server.
    pub fn keep_server(&self, server: &Url, token: &str) -> Result<(), CredentialsError> {
        self.change(|secrets| {
            secrets.servers.insert(key(server), token.to_owned());
        })
    }

    /// Forgets what opens a project in its directory.
    pub fn forget_project(&self, project: &Project) -> Result<(), CredentialsError> {
        self.change(|secrets| {
            let server = key(&project.server);
            let Some(ids) = secrets.projects.get_mut(&server) else {
                return;
            };
            if let Some(directories) = ids.get_mut(&project.id) {
                directories.remove(&directory(project));
            }
            ids.retain(|_, directories| !directories.is_empty());
            secrets.projects.retain(|_, ids| !ids.is_empty());
        })
    }

    fn read(&self) -> Result<Secrets, CredentialsError> {
        let text = match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Secrets::default()),
            read => read.map_err(|source| self.io(source))?,
        };
        // The parser's own words would quote the file, which holds secrets.
        toml::from_str(&text).map_err(|_| CredentialsError::Unreadable(self.path.clone()))
    }

    fn change(&self, change: impl FnOnce(&mut Secrets)) -> Result<(), CredentialsError> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        make_private_dir(directory).map_err(|source| self.io(source))?;
        // Another bridge must not write between our reading and our writing.
        let lock = private_file(&directory.join("credentials.lock"), false);
        let lock = lock.and_then(|file| file.lock().map(|()| file));
        let _lock = lock.map_err(|source| self.io(source))?;
        let mut secrets = self.read()?;
        change(&mut secrets);
        let text = toml::to_string(&secrets).expect("tables of texts");
        self.replace(directory, &text)
            .map_err(|source| self.io(source))
    }

    fn replace(&self, directory: &Path, text: &str) -> io::Result<()> {
        let temporary = directory.join(format!("credentials-{:016x}.tmp", fastrand::u64(..)));
        let written = private_file(&temporary, true).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &self.path)
        });
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    fn io(&self, source: io::Error) -> CredentialsError {
        CredentialsError::Io {
            path: self.path.clone(),
            source,
        }
    }
}

/// Two ways to a directory are one key.
fn directory(project: &Project) -> String {
    let root = project.root.canonicalize();
    let root = root.as_ref().unwrap_or(&project.root);
    root.display().to_string()
}

/// Two ways to write one server's address are one key.
fn key(server: &Url) -> String {
    server.as_str().trim_end_matches('/').to_owned()
}

fn private_file(path: &Path, new: bool) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).create_new(new);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

fn make_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(token: &str) -> Access {
        Access {
            token: token.to_owned(),
            name: None,
            editor_link: None,
            viewer_link: Some("http://h/p/abc#V".to_owned()),
        }
    }

    fn project(server: &str, id: &str, root: &str) -> Project {
        Project {
            root: root.into(),
            server: server.parse().unwrap(),
            id: id.parse().unwrap(),
        }
    }

    #[test]
    fn kept_and_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/tutti/credentials.toml");
        let credentials = Credentials::at(path.clone());
        let token = |project: &Project| {
            let access = credentials.project(project).unwrap();
            access.map(|access| access.token)
        };
        let editing = project("http://h:4400", "a", "/editing");
        let viewing = project("http://h:4400/", "a", "/viewing");
        let other_id = project("http://h:4400", "b", "/editing");
        let other_server = project("http://h:4401", "a", "/editing");
        assert_eq!(token(&editing), None);
        credentials.keep_project(&editing, access("E")).unwrap();
        assert_eq!(token(&viewing), None);
        credentials.keep_project(&viewing, access("V")).unwrap();
        credentials.keep_project(&other_id, access("B")).unwrap();
        assert_eq!(token(&editing).as_deref(), Some("E"));
        assert_eq!(token(&viewing).as_deref(), Some("V"));
        assert_eq!(token(&other_server), None);
        credentials.forget_project(&viewing).unwrap();
        credentials.forget_project(&editing).unwrap();
        assert_eq!(token(&editing), None);
        assert_eq!(token(&other_id).as_deref(), Some("B"));
        let server = "http://h:4400/".parse().unwrap();
        credentials.keep_server(&server, "admin").unwrap();
        let found = credentials.server(&editing.server).unwrap();
        assert_eq!(found.as_deref(), Some("admin"));

        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let parent = fs::metadata(path.parent().unwrap()).unwrap();
            assert_eq!(parent.permissions().mode() & 0o777, 0o700);
        }
    }

    #[test]
    fn a_damaged_file_is_neither_lost_nor_shown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credentials.toml");
        fs::write(&path, "servers = \"SECRET\"").unwrap();
        let credentials = Credentials::at(path.clone());
        let server: Url = "http://h".parse().unwrap();
        let error = credentials.keep_server(&server, "new").unwrap_err();
        assert!(!error.to_string().contains("SECRET"), "{error}");
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "servers = \"SECRET\"",
            "the file stays as it was"
        );
    }
}
