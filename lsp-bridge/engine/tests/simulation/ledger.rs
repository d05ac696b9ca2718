//! What people did to each letter, and so how often it may stand in the text at the end.

use std::collections::{BTreeSet, HashMap};

use crate::story::Verdict;
use crate::witness::{Author, Witness};

/// Added to a person's number where their engine acted at their word.
const UNSEEN: usize = 1_000;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    letters: HashMap<char, Entry>,
}

/// How often each did something.
#[derive(Debug, Default)]
struct Counts(HashMap<Author, isize>);

#[derive(Debug, Default)]
struct Entry {
    /// How often they put it into a text.
    put: Counts,
    /// How often they took it out.
    taken: Counts,
    /// How often of that others had taken it out already, so that their engine had nothing to tell. An edit that
    /// brings back what was taken out may be why one does so twice.
    untold: Counts,
    /// How often an editor put it in by itself.
    extra: usize,
    /// How often it may stand in the text once too often, since nobody can know better.
    spare: usize,
    /// How often it may be gone, since nobody can know better.
    missing: usize,
    /// Nobody can know whether it was taken out and put in again.
    is_doubtful: bool,
    /// Who typed it just where an edit brought the same one, or one stood: nobody can know which is whose.
    mistaken: BTreeSet<usize>,
}

impl Counts {
    fn add(&mut self, who: Author) {
        *self.0.entry(who).or_default() += 1;
    }

    fn of(&self, who: Author) -> usize {
        self.0.get(&who).map_or(0, |count| (*count).max(0) as usize)
    }

    fn all(&self) -> usize {
        self.0.keys().map(|who| self.of(*who)).sum()
    }

    fn most_of_one(&self) -> usize {
        self.0
            .keys()
            .map(|who| self.of(*who))
            .max()
            .unwrap_or_default()
    }
}

impl Ledger {
    pub(crate) fn put(&mut self, who: Author, text: &str) {
        for letter in text.chars() {
            self.letters.entry(letter).or_default().put.add(who);
        }
    }

    pub(crate) fn take(&mut self, who: Author, text: &str) {
        for letter in text.chars() {
            self.letters.entry(letter).or_default().taken.add(who);
        }
    }

    /// At someone's word an engine has taken these out. They may take the same ones out of their
    /// editor meanwhile.
    pub(crate) fn take_unseen(&mut self, who: usize, text: &str) {
        self.take(Some(UNSEEN + who), text);
    }

    /// At someone's word an engine has brought these back.
    pub(crate) fn put_anew(&mut self, text: &str) {
        self.put(None, text);
    }

    /// An editor that insists on a final newline has added one, which is nobody's.
    pub(crate) fn add(&mut self, letter: char) {
        self.letters.entry(letter).or_default().extra += 1;
    }

    /// Of each of these one more may stand in the text than was typed: what the editor reports looks
    /// as if an edit of the server had never arrived, and so it comes again.
    pub(crate) fn may_be_doubled(&mut self, letters: impl IntoIterator<Item = char>) {
        for letter in letters {
            self.letters.entry(letter).or_default().spare += 1;
        }
    }

    /// Of each of these one may be gone: what the editor reports looks as if nobody had typed it.
    pub(crate) fn may_be_lost(&mut self, letters: impl IntoIterator<Item = char>) {
        for letter in letters {
            self.letters.entry(letter).or_default().missing += 1;
        }
    }

    /// Where the engine's story of what `who` did is as good as the true one, it is what they did.
    pub(crate) fn believes(&mut self, who: usize, verdict: &Verdict) {
        for (letter, count) in &verdict.untold {
            let entry = self.letters.entry(*letter).or_default();
            *entry.untold.0.entry(Some(who)).or_default() += count;
        }
        for (letter, more) in &verdict.gone {
            let entry = self.letters.entry(*letter).or_default();
            *entry.taken.0.entry(Some(who)).or_default() += more;
            entry.is_doubtful = true;
        }
        for (letter, more) in &verdict.new {
            let entry = self.letters.entry(*letter).or_default();
            *entry.put.0.entry(Some(who)).or_default() += more;
            entry.is_doubtful = true;
        }
    }

    /// `who` has typed these in the report in which an edit brought the same ones. Who types `ab` before
    /// an edit's `a` leaves the same text, and the same answer, as one who types `ba` behind it: which `a`
    /// is theirs, and so whether theirs came before the `b`, nobody can know. How many there were.
    pub(crate) fn may_be_mistaken(&mut self, who: usize, letters: &BTreeSet<char>) -> u64 {
        let entries = letters.iter().filter_map(|letter| {
            let entry = self.letters.get_mut(letter)?;
            entry.mistaken.insert(who).then_some(())
        });
        entries.count() as u64
    }

    /// Both.
    pub(crate) fn cannot_be_known(&mut self, letters: impl IntoIterator<Item = char> + Clone) {
        self.may_be_doubled(letters.clone());
        self.may_be_lost(letters);
    }

    /// Whether `who` put this letter in once, and nobody took one like it out.
    pub(crate) fn is_plain(&self, who: Author, letter: char) -> bool {
        self.letters.get(&letter).is_some_and(|entry| {
            let touched = entry.taken.all() + entry.extra + entry.spare + entry.missing;
            let is_mistaken = who.is_some_and(|who| entry.mistaken.contains(&who));
            entry.put.of(who) == 1 && touched == 0 && !entry.is_doubtful && !is_mistaken
        })
    }

    /// What is wrong with `text`, and with what everyone's engine wrote. `uncounted`: a letter that
    /// people can delete without seeing it.
    pub(crate) fn faults(
        &self,
        text: &str,
        witness: &Witness,
        uncounted: Option<char>,
    ) -> Vec<String> {
        let mut counts: HashMap<char, usize> = self.letters.keys().map(|c| (*c, 0)).collect();
        for letter in text.chars() {
            *counts.entry(letter).or_default() += 1;
        }
        let is_counted = |letter: char| uncounted != Some(letter);
        let count = counts.iter().filter(|(letter, _)| is_counted(**letter));
        let mut faults: Vec<String> = count
            .filter_map(|(letter, count)| self.fault(*letter, *count))
            .collect();
        let typed = self.letters.iter();
        let typed = typed.flat_map(|(c, entry)| entry.everyone().map(|who| (who, *c)));
        let everyone = witness.counted().chain(typed);
        let everyone: BTreeSet<_> = everyone.filter(|(_, letter)| is_counted(*letter)).collect();
        let balances = everyone.into_iter();
        faults.extend(balances.filter_map(|(who, letter)| {
            let balance = witness.balance(who, letter);
            self.unbalanced(who, letter, balance)
        }));
        faults.sort();
        faults
    }

    fn fault(&self, letter: char, count: usize) -> Option<String> {
        let Some(entry) = self.letters.get(&letter) else {
            return Some(format!("{letter:?} was typed by nobody"));
        };
        // Several people may delete the same one; nobody deletes one twice.
        let (put, taken) = (entry.put.all(), &entry.taken);
        let least = put.saturating_sub(taken.all());
        let most = put - taken.most_of_one().min(put) + entry.extra;
        if count + entry.missing < least {
            Some(format!("{letter:?} is lost ({count} of {least})"))
        } else if count > most + entry.spare {
            Some(format!(
                "{letter:?} is doubled or came back ({count}, not {most})"
            ))
        } else {
            None
        }
    }

    /// Whether an engine has not written down just what its person did. Whose deletion it was that
    /// took a letter out first is nobody's fault.
    fn unbalanced(&self, who: Author, letter: char, balance: isize) -> Option<String> {
        let entry = self.letters.get(&letter)?;
        let taken = entry.taken.of(who);
        let own = entry.put.of(who) as isize - taken as isize;
        let others = entry.taken.all() - taken;
        let least = own - entry.missing as isize;
        let untold = entry.untold.of(who);
        let most = own + (others.max(untold) + entry.extra + entry.spare) as isize;
        let is_right = (least..=most).contains(&balance);
        (!is_right).then(|| {
            let what = if balance < least { "lost" } else { "doubled" };
            format!("{letter:?} of {who:?} is {what}: {balance} written, {own} typed")
        })
    }
}

impl Entry {
    /// Everyone whose editor has to do with it.
    fn everyone(&self) -> impl Iterator<Item = Author> {
        let all = self.put.0.keys().chain(self.taken.0.keys()).copied();
        all.filter(|who| who.is_some_and(|person| person < UNSEEN))
    }
}
