//! Places where two have not the same characters, and what of them has the same lines.

use std::ops::Range;

use yrs::{ID, IdSet};

/// So many characters in one place are no chance.
pub(super) const ALIKE: usize = 3;

/// Some units that stand or stood behind each other, and have the same fate.
#[derive(Clone)]
pub(super) struct Piece {
    pub(super) id: ID,
    pub(super) len: u32,
    pub(super) writer: Writer,
    /// Where it stands in the text as we have made it, as they have, and as it is now.
    pub(super) ours: Option<Range<usize>>,
    pub(super) theirs: Option<Range<usize>>,
    pub(super) now: Option<Range<usize>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer {
    /// It was there before.
    Both,
    We,
    They,
}

/// The same place in the three texts.
pub(super) struct Place {
    ours: Range<usize>,
    theirs: Range<usize>,
    now: Range<usize>,
}

/// Where the texts have not the same characters.
pub(super) struct Block {
    pub(super) place: Place,
    pieces: Vec<Piece>,
}

/// The text as we have made it, as they have, and as it is now.
#[derive(Default)]
pub(super) struct Texts {
    pub(super) ours: String,
    pub(super) theirs: String,
    now: String,
}

impl Texts {
    pub(super) fn push(&mut self, content: &str, piece: &mut Piece) {
        for (text, place) in [
            (&mut self.ours, &mut piece.ours),
            (&mut self.theirs, &mut piece.theirs),
            (&mut self.now, &mut piece.now),
        ] {
            if let Some(place) = place {
                let start = text.len();
                text.push_str(content);
                *place = start..text.len();
            }
        }
    }

    fn push_to_all(&mut self, content: &str) {
        for text in [&mut self.ours, &mut self.theirs, &mut self.now] {
            text.push_str(content);
        }
    }

    /// The lines that the gaps are in; gaps in the same lines are one.
    pub(super) fn whole_lines(&self, gaps: Vec<Block>) -> Vec<Block> {
        let begins = |text: &str, at: usize| text[..at].ends_with('\n') || at == 0;
        let mut blocks: Vec<Block> = Vec::new();
        for mut gap in gaps {
            let Place { ours, theirs, now } = &mut gap.place;
            let line = self.ours[..ours.start].rfind('\n').map_or(0, |at| at + 1);
            if !begins(&self.ours, ours.end) || !begins(&self.theirs, theirs.end) {
                let rest = &self.ours[ours.end..];
                let behind = rest.find('\n').map_or(rest.len(), |at| at + 1);
                for place in [&mut *ours, &mut *theirs, &mut *now] {
                    place.end += behind;
                }
            }
            match blocks.last_mut() {
                // In the line that the last one ends in: where that ends was found without this one.
                Some(last) if line < last.place.ours.end => {
                    last.place.end_as(&gap.place);
                    last.pieces.append(&mut gap.pieces);
                }
                _ => {
                    let before = ours.start - line;
                    for place in [ours, theirs, now] {
                        place.start -= before;
                    }
                    blocks.push(gap);
                }
            }
        }
        blocks
    }
}

impl Place {
    fn end_as(&mut self, other: &Self) {
        self.ours.end = other.ours.end;
        self.theirs.end = other.theirs.end;
        self.now.end = other.now.end;
    }

    fn starts_at_end_of(&self, other: &Self) -> bool {
        let pairs = [
            (&self.ours, &other.ours),
            (&self.theirs, &other.theirs),
            (&self.now, &other.now),
        ];
        pairs.iter().all(|(own, other)| own.start == other.end)
    }
}

impl Block {
    /// Adds what goes, if both have the same lines at the start or the end of the block, or one has all
    /// that the other has: they stay once, and beside them whatever only one has.
    pub(super) fn add_needless(&self, texts: &Texts, needless: &mut IdSet) {
        // What one has deleted of a line that the other has changed tells of the line that both have come
        // to; a line that only one has deleted has nothing to do with it.
        let twice = [true, false].map(|is_seen| self.lines(texts, is_seen).twice());
        let twice = twice.into_iter().flatten().next().unwrap_or_default();
        for one in twice.iter().filter(|one| one.now.is_some()) {
            needless.insert(one.id, one.len);
        }
    }

    /// The lines alone, with or without what one of the two has deleted of what both had.
    fn lines(&self, texts: &Texts, is_deleted_seen: bool) -> Lines {
        let mut lines = Lines::default();
        let Place { ours, theirs, .. } = &self.place;
        let (mut our_at, mut their_at) = (ours.start, theirs.start);
        for piece in &self.pieces {
            let (content, skipped) = match (&piece.ours, &piece.theirs) {
                (Some(place), _) => (&texts.ours[place.clone()], place.start - our_at),
                (None, Some(place)) => (&texts.theirs[place.clone()], place.start - their_at),
                (None, None) => continue,
            };
            lines
                .texts
                .push_to_all(&texts.ours[our_at..our_at + skipped]);
            our_at += skipped + piece.ours.as_ref().map_or(0, |_| content.len());
            their_at += skipped + piece.theirs.as_ref().map_or(0, |_| content.len());
            let mut piece = piece.clone();
            if piece.writer == Writer::Both && !is_deleted_seen {
                (piece.ours, piece.theirs) = (None, None);
            }
            lines.texts.push(content, &mut piece);
            lines.pieces.push(piece);
        }
        lines.texts.push_to_all(&texts.ours[our_at..ours.end]);
        lines
    }
}

/// The lines of a block.
#[derive(Default)]
struct Lines {
    texts: Texts,
    pieces: Vec<Piece>,
}

/// Some units that one of the two has written, and where they stand now.
#[derive(Clone)]
struct Written {
    id: ID,
    len: u32,
    now: Option<Range<usize>>,
}

impl Lines {
    fn twice(&self) -> Option<Vec<Written>> {
        let common = Common::of(&self.texts.ours, &self.texts.theirs)?;
        let we = common.ours.map(|part| self.written(Writer::We, part));
        let they = common.theirs.map(|part| self.written(Writer::They, part));
        let units = |parts: &[Vec<Written>; 2]| parts.iter().flatten().map(|one| one.len).sum();
        if u32::min(units(&we), units(&they)) < ALIKE as u32 {
            return None;
        }
        // What is decided hangs on nothing but what both see alike.
        let first = |parts: &[Vec<Written>; 2]| {
            let all = parts.iter().flatten().filter_map(|one| one.now.as_ref());
            all.map(|now| now.start).min()
        };
        let ([head, tail], [second_head, second_tail]) = match first(&we) < first(&they) {
            true => (we, they),
            false => (they, we),
        };
        let mut choices = [
            [&tail, &second_head],
            [&second_head, &second_tail],
            [&head, &tail],
            [&head, &second_tail],
        ]
        .map(|choice| choice.map(Vec::as_slice).concat())
        .into_iter();
        choices.find(|choice| common.wanted.contains(&self.without(choice)))
    }

    /// What one of them has written in a part of their text.
    fn written(&self, writer: Writer, part: Range<usize>) -> Vec<Written> {
        let is_theirs = writer == Writer::They;
        let text = if is_theirs {
            &self.texts.theirs
        } else {
            &self.texts.ours
        };
        let units = |range: Range<usize>| text[range].encode_utf16().count() as u32;
        let pieces = self.pieces.iter().filter(|piece| piece.writer == writer);
        let within = pieces.filter_map(|piece| {
            let place = if is_theirs {
                &piece.theirs
            } else {
                &piece.ours
            };
            let place = place.as_ref()?;
            let (start, end) = (place.start.max(part.start), place.end.min(part.end));
            let skipped = start - place.start;
            let now = piece.now.as_ref().map(|now| now.start + skipped);
            (start < end).then(|| Written {
                id: ID::new(piece.id.client, piece.id.clock + units(place.start..start)),
                len: units(start..end),
                now: now.map(|at| at..at + end - start),
            })
        });
        within.collect()
    }

    /// What stands there now, but for that.
    fn without(&self, written: &[Written]) -> String {
        let mut gone: Vec<_> = written.iter().filter_map(|one| one.now.clone()).collect();
        gone.sort_by_key(|now| now.start);
        let (mut left, mut at) = (String::new(), 0);
        for now in gone {
            left.push_str(&self.texts.now[at..now.start]);
            at = now.end;
        }
        left + &self.texts.now[at..]
    }
}

/// Whole lines that two texts have in common, in two parts of each.
struct Common {
    ours: [Range<usize>; 2],
    theirs: [Range<usize>; 2],
    /// What both have made with these lines once.
    wanted: Vec<String>,
}

impl Common {
    /// `None` if that is too little to be no chance: unless it is all that one of them has, it has to be
    /// half of it, and some of that letters.
    fn of(ours: &str, theirs: &str) -> Option<Self> {
        let same = |(a, b): &(&str, &str)| a == b;
        let pairs = std::iter::zip(ours.split_inclusive('\n'), theirs.split_inclusive('\n'));
        let head: usize = pairs.take_while(same).map(|(line, _)| line.len()).sum();
        let [ends, their_ends] =
            [ours, theirs].map(|text| text[head..].split_inclusive('\n').rev());
        let pairs = std::iter::zip(ends, their_ends);
        let tail: usize = pairs.take_while(same).map(|(line, _)| line.len()).sum();
        let shorter = ours.len().min(theirs.len());
        let parts = |text: &str| [0..head, text.len() - tail..text.len()];
        let letters = parts(ours).into_iter().flat_map(|part| ours[part].chars());
        let letters = letters.filter(|c| c.is_alphanumeric()).count();
        let is_half = 2 * (head + tail) >= shorter && letters >= ALIKE;
        if head + tail < shorter && !is_half {
            return Self::within(ours, theirs);
        }
        let [middle, other] = [ours, theirs].map(|text| &text[head..text.len() - tail]);
        let ends = [&ours[..head], &ours[ours.len() - tail..]];
        Some(Self {
            ours: parts(ours),
            theirs: parts(theirs),
            wanted: vec![
                [ends[0], middle, other, ends[1]].concat(),
                [ends[0], other, middle, ends[1]].concat(),
            ],
        })
    }

    /// The one within the other.
    fn within(ours: &str, theirs: &str) -> Option<Self> {
        if ours.len() > theirs.len() {
            let Self {
                ours,
                theirs,
                wanted,
            } = Self::within(theirs, ours)?;
            let (ours, theirs) = (theirs, ours);
            return Some(Self {
                ours,
                theirs,
                wanted,
            });
        }
        let mut found = theirs.match_indices(ours);
        let (at, _) = found.find(|(at, _)| theirs[..*at].ends_with('\n'))?;
        ours.ends_with('\n').then(|| Self {
            ours: [0..ours.len(), 0..0],
            theirs: [at..at + ours.len(), 0..0],
            wanted: vec![theirs.to_owned()],
        })
    }
}

/// Puts a piece that stands in one of the texts into the last gap, if it is next to that.
pub(super) fn put(piece: Piece, gaps: &mut Vec<Block>, texts: &Texts) {
    let own = |place: &Option<Range<usize>>, text: &str| match place {
        Some(place) => place.clone(),
        None => text.len()..text.len(),
    };
    let place = Place {
        ours: own(&piece.ours, &texts.ours),
        theirs: own(&piece.theirs, &texts.theirs),
        now: own(&piece.now, &texts.now),
    };
    match gaps.last_mut() {
        Some(last) if place.starts_at_end_of(&last.place) => {
            last.place.end_as(&place);
            last.pieces.push(piece);
        }
        _ => gaps.push(Block {
            place,
            pieces: vec![piece],
        }),
    }
}
