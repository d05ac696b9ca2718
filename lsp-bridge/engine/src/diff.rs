//! The smallest edits from one text to another.
//!
//! What the two share at their start and end is skipped by comparing chunks, so a keystroke in a
//! long file costs a memory comparison and no more. The middle is compared by characters where it
//! is small, else by lines first.

mod lines;

use imara_diff::{Algorithm, Diff, InternedInput};
use ropey::Rope;

use crate::patch::{Patch, Splice};

/// Up to how many characters (old and new together) are compared character by character.
const CHARACTER_DIFF_LIMIT: usize = 20_000;

/// The edits that make `new` out of `old`. Fewest characters touched, near enough.
pub fn diff(old: &Rope, new: &Rope) -> Patch {
    if old.is_instance(new) {
        return Patch::default();
    }
    let (prefix, suffix) = common_ends(old, new);
    let (old_end, new_end) = (old.len_chars() - suffix, new.len_chars() - prefix - suffix);
    if prefix == old_end && new_end == 0 {
        return Patch::default();
    }
    let old_middle = old.slice(prefix..old_end).to_string();
    let new_middle = new.slice(prefix..prefix + new_end).to_string();
    let mut patch = Patch::default();
    if old_middle.is_empty() || new_middle.is_empty() {
        patch.push(Splice {
            at: prefix,
            delete: old_end - prefix,
            insert: new_middle,
        });
    } else if old_middle.len() + new_middle.len() <= CHARACTER_DIFF_LIMIT {
        by_characters(&old_middle, &new_middle, prefix, &mut patch);
    } else {
        by_lines(&old_middle, &new_middle, prefix, &mut patch);
    }
    patch
}

/// The same as [`diff`] where it can be told by whole lines: what is compared character by character
/// is only what stands in the place of changed lines. A new line beside one that looks like it is an
/// insertion of that line, and not of its end and the beginning of the next.
pub fn diff_lines(old: &Rope, new: &Rope) -> Patch {
    let (prefix, suffix) = common_ends(old, new);
    // From the start of the first line that differs to the end of the last.
    let start = old.line_to_char(old.char_to_line(prefix));
    let ends = |text: &Rope| {
        let end = text.len_chars() - suffix;
        let line = text.char_to_line(end);
        match text.line_to_char(line) {
            at if at == end => end,
            _ => text.line_to_char((line + 1).min(text.len_lines())),
        }
    };
    let (old_end, new_end) = (ends(old), ends(new));
    // Only what both have behind the one end may be left out.
    let behind = (old.len_chars() - old_end).min(new.len_chars() - new_end);
    let old_middle = old.slice(start..old.len_chars() - behind).to_string();
    let new_middle = new.slice(start..new.len_chars() - behind).to_string();
    let mut patch = Patch::default();
    by_lines(&old_middle, &new_middle, start, &mut patch);
    patch
}

/// The same change, where one insertion or deletion that begins within a line could as well be that of
/// whole lines: of two lines that begin alike, who has written one above the other has not written its
/// end and the beginning of the next. The difference shows when somebody else deletes the other line.
pub fn whole_lines(old: &Rope, patch: Patch) -> Patch {
    let [splice] = patch.splices() else {
        return patch;
    };
    let deleted = old.slice(splice.at..splice.end()).to_string();
    let changed = match (deleted.as_str(), splice.insert.as_str()) {
        ("", inserted) => inserted,
        (deleted, "") => deleted,
        _ => return patch,
    };
    let start = old.line_to_char(old.char_to_line(splice.at));
    let begun = old.slice(start..splice.at).to_string();
    let whole = changed.strip_suffix(&begun);
    let Some(rest) = whole.filter(|rest| !begun.is_empty() && rest.ends_with('\n')) else {
        return patch;
    };
    let insert = match splice.insert.is_empty() {
        true => String::new(),
        false => [begun.as_str(), rest].concat(),
    };
    Patch::from(Splice {
        at: start,
        delete: splice.delete,
        insert,
    })
}

/// The same change with its replacements cut down to what they really replace: whoever deletes a
/// whole text and writes it anew with one letter changed has changed one letter.
pub fn refine(old: &Rope, patch: &Patch) -> Patch {
    let mut out = Patch::default();
    for splice in patch.splices() {
        let was = Rope::from(old.slice(splice.at..splice.end()));
        for part in diff(&was, &Rope::from_str(&splice.insert)).splices() {
            out.push(Splice {
                at: splice.at + part.at,
                ..part.clone()
            });
        }
    }
    out
}

/// One replacement from where the two texts begin to differ to where they end to: of texts that have
/// nothing to do with each other, what they have in common in between means nothing.
pub fn replacement(old: &Rope, new: &Rope) -> Patch {
    let (prefix, suffix) = common_ends(old, new);
    let splice = Splice {
        at: prefix,
        delete: old.len_chars() - suffix - prefix,
        insert: new.slice(prefix..new.len_chars() - suffix).to_string(),
    };
    Patch::from(splice)
}

/// How many characters both texts share at the start, and, of what is left, at the end.
pub(crate) fn common_ends(old: &Rope, new: &Rope) -> (usize, usize) {
    let shorter = old.len_bytes().min(new.len_bytes());
    let prefix_bytes = common_prefix(old, new);
    // A shared byte may be the first half of two different characters: those are not shared.
    let prefix = old.byte_to_char(prefix_bytes);
    let prefix_bytes = old.char_to_byte(prefix);
    let suffix_bytes = common_suffix(old, new, shorter - prefix_bytes);
    let at = old.len_bytes() - suffix_bytes;
    let mut at_char = old.byte_to_char(at);
    if old.char_to_byte(at_char) < at {
        at_char += 1;
    }
    (prefix, old.len_chars() - at_char)
}

fn common_prefix(old: &Rope, new: &Rope) -> usize {
    let (mut a_chunks, mut b_chunks) = (old.chunks(), new.chunks());
    let (mut a, mut b): (&[u8], &[u8]) = (&[], &[]);
    let mut shared = 0;
    loop {
        if a.is_empty() {
            match a_chunks.next() {
                Some(chunk) => a = chunk.as_bytes(),
                None => return shared,
            }
        }
        if b.is_empty() {
            match b_chunks.next() {
                Some(chunk) => b = chunk.as_bytes(),
                None => return shared,
            }
        }
        let n = a.len().min(b.len());
        if a[..n] == b[..n] {
            shared += n;
            (a, b) = (&a[n..], &b[n..]);
        } else {
            return shared + std::iter::zip(a, b).take_while(|(x, y)| x == y).count();
        }
    }
}

fn common_suffix(old: &Rope, new: &Rope, limit: usize) -> usize {
    // At its end a rope's iterator stands before the last chunk; one more step leads behind it.
    let mut a_chunks = old.chunks_at_byte(old.len_bytes()).0;
    let mut b_chunks = new.chunks_at_byte(new.len_bytes()).0;
    a_chunks.next();
    b_chunks.next();
    let (mut a, mut b): (&[u8], &[u8]) = (&[], &[]);
    let mut shared = 0;
    while shared < limit {
        if a.is_empty() {
            match a_chunks.prev() {
                Some(chunk) => a = chunk.as_bytes(),
                None => break,
            }
        }
        if b.is_empty() {
            match b_chunks.prev() {
                Some(chunk) => b = chunk.as_bytes(),
                None => break,
            }
        }
        let n = a.len().min(b.len());
        let (a_end, b_end) = (&a[a.len() - n..], &b[b.len() - n..]);
        if a_end == b_end {
            shared += n;
            (a, b) = (&a[..a.len() - n], &b[..b.len() - n]);
        } else {
            let ends = std::iter::zip(a_end.iter().rev(), b_end.iter().rev());
            shared += ends.take_while(|(x, y)| x == y).count();
            break;
        }
    }
    shared.min(limit)
}

fn by_characters(old: &str, new: &str, offset: usize, patch: &mut Patch) {
    let mut input = InternedInput::default();
    input.update_before(old.chars());
    input.update_after(new.chars());
    let new: Vec<char> = new.chars().collect();
    for hunk in Diff::compute(Algorithm::Myers, &input).hunks() {
        patch.push(Splice {
            at: offset + hunk.before.start as usize,
            delete: hunk.before.len(),
            insert: new[hunk.after.start as usize..hunk.after.end as usize]
                .iter()
                .collect(),
        });
    }
}

/// The same for texts of any length: where too much lies between what they share at their ends, that
/// is replaced as a whole.
fn by_characters_between_ends(old: &str, new: &str, offset: usize, patch: &mut Patch) {
    if old.len() + new.len() <= CHARACTER_DIFF_LIMIT {
        return by_characters(old, new, offset, patch);
    }
    let (was, is) = (Rope::from_str(old), Rope::from_str(new));
    for splice in replacement(&was, &is).splices() {
        let gone = was.slice(splice.at..splice.end()).to_string();
        let at = offset + splice.at;
        if gone.len() + splice.insert.len() <= CHARACTER_DIFF_LIMIT {
            by_characters(&gone, &splice.insert, at, patch);
        } else {
            patch.push(Splice {
                at,
                ..splice.clone()
            });
        }
    }
}

fn by_lines(old: &str, new: &str, offset: usize, patch: &mut Patch) {
    let old_lines: Vec<&str> = old.split_inclusive('\n').collect();
    let new_lines: Vec<&str> = new.split_inclusive('\n').collect();
    let mut input = InternedInput::default();
    input.update_before(old_lines.iter().copied());
    input.update_after(new_lines.iter().copied());
    let mut at = offset;
    let mut line = 0;
    for hunk in Diff::compute(Algorithm::Histogram, &input).hunks() {
        let (start, end) = (hunk.before.start as usize, hunk.before.end as usize);
        at += chars(&old_lines[line..start]);
        let is = &new_lines[hunk.after.start as usize..hunk.after.end as usize];
        lines::changed(&old_lines[start..end], is, at, patch);
        at += chars(&old_lines[start..end]);
        line = end;
    }
}

fn chars(lines: &[&str]) -> usize {
    lines.iter().map(|line| line.chars().count()).sum()
}

/// The same change of which no splice starts or ends between `\r` and `\n`, where editors disagree about
/// what a position means.
pub(crate) fn whole_line_ends(old: &Rope, patch: Patch) -> Patch {
    let splits = |at: usize| {
        at > 0 && at < old.len_chars() && old.char(at - 1) == '\r' && old.char(at) == '\n'
    };
    if !patch
        .splices()
        .iter()
        .any(|s| splits(s.at) || splits(s.end()))
    {
        return patch;
    }
    let mut out = Patch::default();
    for splice in patch.splices() {
        let mut splice = splice.clone();
        if splits(splice.at) {
            splice.at -= 1;
            splice.delete += 1;
            splice.insert.insert(0, '\r');
        }
        if splits(splice.end()) {
            splice.delete += 1;
            splice.insert.push('\n');
        }
        // At least one character stands between two splices: no other one takes the same line end.
        out.push(splice);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smallest_edits() {
        type Expected = &'static [(usize, usize, &'static str)];
        let table: [(&str, &str, Expected); 8] = [
            ("abc", "abc", &[]),
            ("abc", "abXc", &[(2, 0, "X")]),
            ("aa", "aaa", &[(2, 0, "a")]),
            ("one\ntwo\n", "one\n", &[(4, 4, "")]),
            ("abcdef", "aXcdYf", &[(1, 1, "X"), (4, 1, "Y")]),
            ("é", "è", &[(0, 1, "è")]),
            ("a\r\nb", "a\nb", &[(1, 1, "")]),
            ("😀x", "😁x", &[(0, 1, "😁")]),
        ];
        for (old, new, expected) in table {
            let patch = diff(&Rope::from_str(old), &Rope::from_str(new));
            let splices: Vec<_> = patch
                .splices()
                .iter()
                .map(|s| (s.at, s.delete, s.insert.as_str()))
                .collect();
            assert_eq!(splices, expected, "{old:?} -> {new:?}");
        }
    }

    #[test]
    fn a_replacement_is_one_piece() {
        for (old, new, expected) in [
            ("abXcd", "abYZcd", Patch::single(2, 1, "YZ")),
            ("a1b2c", "aXbYc", Patch::single(1, 3, "XbY")),
            ("ab", "ab", Patch::default()),
        ] {
            let patch = replacement(&Rope::from_str(old), &Rope::from_str(new));
            assert_eq!(patch, expected, "{old:?} {new:?}");
        }
    }

    #[test]
    fn what_may_be_whole_lines_is() {
        type Expected = (usize, usize, &'static str);
        let table: [(&str, &str, Expected); 7] = [
            ("line 7\nz\n", "line 39\nline 7\nz\n", (0, 0, "line 39\n")),
            ("a\nab\n", "a\nax\nab\n", (2, 0, "ax\n")),
            ("a\nax\nab\n", "a\nab\n", (2, 3, "")),
            ("é1\n", "é2\né3\né1\n", (0, 0, "é2\né3\n")),
            // Within a line, and over the end of one.
            ("ab", "aab", (1, 0, "a")),
            ("a b\n", "a c\nd b\n", (2, 0, "c\nd ")),
            ("a\nb", "a\nb\nc", (3, 0, "\nc")),
        ];
        for (old, new, expected) in table {
            let old = Rope::from_str(old);
            let patch = whole_lines(&old, diff(&old, &Rope::from_str(new)));
            let mut made = old.clone();
            patch.apply(&mut made);
            assert_eq!(made, new);
            let splice = &patch.splices()[0];
            let found = (splice.at, splice.delete, splice.insert.as_str());
            assert_eq!(found, expected, "{old:?} -> {new:?}");
        }
    }

    #[test]
    fn two_keystrokes_in_a_long_text_are_two_small_edits() {
        let old = "let x = 1;\n".repeat(20_000);
        let mut new = old.clone();
        new.insert(200_000, 'B');
        new.insert(10, 'A');
        let mut text = Rope::from_str(&old);
        let patch = diff(&text, &Rope::from_str(&new));
        assert_eq!(patch.cost(), 2, "{patch:?}");
        patch.apply(&mut text);
        assert!(text == new);
    }

    #[test]
    fn a_keystroke_in_a_line_without_end_is_small_as_well() {
        let old = "let x = 1; ".repeat(20_000) + "\nb\n";
        let mut new = old.replace("b\n", "bc\n");
        new.insert(100_000, 'A');
        let mut text = Rope::from_str(&old);
        let patch = diff_lines(&text, &Rope::from_str(&new));
        assert_eq!(patch.cost(), 2, "{:?}", patch.cost());
        patch.apply(&mut text);
        assert!(text == new);
    }

    #[test]
    fn lines_that_look_alike_are_told_apart() {
        type Expected = &'static [(usize, usize, &'static str)];
        let table: [(&str, &str, Expected); 11] = [
            (
                "line 2\nline 3\n",
                "line 1\nline 2\nline 3\n",
                &[(0, 0, "line 1\n")],
            ),
            (
                "line 2\nline 3\n",
                "line 2\nline 22\nline 3\n",
                &[(7, 0, "line 22\n")],
            ),
            (
                "line 1\nline 2",
                "line 1\nline 2\nline 3",
                &[(13, 0, "\nline 3")],
            ),
            ("a\nb\nc\n", "a\nX\nc\n", &[(2, 1, "X")]),
            ("a\nab\n", "ab\n", &[(0, 2, "")]),
            (
                "line 4\n",
                "line 1\nline 2\n",
                &[(5, 1, "1"), (7, 0, "line 2\n")],
            ),
            ("a\nb c d\n", "x\nb d\n", &[(0, 1, "x"), (4, 2, "")]),
            ("", "one\n", &[(0, 0, "one\n")]),
            // Letters that follow each other in a text that has nothing to do with them.
            (
                "return x;\n\n",
                "for e in rest { turn(e); }\nif next { x(); }\n",
                &[(0, 11, "for e in rest { turn(e); }\nif next { x(); }\n")],
            ),
            // What each of several people has typed into a line stands apart.
            (
                "abcdefghijklm\nb5=\n",
                "Xabcdefg1hijklmZ\n3b5=\n",
                &[(0, 0, "X"), (7, 0, "1"), (13, 0, "Z"), (14, 0, "3")],
            ),
            (
                "abcdefghijkl\n=\n",
                "1abc2def3ghi4jkl5678\n9=\n",
                &[
                    (0, 0, "1"),
                    (3, 0, "2"),
                    (6, 0, "3"),
                    (9, 0, "4"),
                    (12, 0, "5678"),
                    (13, 0, "9"),
                ],
            ),
        ];
        for (old, new, expected) in table {
            let patch = diff_lines(&Rope::from_str(old), &Rope::from_str(new));
            let splices: Vec<_> = patch
                .splices()
                .iter()
                .map(|s| (s.at, s.delete, s.insert.as_str()))
                .collect();
            assert_eq!(splices, expected, "{old:?} {new:?}");
        }
        for seed in 0..2_000 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut text = || -> String {
                let lines = (0..rng.usize(0..8))
                    .map(|_| *rng.choice(&["a\n", "ab\n", "b", "\n", "é\n"]).unwrap());
                lines.collect::<Vec<_>>().concat()
            };
            let (old, new) = (text(), text());
            let mut made = Rope::from_str(&old);
            diff_lines(&made.clone(), &Rope::from_str(&new)).apply(&mut made);
            assert_eq!(made.to_string(), new, "seed {seed}: {old:?}");
        }
    }
}
