//! The journal of an open document: what its editor shows, in bytes that outlive the bridge.
//!
//! An editor lives on when its bridge is killed, and its person types on. What they have typed
//! since is the difference between the text they come back with and the one that the journal ends
//! with; all before it has been exchanged, and is not to be written a second time.

use yrs::encoding::read::{Cursor, Read};
use yrs::encoding::write::Write;

use super::{Document, EditId};
use crate::replica::{BadUpdate, Mark, Replica, bad, read_marks, write_marks};

/// What is told of the edit under way, which the editor may have taken in without a word.
const FLIGHT_AS_BEFORE: u8 = 0;
const FLIGHT_IS: u8 = 1;

/// What the journal says, as it was written last.
#[derive(Debug, Default)]
pub(super) struct Journaled {
    flight: Option<EditId>,
    /// The editor shows a text that is not made of the document; see `Document::is_foreign`.
    is_foreign: bool,
}

/// What a journal ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// All that the bridge had of the document: an update in v1 encoding.
    pub state: Vec<u8>,
    /// What the editor may have shown, each for [`Document::open`]'s `base`: without the edit that
    /// was under way, and with it. Nothing if it showed a text that is not made of the document.
    pub shown: Vec<Vec<u8>>,
}

impl Document {
    /// Begins a journal. The bytes are its first entry; each further one is told by
    /// [`Document::journal_entry`]. Beginning anew is how a journal that has grown long is made
    /// short.
    pub fn begin_journal(&mut self) -> Vec<u8> {
        self.journaled = Journaled::default();
        let start = self.main.begin_journal();
        self.entry(start)
    }

    /// What has happened since the last entry: to be written before anyone hears of it. Nothing if
    /// there is nothing, or no journal was begun.
    pub fn journal_entry(&mut self) -> Option<Vec<u8>> {
        let news = self.main.news();
        let flight = self.flight.as_ref().map(|flight| flight.id);
        let as_before =
            self.journaled.flight == flight && self.journaled.is_foreign == self.is_foreign;
        if news.is_none() && as_before {
            return None;
        }
        Some(self.entry(news.unwrap_or_default()))
    }

    fn entry(&mut self, news: Vec<u8>) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.write_buf(news);
        self.write_flight(&mut bytes);
        self.journaled.is_foreign = self.is_foreign;
        bytes.write_u8(u8::from(self.is_foreign));
        bytes
    }

    fn write_flight(&mut self, bytes: &mut Vec<u8>) {
        let flight = self.flight.as_ref();
        let id = flight.map(|flight| flight.id);
        if self.journaled.flight == id {
            return bytes.write_u8(FLIGHT_AS_BEFORE);
        }
        self.journaled.flight = id;
        bytes.write_u8(FLIGHT_IS);
        write_marks(bytes, flight.map_or(&[], |flight| &flight.marks));
    }
}

impl Left {
    /// The first entry of a journal, as of [`Document::begin_journal`], of an editor that shows `shown`:
    /// `main` without some of its characters.
    pub fn begin_journal(mut main: Replica, shown: &Replica) -> Vec<u8> {
        main.begin_showing(Some(shown));
        let mut bytes = Vec::new();
        bytes.write_buf(main.begin_journal());
        bytes.write_u8(FLIGHT_AS_BEFORE);
        bytes.write_u8(0);
        bytes
    }

    /// Reads a journal: its entries in order, the first of which is that of
    /// [`Document::begin_journal`]. `client_id` is one that no replica writes as.
    ///
    /// # Errors
    /// [`BadUpdate`] when that is not what they are.
    pub fn read<'a>(
        client_id: u64,
        start: &'a [u8],
        entries: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, BadUpdate> {
        let mut start = Cursor::new(start);
        let begun = start.read_buf().map_err(bad)?;
        let mut replica = Replica::from_journal(client_id, begun)?;
        let mut flight = Vec::new();
        read_flight(&mut start, &mut flight)?;
        let mut is_foreign = start.read_u8().map_err(bad)? != 0;
        for entry in entries {
            let mut entry = Cursor::new(entry);
            let news = entry.read_buf().map_err(bad)?;
            if !news.is_empty() {
                replica.follow(news)?;
            }
            read_flight(&mut entry, &mut flight)?;
            is_foreign = entry.read_u8().map_err(bad)? != 0;
        }
        let mut shown = Vec::new();
        if !is_foreign {
            shown.push(replica.shown_state());
            if !flight.is_empty() {
                replica.land(&flight);
                shown.push(replica.shown_state());
            }
        }
        Ok(Self {
            state: replica.state(),
            shown,
        })
    }
}

fn read_flight(bytes: &mut Cursor<'_>, flight: &mut Vec<Mark>) -> Result<(), BadUpdate> {
    if bytes.read_u8().map_err(bad)? == FLIGHT_IS {
        *flight = read_marks(bytes).map_err(bad)?;
    }
    Ok(())
}
