//! Files that were moved and changed before anybody looked, told by what is left of their texts.
//!
//! A file that went and one that came with the same name are one if half of the text is the same. With
//! another name they are if they stand in one directory, or in one that was moved, most of the lines are
//! the same, and no other file comes into question. To take two files for one that are not costs little:
//! each holds in the end what stands on the disk.

use std::cmp::Reverse;
use std::collections::HashMap;

use tutti_protocol::path::ProjectPath;

/// Of the texts of two files with one name so much is the same, in hundredths.
pub(super) const HALF: usize = 50;
/// Of those of two with different names.
const MOST: usize = 75;
/// Some names stand everywhere: so many of the files that came with one are compared with each that went,
/// those first whose directories are called alike.
const NAMESAKES: usize = 8;
/// So many pairs of files of one directory are compared at most.
const OF_ONE_DIRECTORY: usize = 64;
/// So many bytes of texts are compared at most.
const BUDGET_BYTES: usize = 1 << 27;
/// Of a text of so few lines a change is a large part.
const FEW_LINES: usize = 8;

/// Files that went and files that came, and what is known of them.
pub(super) struct Files<'a> {
    /// Those that went; and whether they may have another name now.
    pub(super) gone: &'a [(&'a ProjectPath, bool)],
    /// Those that came.
    pub(super) came: &'a [&'a ProjectPath],
    /// Directories that were moved, and where to.
    pub(super) moved: &'a HashMap<&'a str, &'a str>,
}

/// Two files that may be one.
#[derive(Debug, Clone, Copy)]
struct Pair {
    /// How much of their texts is the same.
    share: usize,
    /// How many names at the ends of their paths are the same.
    tail: usize,
    gone: usize,
    came: usize,
}

impl Files<'_> {
    /// The pairs that are one file, as indices of those that went and those that came. Of few of them
    /// the texts are asked for.
    pub(super) fn alike<'t, E>(
        &self,
        mut gone_text: impl FnMut(usize) -> Result<String, E>,
        came_text: impl Fn(usize) -> &'t str,
    ) -> Result<Vec<(usize, usize)>, E> {
        let mut budget = BUDGET_BYTES;
        let mut compare = |at: usize, others: &[usize], share: Share| -> Result<Vec<Pair>, E> {
            let mut found = Vec::new();
            if others.is_empty() || budget == 0 {
                return Ok(found);
            }
            let text = gone_text(at)?;
            for other in others {
                let theirs = came_text(*other);
                budget = budget.saturating_sub(text.len() + theirs.len());
                if budget == 0 {
                    break;
                }
                let share = share(&text, theirs);
                found.extend((share >= HALF).then(|| Pair {
                    share,
                    tail: tail(self.gone[at].0, self.came[*other]),
                    gone: at,
                    came: *other,
                }));
            }
            Ok(found)
        };
        let mut chosen = Chosen::default();
        let mut namesakes = Vec::new();
        for (at, others) in self.namesakes() {
            namesakes.extend(compare(at, &others, share)?);
        }
        namesakes.sort_by_key(|pair| Reverse((pair.share, pair.tail)));
        namesakes.into_iter().for_each(|pair| chosen.take(pair));
        for (gone, came) in self.of_one_directory(&chosen) {
            let mut found = Vec::new();
            for at in gone {
                found.extend(compare(at, &came, share_of_lines)?);
            }
            let is_only = |pair: &&Pair| {
                let same = |other: &&Pair| other.gone == pair.gone || other.came == pair.came;
                found.iter().filter(same).count() == 1
            };
            let sure = found.iter().filter(|pair| pair.share >= MOST);
            sure.filter(is_only).for_each(|pair| chosen.take(*pair));
        }
        Ok(chosen.came_of.into_iter().collect())
    }

    /// Of each that went those that came with its name.
    fn namesakes(&self) -> impl Iterator<Item = (usize, Vec<usize>)> {
        let backwards = |path: &ProjectPath| -> Vec<String> {
            let parts = path.parts().rev();
            parts.map(str::to_owned).collect()
        };
        let came = self.came.iter().enumerate();
        let mut came: Vec<_> = came.map(|(at, path)| (backwards(path), at)).collect();
        came.sort();
        let gone = self.gone.iter().enumerate();
        gone.filter_map(move |(at, (path, _))| {
            // Those whose ends are the same stand side by side.
            let end = backwards(path);
            let here = came.partition_point(|(other, _)| *other < end);
            let around = here.saturating_sub(NAMESAKES)..(here + NAMESAKES).min(came.len());
            let around = came[around].iter().map(|(_, other)| *other);
            let mut others: Vec<_> = around
                .filter(|other| path.file_name() == self.came[*other].file_name())
                .collect();
            others.sort_by_key(|other| Reverse(tail(path, self.came[*other])));
            others.truncate(NAMESAKES);
            (!others.is_empty()).then_some((at, others))
        })
    }

    /// What is left of each directory, where that is not too much.
    fn of_one_directory(&self, chosen: &Chosen) -> Vec<(Vec<usize>, Vec<usize>)> {
        let mut left: HashMap<&str, (Vec<usize>, Vec<usize>)> = HashMap::new();
        for (at, (path, may_be_renamed)) in self.gone.iter().enumerate() {
            if *may_be_renamed && !chosen.came_of.contains_key(&at) {
                let was = directory(path);
                let now = self.moved.get(was).unwrap_or(&was);
                left.entry(now).or_default().0.push(at);
            }
        }
        for (at, path) in self.came.iter().enumerate() {
            if let Some((_, came)) = left.get_mut(directory(path))
                && !chosen.gone_of.contains_key(&at)
            {
                came.push(at);
            }
        }
        let few = |(gone, came): &(Vec<_>, Vec<_>)| gone.len() * came.len() <= OF_ONE_DIRECTORY;
        left.into_values().filter(few).collect()
    }
}

/// The pairs so far, both ways.
#[derive(Default)]
struct Chosen {
    came_of: HashMap<usize, usize>,
    gone_of: HashMap<usize, usize>,
}

impl Chosen {
    fn take(&mut self, pair: Pair) {
        if !self.came_of.contains_key(&pair.gone) && !self.gone_of.contains_key(&pair.came) {
            self.came_of.insert(pair.gone, pair.came);
            self.gone_of.insert(pair.came, pair.gone);
        }
    }
}

/// The directory of a file, "" for the project's own.
pub(super) fn directory(path: &ProjectPath) -> &str {
    path.as_str()
        .rsplit_once('/')
        .map_or("", |(before, _)| before)
}

fn tail(one: &ProjectPath, other: &ProjectPath) -> usize {
    let both = std::iter::zip(one.parts().rev(), other.parts().rev());
    both.take_while(|(one, other)| one == other).count()
}

/// How much of the longer of two texts the other has as well, wherever it stands, in hundredths; 0 where
/// it is less than half of it in any case.
type Share = fn(&str, &str) -> usize;

/// Compares short texts by their words.
pub(super) fn share(one: &str, other: &str) -> usize {
    let is_short = |text: &str| text.lines().nth(FEW_LINES).is_none();
    match is_short(one) || is_short(other) {
        true => share_of(one, other, |text| text.split_inclusive(char::is_whitespace)),
        false => share_of_lines(one, other),
    }
}

fn share_of_lines(one: &str, other: &str) -> usize {
    share_of(one, other, |text| text.split_inclusive('\n'))
}

fn share_of<'a, P: Iterator<Item = &'a str>>(
    one: &'a str,
    other: &'a str,
    parts: impl Fn(&'a str) -> P,
) -> usize {
    let (shorter, longer) = match one.len() < other.len() {
        true => (one, other),
        false => (other, one),
    };
    if shorter.is_empty() || shorter.len() * 100 < longer.len() * HALF {
        return 0;
    }
    let mut left: HashMap<&str, usize> = HashMap::new();
    parts(shorter).for_each(|part| *left.entry(part).or_default() += 1);
    let mut same = 0;
    for part in parts(longer) {
        if let Some(left) = left.get_mut(part).filter(|left| **left > 0) {
            *left -= 1;
            same += part.len();
        }
    }
    same * 100 / longer.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Texts<'a> = &'a [(&'a str, &'a str)];

    /// The pairs of files, given as path and text.
    fn pairs(gone: Texts<'_>, came: Texts<'_>, moved: Texts<'_>) -> Vec<String> {
        let paths = |files: Texts<'_>| -> Vec<ProjectPath> {
            let paths = files.iter().map(|(path, _)| path.parse().unwrap());
            paths.collect()
        };
        let (gone_paths, came_paths) = (paths(gone), paths(came));
        let files = Files {
            gone: &gone_paths
                .iter()
                .map(|path| (path, true))
                .collect::<Vec<_>>(),
            came: &came_paths.iter().collect::<Vec<_>>(),
            moved: &moved.iter().copied().collect(),
        };
        let gone_text = |at: usize| Ok::<_, ()>(gone[at].1.to_owned());
        let found = files.alike(gone_text, |at| came[at].1).unwrap();
        let found = found.into_iter();
        let mut found: Vec<_> = found
            .map(|(from, to)| format!("{} > {}", gone[from].0, came[to].0))
            .collect();
        found.sort();
        found
    }

    fn lines(of: std::ops::Range<usize>) -> String {
        of.map(|n| format!("line {n:04} of some text\n")).collect()
    }

    #[test]
    fn of_one_name_half_the_text_is_enough() {
        let (whole, most, half) = (lines(0..20), lines(5..25), lines(10..30));
        let less = lines(11..31);
        for changed in [&whole, &most, &half] {
            let found = pairs(&[("a/x", &whole)], &[("b/x", changed)], &[]);
            assert_eq!(found, ["a/x > b/x"]);
        }
        let long = lines(0..41);
        for other in [less.as_str(), long.as_str(), &lines(0..9), ""] {
            let found = pairs(&[("a/x", &whole)], &[("b/x", other)], &[]);
            assert!(found.is_empty(), "{other}");
        }
        assert!(pairs(&[("a/x", "")], &[("b/x", "")], &[]).is_empty());
    }

    #[test]
    fn one_line_that_was_changed_is_compared_by_words() {
        let (was, is) = ("pub mod one two three;\n", "pub mod one two four;\n");
        assert_eq!(pairs(&[("a/x", was)], &[("b/x", is)], &[]), ["a/x > b/x"]);
        assert!(pairs(&[("x", was)], &[("y", is)], &[]).is_empty());
    }

    #[test]
    fn of_many_with_one_name_each_finds_its_own() {
        let texts: Vec<_> = (0..6)
            .map(|n| lines(0..10) + &lines(n * 100..n * 100 + 8))
            .collect();
        let changed: Vec<_> = texts.iter().map(|text| text.clone() + "more\n").collect();
        let gone = ["a/x", "b/x", "c/x", "d/x", "e/x", "f/x"];
        // One moved to where another stood before.
        let came = [
            "new/f/x", "new/e/x", "b2/x", "new/a/x", "new/c/x", "new/d/x",
        ];
        let text_of = [5, 4, 1, 0, 2, 3];
        let gone: Vec<_> = std::iter::zip(gone, texts.iter().map(String::as_str)).collect();
        let came: Vec<_> = std::iter::zip(came, text_of.map(|n| changed[n].as_str())).collect();
        let expected = [
            "a/x > new/a/x",
            "b/x > b2/x",
            "c/x > new/c/x",
            "d/x > new/d/x",
            "e/x > new/e/x",
            "f/x > new/f/x",
        ];
        assert_eq!(pairs(&gone, &came, &[]), expected);
    }

    #[test]
    fn of_two_that_are_as_much_alike_it_is_the_one_whose_directory_is_called_so() {
        let text = lines(0..20);
        let changed = lines(1..20);
        let came = [
            ("c/x", changed.as_str()),
            ("new/a/x", &changed),
            ("b/x", &changed),
        ];
        assert_eq!(pairs(&[("a/x", &text)], &came, &[]), ["a/x > new/a/x"]);
    }

    #[test]
    fn another_name_takes_most_of_the_lines_and_no_other_candidate() {
        let text = lines(0..20);
        let (most, half) = (lines(5..25), lines(6..26));
        let gone = [("d/x", text.as_str())];
        assert_eq!(pairs(&gone, &[("d/y", &most)], &[]), ["d/x > d/y"]);
        assert!(pairs(&gone, &[("d/y", &half)], &[]).is_empty());
        assert!(pairs(&gone, &[("e/y", &most)], &[]).is_empty());
        assert!(pairs(&gone, &[("d/y", &most), ("d/z", &half)], &[]).is_empty());
        let both = [("d/x", text.as_str()), ("d/w", &half)];
        assert!(pairs(&both, &[("d/y", &most)], &[]).is_empty());
        // Its directory was moved.
        let moved = [("d", "e")];
        assert_eq!(pairs(&gone, &[("e/y", &most)], &moved), ["d/x > e/y"]);
        assert!(pairs(&gone, &[("d/y", &most)], &moved).is_empty());
    }

    #[test]
    fn many_are_not_compared_with_many() {
        for (count, found) in [(8, 8), (9, 0)] {
            let text_of = |n: usize| lines(n * 100..n * 100 + 20);
            let files: Vec<_> = (0..count)
                .map(|n| (format!("{n}"), text_of(n), format!("new {n}")))
                .collect();
            let gone: Vec<_> = files
                .iter()
                .map(|(name, text, _)| (name.as_str(), text.as_str()))
                .collect();
            let came: Vec<_> = files
                .iter()
                .map(|(_, text, name)| (name.as_str(), &text[1..]))
                .collect();
            assert_eq!(pairs(&gone, &came, &[]).len(), found);
        }
    }

    #[test]
    fn of_thousands_with_one_name_each_is_compared_with_a_few() {
        let paths = |top: &str| -> Vec<ProjectPath> {
            let paths = (0..2000).map(|n| format!("{top}/{n}/x").parse().unwrap());
            paths.collect()
        };
        let (gone, came) = (paths("old"), paths("new"));
        let compared = std::cell::Cell::new(0);
        let files = Files {
            gone: &gone.iter().map(|path| (path, true)).collect::<Vec<_>>(),
            came: &came.iter().collect::<Vec<_>>(),
            moved: &HashMap::new(),
        };
        let found = files.alike(
            |at| Ok::<_, ()>(format!("text {at}\n")),
            |_| {
                compared.set(compared.get() + 1);
                "other\n"
            },
        );
        assert_eq!(found, Ok(Vec::new()));
        assert_eq!(compared.get(), 2000 * NAMESAKES);
    }
}
