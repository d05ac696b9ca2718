//! Which part of an update can be integrated now, and which has to wait for others.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::ops::Range;

use tutti_protocol::codec::Write;

use super::scan::{ClientStructs, Piece};
use super::{Clocks, ScannedUpdate};

/// An update in two parts.
#[derive(Debug)]
pub enum Split {
    /// All of it can be integrated.
    Ready,
    /// Some of it builds on what the document lacks.
    Partly {
        /// What can be integrated: an update, with nothing missing.
        ready: Vec<u8>,
        /// What has to wait: an update.
        held: Vec<u8>,
        /// The ids it waits for. Once one of them is there, it is worth another try.
        missing: Vec<(u64, u32)>,
    },
}

impl ScannedUpdate<'_> {
    /// Splits the update for a document that has everything below `clocks`, and moves `clocks`
    /// to what it will have with the ready part.
    pub fn split(&self, clocks: &mut Clocks) -> Split {
        let mut cursors = vec![0; self.clients.len()];
        let missing = advance(&self.clients, &mut cursors, clocks);
        let at = |client: u64| clocks.get(&client).copied().unwrap_or(0);
        if missing.is_empty() && self.deletes.iter().all(|(c, range)| range.end <= at(*c)) {
            return Split::Ready;
        }

        let mut ready_deletes = Vec::new();
        let mut held_deletes = Vec::new();
        let mut missing = missing;
        for (client, range) in &self.deletes {
            let have = at(*client).clamp(range.start, range.end);
            if range.start < have {
                ready_deletes.push((*client, range.start..have));
            }
            if have < range.end {
                held_deletes.push((*client, have..range.end));
                missing.push((*client, have));
            }
        }
        let mut ready_structs = Vec::new();
        let mut held_structs = Vec::new();
        for (of, &cursor) in self.clients.iter().zip(&cursors) {
            let (ready, held) = of.structs.split_at(cursor);
            ready_structs.push((of.client, ready));
            held_structs.push((of.client, held));
        }
        Split::Partly {
            ready: self.write(&ready_structs, &ready_deletes),
            held: self.write(&held_structs, &held_deletes),
            missing,
        }
    }

    /// Structs are written as they came: in the v1 encoding each stands for itself.
    fn write(&self, structs: &[(u64, &[Piece])], deletes: &[(u64, Range<u32>)]) -> Vec<u8> {
        let mut out = Vec::new();
        let present = || structs.iter().filter(|(_, of)| !of.is_empty());
        out.var_uint(present().count() as u64);
        for (client, of) in present() {
            out.var_uint(of.len() as u64);
            out.var_uint(*client);
            out.var_uint(u64::from(of[0].clock));
            let bytes = of[0].at.start..of[of.len() - 1].at.end;
            out.extend_from_slice(&self.bytes[bytes]);
        }
        let mut by_client: Vec<(u64, Vec<&Range<u32>>)> = Vec::new();
        for (client, range) in deletes {
            match by_client.last_mut() {
                Some((last, ranges)) if last == client => ranges.push(range),
                _ => by_client.push((*client, vec![range])),
            }
        }
        out.var_uint(by_client.len() as u64);
        for (client, ranges) in by_client {
            out.var_uint(client);
            out.var_uint(ranges.len() as u64);
            for range in ranges {
                out.var_uint(u64::from(range.start));
                out.var_uint(u64::from(range.end - range.start));
            }
        }
        out
    }
}

/// Moves each client's cursor over the structs that can be integrated; returns what the others
/// wait for. Each struct is looked at once for each id it depends on, however they interlock.
fn advance(
    clients: &[ClientStructs],
    cursors: &mut [usize],
    clocks: &mut Clocks,
) -> Vec<(u64, u32)> {
    let mut queue: Vec<usize> = (0..clients.len()).collect();
    let mut waiting: HashMap<u64, BinaryHeap<Reverse<(u32, usize)>>> = HashMap::new();
    while let Some(index) = queue.pop() {
        let of = &clients[index];
        let before = clocks.get(&of.client).copied().unwrap_or(0);
        let mut have = before;
        let mut blocker = None;
        for piece in &of.structs[cursors[index]..] {
            blocker = blocker_of(piece, of.client, have, clocks);
            if blocker.is_some() {
                break;
            }
            cursors[index] += 1;
            if !piece.skip {
                have = have.max(piece.end());
            }
        }
        if have > before {
            clocks.insert(of.client, have);
            if let Some(waiters) = waiting.get_mut(&of.client) {
                while waiters
                    .peek()
                    .is_some_and(|Reverse((clock, _))| *clock < have)
                {
                    queue.extend(waiters.pop().map(|Reverse((_, waiter))| waiter));
                }
            }
        }
        if let Some((client, clock)) = blocker {
            waiting
                .entry(client)
                .or_default()
                .push(Reverse((clock, index)));
        }
    }
    waiting
        .into_iter()
        .flat_map(|(client, heap)| {
            heap.into_iter()
                .map(move |Reverse((clock, _))| (client, clock))
        })
        .collect()
}

/// The id that keeps `piece` from being integrated.
fn blocker_of(piece: &Piece, client: u64, have: u32, clocks: &Clocks) -> Option<(u64, u32)> {
    if piece.skip {
        return None;
    }
    if piece.clock > have {
        return Some((client, piece.clock - 1));
    }
    piece.needs.iter().flatten().copied().find(|&(of, clock)| {
        let known = if of == client {
            have
        } else {
            clocks.get(&of).copied().unwrap_or(0)
        };
        clock >= known
    })
}
