//! One person with their editor and their bridge's document.

use std::collections::HashMap;

use fastrand::Rng;
use tutti_engine::{Document, Effect, Millis, Opened, Replica};

use crate::editor::Editor;
use crate::person::Person;
use crate::story::Story;
use crate::witness::client;

pub(crate) struct User {
    pub(crate) editor: Editor,
    pub(crate) document: Option<Document>,
    /// The document's replica while the editor does not show it.
    pub(crate) closed: Option<Replica>,
    /// The state that the file on disk came from.
    pub(crate) base: Vec<u8>,
    pub(crate) person: Person,
    pub(crate) acts: Rng,
    pub(crate) acted: u32,
    /// Types and types.
    pub(crate) is_restless: bool,
    /// How often the document has been opened.
    pub(crate) opening: u32,
    /// When the engine wants to be woken.
    pub(crate) wake_at: Option<u64>,
    /// Which connection to the server is the current one; `None` while cut off.
    pub(crate) connection: Option<u32>,
    pub(crate) connections: u32,
    pub(crate) edits_when_quiet: usize,
    /// What the reports tell that the engine has not taken in yet, with their versions.
    pub(crate) stories: Vec<(i32, Story)>,
    /// The last time at which each of this person's ordered channels delivers.
    pub(crate) last: HashMap<&'static str, u64>,
}

impl User {
    pub(crate) fn open(
        &mut self,
        number: usize,
        text: String,
        crlf: bool,
        now: u64,
    ) -> Vec<Effect> {
        self.opening += 1;
        let main = self.closed.take().expect("closed");
        let base = Replica::from_state(7, &self.base).expect("a state");
        let opened = Opened {
            text,
            version: 0,
            encoding: self.editor.encoding,
            dialect: self.editor.dialect.clone(),
            eol_crlf: crlf,
            user: client(number, self.opening),
        };
        let (document, effects) = Document::open(main, Some(base), opened, Millis(now));
        self.document = Some(document);
        effects
    }
}
