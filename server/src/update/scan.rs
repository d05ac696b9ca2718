//! The walk over an update's bytes (Yjs 13 `readClientsStructRefs`, `readDeleteSet`; v1 encoding).

use std::collections::HashSet;
use std::ops::Range;

use tutti_protocol::codec::{DecodeError, Reader};

use super::ScanError;

/// yrs counts clocks in `i32` in places.
pub(super) const MAX_CLOCK: u64 = i32::MAX as u64;
/// JavaScript's exact integers.
pub(super) const MAX_CLIENT: u64 = (1 << 53) - 1;
const MAX_DEPTH: u32 = 100;

const HAS_ORIGIN: u8 = 0x80;
const HAS_RIGHT_ORIGIN: u8 = 0x40;
const HAS_PARENT_SUB: u8 = 0x20;

/// An update whose shape has been checked.
#[derive(Debug)]
pub struct ScannedUpdate<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) clients: Vec<ClientStructs>,
    pub(super) deletes: Vec<(u64, Range<u32>)>,
}

/// The structs of one client, in the order of their clocks.
#[derive(Debug)]
pub(super) struct ClientStructs {
    pub(super) client: u64,
    pub(super) structs: Vec<Piece>,
}

/// One struct.
#[derive(Debug)]
pub struct Piece {
    /// Its first clock.
    pub clock: u32,
    /// How many clocks it takes.
    pub len: u32,
    /// Whether it only stands for structs that are not in the update.
    pub skip: bool,
    /// The ids that must be there before: origin, right origin, parent.
    pub(super) needs: [Option<(u64, u32)>; 3],
    /// Where it lies in the update.
    pub(super) at: Range<usize>,
}

impl Piece {
    /// The clock after its last.
    pub fn end(&self) -> u32 {
        self.clock + self.len
    }

    /// Whether it takes memory of its own; typing on at the end of one's own text does not.
    pub fn is_item(&self, client: u64) -> bool {
        let continues = self
            .clock
            .checked_sub(1)
            .is_some_and(|last| self.needs[0] == Some((client, last)));
        !self.skip && !continues
    }
}

impl ScannedUpdate<'_> {
    /// The update as it came.
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// Every struct with its client.
    pub fn structs(&self) -> impl Iterator<Item = (u64, &Piece)> {
        self.clients
            .iter()
            .flat_map(|of| of.structs.iter().map(|piece| (of.client, piece)))
    }

    /// The ids that have to be there before it, as far as each of its parts tells by itself: they may be in the update.
    pub fn needs(&self) -> impl Iterator<Item = (u64, u32)> {
        let named = self.structs().flat_map(|(_, piece)| piece.needs);
        let before = self.structs().map(|(client, piece)| {
            let last = piece.clock.checked_sub(1);
            last.map(|last| (client, last))
        });
        let deleted = self.deletes.iter();
        let deleted = deleted.map(|(client, range)| Some((*client, range.end - 1)));
        named.chain(before).chain(deleted).flatten()
    }

    /// Every deleted range with its client.
    pub fn deletions(&self) -> impl Iterator<Item = (u64, Range<u32>)> {
        self.deletes.iter().cloned()
    }
}

/// Checks the shape of an update in v1 encoding.
///
/// # Errors
/// [`ScanError`] when it is none, or when decoding it would cost more than its size warrants.
pub fn scan(bytes: &[u8]) -> Result<ScannedUpdate<'_>, ScanError> {
    walk(bytes, None)
}

/// As [`scan`]; the entries of each object value are added to `objects`, those of an inner one before those of its
/// outer one.
pub(super) fn walk<'a>(
    bytes: &'a [u8],
    objects: Option<&mut Vec<Vec<Range<usize>>>>,
) -> Result<ScannedUpdate<'a>, ScanError> {
    let mut walk = Walk {
        reader: Reader::new(bytes),
        total: bytes.len(),
        objects,
    };
    let clients = walk.clients()?;
    let deletes = walk.delete_set()?;
    if !walk.reader.is_empty() {
        return Err(ScanError::Trailing);
    }
    Ok(ScannedUpdate {
        bytes,
        clients,
        deletes,
    })
}

struct Walk<'a, 'b> {
    reader: Reader<'a>,
    total: usize,
    objects: Option<&'b mut Vec<Vec<Range<usize>>>>,
}

impl Walk<'_, '_> {
    fn position(&self) -> usize {
        self.total - self.reader.rest().len()
    }

    /// A count of things of at least `least` bytes each.
    fn count(&mut self, least: usize) -> Result<usize, ScanError> {
        let count = usize::try_from(self.reader.var_uint()?).map_err(|_| ScanError::Count)?;
        if count > self.reader.rest().len() / least {
            return Err(ScanError::Count);
        }
        Ok(count)
    }

    fn byte(&mut self) -> Result<u8, ScanError> {
        let (&byte, rest) = self
            .reader
            .rest()
            .split_first()
            .ok_or(DecodeError::UnexpectedEnd)?;
        self.reader = Reader::new(rest);
        Ok(byte)
    }

    fn skip_bytes(&mut self, count: usize) -> Result<(), ScanError> {
        let rest = self
            .reader
            .rest()
            .get(count..)
            .ok_or(DecodeError::UnexpectedEnd)?;
        self.reader = Reader::new(rest);
        Ok(())
    }

    fn client(&mut self) -> Result<u64, ScanError> {
        let client = self.reader.var_uint()?;
        if client > MAX_CLIENT {
            return Err(ScanError::Range);
        }
        Ok(client)
    }

    fn clock(&mut self) -> Result<u32, ScanError> {
        let clock = self.reader.var_uint()?;
        if clock > MAX_CLOCK {
            return Err(ScanError::Range);
        }
        Ok(clock as u32)
    }

    fn id(&mut self) -> Result<(u64, u32), ScanError> {
        Ok((self.client()?, self.clock()?))
    }

    fn clients(&mut self) -> Result<Vec<ClientStructs>, ScanError> {
        let count = self.count(3)?;
        let mut clients: Vec<ClientStructs> = Vec::new();
        let mut seen = HashSet::new();
        for _ in 0..count {
            let structs = self.count(2)?;
            let client = self.client()?;
            if !seen.insert(client) {
                return Err(ScanError::Twice);
            }
            let mut clock = self.clock()?;
            let mut of = ClientStructs {
                client,
                structs: Vec::new(),
            };
            for _ in 0..structs {
                let piece = self.piece(clock)?;
                clock = piece
                    .clock
                    .checked_add(piece.len)
                    .filter(|&end| u64::from(end) <= MAX_CLOCK)
                    .ok_or(ScanError::Range)?;
                of.structs.push(piece);
            }
            clients.push(of);
        }
        Ok(clients)
    }

    fn piece(&mut self, clock: u32) -> Result<Piece, ScanError> {
        let start = self.position();
        let info = self.byte()?;
        let mut needs = [None; 3];
        let (len, skip) = match info {
            0 | 10 => match self.clock()? {
                0 => return Err(ScanError::Range),
                len => (len, info == 10),
            },
            _ => {
                if info & HAS_ORIGIN != 0 {
                    needs[0] = Some(self.id()?);
                }
                if info & HAS_RIGHT_ORIGIN != 0 {
                    needs[1] = Some(self.id()?);
                }
                if info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN) == 0 {
                    match self.reader.var_uint()? {
                        1 => {
                            self.reader.var_str()?;
                        }
                        _ => needs[2] = Some(self.id()?),
                    }
                    if info & HAS_PARENT_SUB != 0 {
                        self.reader.var_str()?;
                    }
                }
                (self.content(info & 0x0f)?, false)
            }
        };
        Ok(Piece {
            clock,
            len,
            skip,
            needs,
            at: start..self.position(),
        })
    }

    /// Walks over a struct's content and returns its length in clocks.
    fn content(&mut self, kind: u8) -> Result<u32, ScanError> {
        match kind {
            1 => return self.clock(),
            3 => {
                self.reader.var_bytes()?;
            }
            4 => {
                let text = self.reader.var_str()?;
                return Ok(text.chars().map(|c| c.len_utf16() as u32).sum());
            }
            5 => {
                self.reader.var_str()?;
            }
            6 => {
                self.reader.var_str()?;
                self.reader.var_str()?;
            }
            7 => match self.byte()? {
                0 | 1 | 2 | 4 | 6 => {}
                3 => {
                    self.reader.var_str()?;
                }
                _ => return Err(ScanError::Content(kind)),
            },
            8 => {
                let count = self.count(1)?;
                for _ in 0..count {
                    self.any(0)?;
                }
                return Ok(count as u32);
            }
            9 => {
                self.reader.var_str()?;
                self.any(0)?;
            }
            other => return Err(ScanError::Content(other)),
        }
        Ok(1)
    }

    /// Walks over a value of lib0's `any` encoding.
    fn any(&mut self, depth: u32) -> Result<(), ScanError> {
        if depth > MAX_DEPTH {
            return Err(ScanError::Depth);
        }
        match self.byte()? {
            127 | 126 | 121 | 120 => {}
            // A signed number: as long as an unsigned one.
            125 => {
                self.reader.var_uint()?;
            }
            124 => self.skip_bytes(4)?,
            123 | 122 => self.skip_bytes(8)?,
            119 => {
                self.reader.var_str()?;
            }
            118 => {
                let mut entries = Vec::new();
                for _ in 0..self.count(2)? {
                    let start = self.position();
                    self.reader.var_str()?;
                    self.any(depth + 1)?;
                    if self.objects.is_some() {
                        entries.push(start..self.position());
                    }
                }
                if let Some(objects) = &mut self.objects {
                    objects.push(entries);
                }
            }
            117 => {
                for _ in 0..self.count(1)? {
                    self.any(depth + 1)?;
                }
            }
            116 => {
                self.reader.var_bytes()?;
            }
            other => return Err(ScanError::Content(other)),
        }
        Ok(())
    }

    fn delete_set(&mut self) -> Result<Vec<(u64, Range<u32>)>, ScanError> {
        let mut deletes = Vec::new();
        let mut seen = HashSet::new();
        for _ in 0..self.count(2)? {
            let client = self.client()?;
            if !seen.insert(client) {
                return Err(ScanError::Twice);
            }
            for _ in 0..self.count(2)? {
                let clock = self.clock()?;
                let len = self.clock()?;
                let end = clock
                    .checked_add(len)
                    .filter(|&end| u64::from(end) <= MAX_CLOCK)
                    .ok_or(ScanError::Range)?;
                if len > 0 {
                    deletes.push((client, clock..end));
                }
            }
        }
        Ok(deletes)
    }
}
