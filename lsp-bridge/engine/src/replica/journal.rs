//! What happens to a replica, told in a few bytes at a time: so that a bridge that was killed can
//! say, when it is started anew, what its editor showed.
//!
//! Both texts are told: the shared one by the updates it took in, the shown one by the characters
//! that came into it and left it.

use yrs::encoding::read::{Cursor, Error, Read};
use yrs::encoding::write::Write;
use yrs::{ClientID, ID};

use super::showing::Mark;
use super::{BadUpdate, Replica, bad};

/// What has happened since it was told last.
#[derive(Debug, Default)]
pub(super) struct Untold {
    updates: Vec<Vec<u8>>,
}

impl Replica {
    /// From now on what happens is told by [`Replica::news`]. Returns how things stand.
    pub(crate) fn begin_journal(&mut self) -> Vec<u8> {
        self.untold = Some(Untold::default());
        self.text.flips = Some(Vec::new());
        let behind = self.ahead().into_iter().flat_map(|step| step.marks);
        let behind = behind.chain(self.text.hidden_marks());
        let behind: Vec<Mark> = behind.map(Mark::reversed).collect();
        let mut bytes = Vec::new();
        bytes.write_buf(self.state());
        write_news(&mut bytes, &self.waiting, &behind);
        bytes
    }

    /// What has happened since this was asked last; nothing if nothing has.
    pub(crate) fn news(&mut self) -> Option<Vec<u8>> {
        let updates = self
            .untold
            .as_mut()
            .map(|untold| std::mem::take(&mut untold.updates));
        let flips = self.text.flips.as_mut().map(std::mem::take);
        let (updates, flips) = (updates?, flips?);
        if updates.is_empty() && flips.is_empty() {
            return None;
        }
        let mut bytes = Vec::new();
        write_news(&mut bytes, &updates, &flips);
        Some(bytes)
    }

    /// An update has been taken in.
    pub(super) fn tell(&mut self, update: &[u8]) {
        if let Some(untold) = &mut self.untold {
            untold.updates.push(update.to_vec());
        }
    }

    /// A replica as [`Replica::begin_journal`] has told it, that writes as `client_id`.
    pub(crate) fn from_journal(client_id: u64, start: &[u8]) -> Result<Self, BadUpdate> {
        let mut start = Cursor::new(start);
        let state = start.read_buf().map_err(bad)?;
        let mut replica = Self::from_state(client_id, state)?;
        replica.begin_showing(None);
        replica.follow_from(&mut start)?;
        Ok(replica)
    }

    /// Goes the way that [`Replica::news`] has told.
    pub(crate) fn follow(&mut self, news: &[u8]) -> Result<(), BadUpdate> {
        self.follow_from(&mut Cursor::new(news))
    }

    fn follow_from(&mut self, news: &mut Cursor<'_>) -> Result<(), BadUpdate> {
        let updates: u32 = news.read_var().map_err(bad)?;
        for _ in 0..updates {
            self.apply(news.read_buf().map_err(bad)?)?;
        }
        // In the order in which they came and went, which is not that of the text.
        for mark in read_marks(news).map_err(bad)? {
            self.land(&[mark]);
        }
        Ok(())
    }
}

fn write_news(bytes: &mut Vec<u8>, updates: &[Vec<u8>], flips: &[Mark]) {
    bytes.write_var(updates.len() as u32);
    updates.iter().for_each(|update| bytes.write_buf(update));
    write_marks(bytes, flips);
}

/// Writes characters that come or leave.
pub(crate) fn write_marks(bytes: &mut Vec<u8>, marks: &[Mark]) {
    bytes.write_var(marks.len() as u32);
    for mark in marks {
        bytes.write_var(mark.id.client.get());
        bytes.write_var(mark.id.clock);
        bytes.write_var(mark.len);
        bytes.write_u8(u8::from(mark.comes));
        if mark.comes {
            bytes.write_string(&mark.text);
        }
    }
}

/// Reads what [`write_marks`] has written.
pub(crate) fn read_marks(bytes: &mut Cursor<'_>) -> Result<Vec<Mark>, Error> {
    let count: u32 = bytes.read_var()?;
    let mut marks = Vec::new();
    for _ in 0..count {
        let client: u64 = bytes.read_var()?;
        let (clock, len) = (bytes.read_var()?, bytes.read_var()?);
        let comes = bytes.read_u8()? != 0;
        let text = if comes {
            bytes.read_string()?.to_owned()
        } else {
            String::new()
        };
        let id = ID::new(ClientID::new(client), clock);
        marks.push(Mark {
            id,
            len,
            text,
            comes,
        });
    }
    Ok(marks)
}
