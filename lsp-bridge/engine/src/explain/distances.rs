//! How much a person must have done, at least, from any place of one text to any place of another,
//! between which an edit was made.

/// So many pairs of characters are compared at most.
const MOST_PAIRS: usize = 1 << 18;
/// And so many for each character that an edit brings.
const MOST_PARTS: usize = 1 << 21;

/// How much is missing that cannot be made up for.
pub(super) const NEVER: u32 = u32::MAX / 4;

/// A number for each pair of places in two texts. Those of one place of the new text stand together.
struct Table {
    height: usize,
    numbers: Vec<u32>,
}

/// What is known of an edit before it is known where it was made.
pub(super) struct Made<'a> {
    pub(super) inserted: &'a [char],
    /// So many line ends it takes away, and so many units of the last line that it reaches.
    pub(super) lines: u32,
    pub(super) units: u32,
}

/// See the module. Where the edit falls is left out of account, but that it can take away no more than it
/// names.
pub(super) struct Distances {
    behind: Table,
    /// From each character that the edit brings on, in order; only from the first if it must be whole.
    put: Vec<Table>,
    within: Table,
    before: Table,
}

impl Table {
    fn new(old: usize, new: usize) -> Self {
        let height = old + 2;
        let numbers = vec![NEVER; height * (new + 2)];
        Self { height, numbers }
    }

    /// Fills it from the end, by what `number` makes of the part that is there.
    fn fill(old: usize, new: usize, number: impl Fn(&Self, usize, usize) -> u32) -> Self {
        let mut table = Self::new(old, new);
        for j in (0..=new).rev() {
            for i in (0..=old).rev() {
                let place = j * table.height + i;
                table.numbers[place] = number(&table, i, j).min(NEVER);
            }
        }
        table
    }

    /// The same for an edit that brings `letter` and then what `rest` is for.
    fn bringing(letter: char, rest: &Self, new: &[char]) -> Self {
        let height = rest.height;
        let mut table = Self::new(height - 2, new.len());
        for j in (0..=new.len()).rev() {
            let (here, behind) = table.numbers[j * height..].split_at_mut(height);
            let [gone, there] = [j, j + 1].map(|j| &rest.numbers[j * height..][..height]);
            // It is gone, or something else was typed before it.
            let numbers = here.iter_mut().zip(std::iter::zip(gone, behind));
            for (number, (gone, behind)) in numbers {
                *number = (*gone).min(*behind).min(NEVER - 1) + 1;
            }
            if new.get(j) == Some(&letter) {
                for (number, there) in std::iter::zip(here, there) {
                    *number = (*number).min(*there);
                }
            }
        }
        table
    }

    fn at(&self, old: usize, new: usize) -> u32 {
        self.numbers[new * self.height + old]
    }
}

impl Distances {
    /// `None` if the texts are too long. `units`: those of each character of the old one.
    pub(super) fn between(old: &[char], new: &[char], units: &[u32], made: &Made) -> Option<Self> {
        let (n, m) = (old.len(), new.len());
        if (n + 1).checked_mul(m + 1)? > MOST_PAIRS {
            return None;
        }
        let is_same = |i: usize, j: usize| i < n && j < m && old[i] == new[j];
        let step = |table: &Table, i: usize, j: usize| match is_same(i, j) {
            true => table.at(i + 1, j + 1),
            false => 1 + table.at(i + 1, j).min(table.at(i, j + 1)),
        };
        let behind = Table::fill(n, m, |table, i, j| match (i, j) {
            _ if i == n || j == m => (n - i + m - j) as u32,
            _ => step(table, i, j),
        });
        let count = made.inserted.len();
        let mut put = Vec::new();
        if (n + 1) * (m + 1) * count > MOST_PARTS {
            put.push(Table::fill(n, m, |_, i, j| {
                let is_there = new[j..].starts_with(made.inserted);
                if is_there {
                    behind.at(i, j + count)
                } else {
                    NEVER
                }
            }));
        } else {
            put.push(Table::fill(n, m, |_, i, j| behind.at(i, j)));
            for &letter in made.inserted.iter().rev() {
                let rest = put.last().expect("not empty");
                put.push(Table::bringing(letter, rest, new));
            }
            put.reverse();
        }
        let reach = reach(old, units, made);
        let within = Table::fill(n, m, |table, i, j| {
            let ends = &put[0].numbers[j * put[0].height..][i..=reach[i]];
            let least = ends.iter().min().copied().unwrap_or(NEVER);
            least.min(1 + table.at(i + 1, j))
        });
        let before = Table::fill(n, m, |table, i, j| {
            let same = if is_same(i, j) {
                table.at(i + 1, j + 1)
            } else {
                NEVER
            };
            let other = 1 + table.at(i + 1, j).min(table.at(i, j + 1));
            within.at(i, j).min(same).min(other)
        });
        Some(Self {
            behind,
            put,
            within,
            before,
        })
    }

    /// Whether what the edit brings must stand in the new text as a whole.
    pub(super) fn is_whole(&self) -> bool {
        self.put.len() == 1
    }

    /// Behind the edit.
    pub(super) fn behind(&self, old: usize, new: usize) -> u32 {
        self.behind.at(old, new)
    }

    /// So much of what the edit brings has been seen.
    pub(super) fn put(&self, seen: usize, old: usize, new: usize) -> u32 {
        self.put[seen].at(old, new)
    }

    /// In what the edit takes away.
    pub(super) fn within(&self, old: usize, new: usize) -> u32 {
        self.within.at(old, new)
    }

    /// Before the edit.
    pub(super) fn before(&self, old: usize, new: usize) -> u32 {
        self.before.at(old, new)
    }
}

/// Most units of one character, but for the first.
const WITHIN: u32 = 3;

/// For each character of a text, where an edit that begins before it ends at the latest. The place that
/// it names may lie within that character.
fn reach(text: &[char], units: &[u32], made: &Made) -> Vec<usize> {
    let end = |from: usize| {
        let (mut lines, mut left) = (made.lines, made.units);
        if lines == 0 && left > 0 {
            left += WITHIN;
        }
        for at in from..text.len() {
            if text[at] == '\n' {
                if lines == 0 {
                    return at;
                }
                lines -= 1;
            } else if lines == 0 {
                if units[at] > left {
                    return at;
                }
                left -= units[at];
            }
        }
        text.len()
    };
    (0..=text.len()).map(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shortest way, by trying all.
    fn shortest(old: &[char], new: &[char]) -> usize {
        match (old, new) {
            ([], rest) | (rest, []) => rest.len(),
            ([one, old @ ..], [other, new @ ..]) if one == other => shortest(old, new),
            ([_, less @ ..], [_, rest @ ..]) => 1 + shortest(less, new).min(shortest(old, rest)),
        }
    }

    const INSERTION: Made = Made {
        inserted: &['x'],
        lines: 0,
        units: 0,
    };

    #[test]
    fn what_lies_behind_is_the_shortest_way() {
        for seed in 0..200 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut text = || -> Vec<char> {
                let count = rng.usize(0..8);
                (0..count)
                    .map(|_| *rng.choice(&['a', 'b', '\n']).expect("not empty"))
                    .collect()
            };
            let (old, new) = (text(), text());
            let units = vec![1; old.len()];
            let distances =
                Distances::between(&old, &new, &units, &INSERTION).expect("short texts");
            for i in 0..=old.len() {
                for j in 0..=new.len() {
                    let way = shortest(&old[i..], &new[j..]);
                    assert_eq!(distances.behind(i, j) as usize, way, "seed {seed}");
                }
            }
        }
    }

    #[test]
    fn an_edit_takes_what_it_names() {
        let letters = |text: &str| text.chars().collect::<Vec<char>>();
        let least = |old: &str, new: &str, lines, units| {
            let inserted = letters("x");
            let (old, new) = (letters(old), letters(new));
            let made = Made {
                inserted: &inserted,
                lines,
                units,
            };
            let each = vec![2; old.len()];
            let distances = Distances::between(&old, &new, &each, &made).expect("short texts");
            distances.before(0, 0)
        };
        assert_eq!(least("abcd", "axd", 0, 4), 0);
        // The place that is named may lie within a letter, so a half more at most.
        assert_eq!(least("abcdefg", "axg", 0, 4), 2);
        assert_eq!(least("ab\ncd", "axd", 1, 2), 0);
        assert_eq!(least("ab\ncd", "axd", 0, 2), 2);
        // It brings a letter, which the person has deleted, or not.
        assert_eq!(least("ab", "ab", 0, 0), 1);
        assert_eq!(least("ab", "aqxb", 0, 0), 1);
    }

    #[test]
    fn long_texts_are_not_compared_so() {
        let text = vec!['a'; 600];
        let between = |new: &[char]| Distances::between(&text, new, &[1; 600], &INSERTION);
        assert!(between(&text).is_none());
        assert!(between(&text[..100]).is_some());
    }

    /// What an edit brings is looked for piece by piece, unless it is too long for that.
    #[test]
    fn a_long_insertion_stands_whole() {
        let text = vec!['a'; 500];
        let made = Made {
            inserted: &text,
            lines: 0,
            units: 0,
        };
        let whole = Distances::between(&[], &text, &[], &made).expect("short texts");
        assert!(!whole.is_whole());
        let whole = Distances::between(&text[..20], &text, &[1; 20], &made).expect("short texts");
        assert!(whole.is_whole());
        assert_eq!(whole.before(0, 0), 20);
        assert_eq!(whole.put(0, 0, 1), NEVER);
    }
}
