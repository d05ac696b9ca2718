//! What people did to each letter, and so how often it may stand in the text at the end.

use std::collections::{HashMap, HashSet};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    letters: HashMap<char, Entry>,
    /// Letters of which no language server can know what became of them.
    unknowable: HashSet<char>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Entry {
    /// How often someone put it into a text.
    put: usize,
    /// How often someone took it out.
    taken: usize,
    /// How often an editor put it in by itself.
    extra: usize,
}

impl Ledger {
    pub(crate) fn put(&mut self, text: &str) {
        for letter in text.chars() {
            self.letters.entry(letter).or_default().put += 1;
        }
    }

    pub(crate) fn take(&mut self, text: &str) {
        for letter in text.chars() {
            self.letters.entry(letter).or_default().taken += 1;
        }
    }

    /// An editor that insists on a final newline has added one, which is nobody's.
    pub(crate) fn add(&mut self, letter: char) {
        self.letters.entry(letter).or_default().extra += 1;
    }

    /// A person typed these and an edit of the server took them away before the editor ever
    /// reported them; or a person deleted a part of an edit of the server before an editor whose
    /// yes proves nothing reported it, which looks as if it had never arrived.
    pub(crate) fn cannot_be_known(&mut self, letters: impl IntoIterator<Item = char>) {
        self.unknowable.extend(letters);
    }

    /// Whether someone put this letter in once, and nobody touched it since.
    pub(crate) fn is_plain(&self, letter: char) -> bool {
        let entry = self.letters.get(&letter).copied().unwrap_or_default();
        (entry.put, entry.taken, entry.extra) == (1, 0, 0) && !self.unknowable.contains(&letter)
    }

    /// What is wrong with `text`.
    pub(crate) fn faults(&self, text: &str) -> Vec<String> {
        let mut counts: HashMap<char, usize> = self.letters.keys().map(|c| (*c, 0)).collect();
        for letter in text.chars() {
            *counts.entry(letter).or_default() += 1;
        }
        let mut faults: Vec<String> = counts
            .iter()
            .filter_map(|(letter, count)| self.fault(*letter, *count))
            .collect();
        faults.sort();
        faults
    }

    fn fault(&self, letter: char, count: usize) -> Option<String> {
        let Some(Entry { put, taken, extra }) = self.letters.get(&letter).copied() else {
            return Some(format!("{letter:?} was typed by nobody"));
        };
        if self.unknowable.contains(&letter) {
            return None;
        }
        // Two people may delete the same one.
        let least = put.saturating_sub(taken);
        let most = put - usize::from(taken > 0 && put > 0) + extra;
        if count < least {
            Some(format!("{letter:?} is lost ({count} of {least})"))
        } else if count > most {
            Some(format!(
                "{letter:?} is doubled or came back ({count}, not {most})"
            ))
        } else {
            None
        }
    }
}
