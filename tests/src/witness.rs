//! Two people whose work must go on whatever others do to their server.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::collab::Member;
use crate::rest::Project;
use crate::server::Server;
use crate::stock::Target;

/// How long a word may take from one to the other and to the disk while the server is troubled. It is generous: the
/// machine that runs the tests is slow, and has other work.
const NOTICED: Duration = Duration::from_secs(10);

/// A pair of members in a document of their own, connected from the start to the end.
pub struct Witness {
    one: Member,
    other: Member,
    words: u32,
}

impl Witness {
    /// Connects the pair.
    ///
    /// # Errors
    /// When the server does not let them in.
    pub fn new(server: &Server, project: &Project) -> Result<Self> {
        let to = Target {
            server: &server.ws_url(),
            project: &project.id,
            document: "witness",
            token: project.editor_token(),
        };
        let mut witness = Self {
            one: Member::join(to, 900_001)?,
            other: Member::join(to, 900_002)?,
            words: 0,
        };
        witness.notices_nothing()?;
        Ok(witness)
    }

    /// A word goes from one to the other and to the disk, over the connections they had before.
    ///
    /// # Errors
    /// When a connection was lost, or it takes long.
    pub fn notices_nothing(&mut self) -> Result<()> {
        let start = Instant::now();
        self.hears()?;
        self.one.saved()?;
        ensure!(start.elapsed() < NOTICED, "that took {:?}", start.elapsed());
        Ok(())
    }

    /// A word goes from one to the other; the disk may have to wait.
    ///
    /// # Errors
    /// When a connection was lost.
    pub fn hears(&mut self) -> Result<()> {
        self.words += 1;
        self.one.append(&format!("word {} ", self.words))?;
        let text = self.one.text();
        self.other.holds(&text)
    }

    /// Whether all words are on the disk.
    #[must_use]
    pub fn is_saved(&self) -> bool {
        self.one.waiting() == 0
    }

    /// Waits until all words are on the disk.
    ///
    /// # Errors
    /// When the connection was lost.
    pub fn saved(&mut self) -> Result<()> {
        self.one.saved()
    }

    /// Takes what has come; says whether an acknowledgement was among it.
    ///
    /// # Errors
    /// When the connection was lost.
    pub fn acknowledged_within(&mut self, time: Duration) -> Result<bool> {
        let before = self.one.waiting();
        let start = Instant::now();
        while let Some(left) = time
            .checked_sub(start.elapsed())
            .filter(|left| !left.is_zero())
        {
            self.one.receive(left)?;
        }
        Ok(self.one.waiting() < before)
    }

    /// The text they have.
    #[must_use]
    pub fn text(&self) -> String {
        self.one.text()
    }
}
