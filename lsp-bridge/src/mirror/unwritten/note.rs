//! What is not written here, for `tutti status` and for the next bridge: `.tutti/unwritten`.
//!
//! The file has its full length from the beginning, and is written over where it stands, through a handle that is
//! open: that needs no room on the disk, and no leave of the directory.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::OpenOptions;
use serde::{Deserialize, Serialize};
use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::DocumentId;

use super::Named;
use crate::mirror::cut_off::CutOff;
use crate::mirror::tree::{LeftAlone, Private, read_small};

const NAME: &str = "unwritten";
const BYTES: usize = 16 * 1024;
/// So many of the files that are cut off have room there, with an id of 64 characters each.
const MOST_CUT_OFF: usize = 64;
/// Who reads it while it is written tries once more.
const TRIES: usize = 5;

/// The file, for the bridge that owns the directory.
#[derive(Debug)]
pub(super) struct Note {
    file: File,
}

/// What it tells.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::mirror) struct Noted {
    /// Paths, each with what there is to say of it.
    pub(in crate::mirror) unwritten: Vec<(String, String)>,
    /// How many there are beyond these.
    pub(in crate::mirror) more: usize,
    /// Files that are [cut off](crate::mirror::cut_off), and what they hold: for the next bridge.
    #[serde(default)]
    pub(in crate::mirror) cut_off: Vec<(DocumentId, BlobHash)>,
    /// There was no room on the disk.
    #[serde(default)]
    pub(in crate::mirror) is_full: bool,
}

impl Note {
    pub(super) fn open(private: &Private) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).follow(FollowSymlinks::No);
        let file = private.dir().open_with(NAME, &options)?.into_std();
        Ok(Self { file })
    }

    pub(super) fn write(&mut self, named: &Named, cut_off: &CutOff) -> io::Result<()> {
        let is_full = |(_, reason): &(_, LeftAlone)| *reason == LeftAlone::Full;
        let mut noted = Noted {
            cut_off: cut_off.first(MOST_CUT_OFF),
            is_full: !cut_off.is_empty() || named.values().any(is_full),
            ..Noted::default()
        };
        // With the quotation marks and commas around them.
        let mut left = BYTES - 100 - serde_json::to_vec(&noted)?.len();
        for (path, (waiting, reason)) in named {
            if noted.more > 0 {
                noted.more += 1;
                continue;
            }
            let one = (path.clone(), waiting.in_status(reason));
            let bytes = serde_json::to_vec(&one)?.len() + 1;
            if bytes > left {
                noted.more += 1;
                continue;
            }
            left -= bytes;
            noted.unwritten.push(one);
        }
        let mut bytes = serde_json::to_vec(&noted)?;
        bytes.resize(BYTES, b' ');
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&bytes)?;
        match cut_off.is_empty() {
            true => Ok(()),
            // The text of these is at stake.
            false => self.file.sync_data(),
        }
    }
}

/// What the bridge that runs in the directory, or ran there last, could not write.
pub(in crate::mirror) fn read(private: &Private) -> Noted {
    for _ in 0..TRIES {
        let bytes = match read_small(private.dir(), NAME) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            read => read.unwrap_or_default(),
        };
        if let Ok(noted) = serde_json::from_slice(&bytes) {
            return noted;
        }
    }
    Noted::default()
}
