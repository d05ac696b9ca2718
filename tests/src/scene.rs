//! A shared directory, one file of it open in an editor that is set up for comfort, and someone else in the same file.

use std::fs;

use anyhow::{Context, Result};

use crate::cli::Person;
use crate::collab::Member;
use crate::editor::{Editor, Kind};
use crate::project;
use crate::readme;
use crate::rest::{Project, Rest};
use crate::server::Server;
use crate::stock::Target;
use crate::wait::until_or;

/// The file.
pub const FILE: &str = "metronome.py";

/// See the [module's documentation](self). The person at the editor is Ada.
pub struct Scene {
    /// Her editor.
    pub editor: Editor,
    /// Who is in the file besides.
    pub other: Member,
    /// The server's REST interface.
    pub rest: Rest,
    project: Project,
    document: String,
    _dir: tempfile::TempDir,
    server: Server,
}

impl Scene {
    /// Shares a directory with a file of this text, lets the other one in and shows their caret as `caret` says (a
    /// name and a place), then opens the editor with its lines of `editor-plugins/README.md`.
    ///
    /// # Errors
    /// When any of that fails.
    pub fn open(kind: Kind, text: &str, caret: Option<(&str, u32)>) -> Result<Self> {
        let person = Person::new("Ada")?;
        let set_up = set_up(kind, &person)?;
        Self::open_with(kind, person, &set_up, text, caret)
    }

    /// As [`Self::open`], with this content of the editor's configuration file.
    ///
    /// # Errors
    /// When any of that fails.
    pub fn open_with(
        kind: Kind,
        person: Person,
        set_up: &str,
        text: &str,
        caret: Option<(&str, u32)>,
    ) -> Result<Self> {
        let server = Server::start()?;
        let dir = tempfile::tempdir()?;
        project::write(dir.path(), &[(FILE, text)])?;
        let project = person.share(dir.path(), &server)?;
        let rest = server.rest()?;
        let document = rest.file_id(&project.id, FILE)?;
        let to = Target {
            server: &server.ws_url(),
            project: &project.id,
            document: &document,
            token: project.editor_token(),
        };
        let mut other = Member::join(to, 77)?;
        if let Some((name, place)) = caret {
            other.show_caret(name, place)?;
        }
        let editor = Editor::open_with(kind, person, dir.path(), FILE, set_up)?;
        Ok(Self {
            editor,
            other,
            rest,
            project,
            document,
            _dir: dir,
            server,
        })
    }

    /// Somebody else in the file, who calls themselves by this number.
    ///
    /// # Errors
    /// When they are not let in.
    pub fn join(&self, client_id: u64) -> Result<Member> {
        let to = Target {
            server: &self.server.ws_url(),
            project: &self.project.id,
            document: &self.document,
            token: self.project.editor_token(),
        };
        Member::join(to, client_id)
    }

    /// The text on the server.
    ///
    /// # Errors
    /// When the server does not give it.
    pub fn text(&self) -> Result<String> {
        self.rest.text(&self.project.id, &self.document)
    }

    /// Waits until the server has exactly this text.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn server_holds(&self, expected: &str) -> Result<()> {
        until_or(
            "the server to hold the text",
            || self.text().ok().filter(|text| text == expected),
            || {
                let text = self.text();
                let text = text.unwrap_or_else(|error| format!("{error:#}"));
                project::difference(expected, &text)
            },
        )
        .map(drop)
    }
}

/// The content of the editor's main configuration file, with more comfort than the README has; other files are written.
fn set_up(kind: Kind, person: &Person) -> Result<String> {
    let heading = format!("{kind:?}");
    let comfort = readme::comfort(&heading)?;
    Ok(match kind {
        Kind::Neovim => comfort,
        Kind::Helix => {
            let file = person.home().join("config/helix/config.toml");
            fs::create_dir_all(file.parent().context("it lies in a directory")?)?;
            fs::write(file, comfort)?;
            readme::block(&heading)?
        }
        Kind::Emacs => readme::block(&heading)? + &comfort,
    })
}
