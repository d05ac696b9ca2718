//! What becomes of an edit that the server asks a simulated editor for.

use fastrand::Rng;
use ropey::Rope;
use tutti_engine::patch::{Patch, Side, Splice};
use tutti_engine::{Answer, EditId, Staleness, TextEdit, locate};

use crate::editor::{Editor, From, ToServer};
use crate::kind::{Answers, Refusal};
use crate::ledger::Ledger;
use crate::record::Input;
use crate::story::Asked;

impl Editor {
    /// A `workspace/applyEdit`, which is recorded if anything is.
    pub(crate) fn is_asked_for(
        &mut self,
        edit: EditId,
        version: i32,
        edits: &[TextEdit],
        now: u64,
        ledger: &mut Ledger,
        rng: &mut Rng,
    ) -> Vec<ToServer> {
        let mut on_their_way = self.on_their_way.iter();
        let place = on_their_way.position(|asked| asked.edit == edit);
        let asked = place.map(|place| self.on_their_way.remove(place));
        let before = rng.clone();
        let says = self.apply(edit, version, edits, now, ledger, rng);
        let has_told = says
            .iter()
            .any(|say| matches!(say, ToServer::Changed { .. }));
        let record = self.record.as_mut().filter(|_| !has_told);
        if let (Some(record), Some(asked)) = (record, asked) {
            record.inputs.push(Input::Edit {
                at: now,
                asked,
                rng: before,
                said: says.iter().map(|say| format!("{say:?}")).collect(),
            });
        }
        says
    }

    /// What it does and says.
    pub(crate) fn apply(
        &mut self,
        edit: EditId,
        version: i32,
        edits: &[TextEdit],
        now: u64,
        ledger: &mut Ledger,
        rng: &mut Rng,
    ) -> Vec<ToServer> {
        let is_late = version != self.reported_version || self.reported != self.buffer;
        let is_stale = match self.kind.staleness {
            Staleness::Refused => is_late,
            Staleness::UnsentApplied => version != self.reported_version,
            Staleness::Applied | Staleness::Rebased => false,
        };
        let is_unchecked = self.kind.starts_late && version == 0;
        let is_skipped = is_stale && !is_unchecked;
        self.late.was_made |= is_late && !is_skipped;
        self.late.was_skipped |= is_skipped;
        self.late.was_refused |= is_skipped && self.kind.says_no();
        let answer = |answer| ToServer::Answered { edit, answer };
        if is_skipped {
            return match self.kind.refusal {
                _ if self.kind.answers == Answers::Never => Vec::new(),
                Refusal::Yes => {
                    self.types_alike(edits, ledger);
                    vec![answer(Answer::Applied)]
                }
                Refusal::No => vec![answer(Answer::Refused { reason: None })],
                Refusal::Error => {
                    let reason = "require another version".into();
                    vec![answer(Answer::Failed { reason })]
                }
            };
        }
        let patch = match self.kind.staleness {
            Staleness::Rebased => self.rebased(version, edits),
            _ => self.patch_of(&self.buffer, edits),
        };
        let asked: Vec<Asked> = edits.iter().map(|edit| self.asked(edit)).collect();
        self.story.edits.extend(asked);
        let caret = Patch::single(self.caret, 0, "|").rebase(&patch, Side::Before);
        self.caret = caret.splices()[0].at;
        let mut step = self.step(&patch);
        step.unreported_behind = Some(self.reported_version);
        let mut reports = self.change(&patch, From::Server(edit), now, ledger);
        self.undo.push(step);
        self.redo.clear();
        let place = match self.kind.answers {
            Answers::First => 0,
            Answers::Between => reports.len().min(1 + rng.usize(0..2)),
            Answers::Last => reports.len(),
            Answers::Never => return reports,
        };
        reports.insert(place, answer(Answer::Applied));
        reports
    }

    /// A person has typed just what an edit brings that the editor skips and says yes to: nobody can
    /// tell whose it is.
    fn types_alike(&self, edits: &[TextEdit], ledger: &mut Ledger) {
        let unseen = self.buffer.chars().zip(&self.from);
        let unseen = unseen.filter(|(_, from)| **from == From::Person);
        let unseen: String = unseen.map(|(letter, _)| letter).collect();
        for edit in edits {
            let alike = edit
                .new_text
                .chars()
                .filter(|letter| unseen.contains(*letter));
            ledger.cannot_be_known(alike);
        }
    }

    fn asked(&self, edit: &TextEdit) -> Asked {
        let (start, end) = (edit.range.start, edit.range.end);
        let lines = (end.line - start.line) as usize;
        // Between two lines there may be anything; a place within a letter is the letter's.
        let characters = match (start == end, lines) {
            (true, _) => 0,
            (false, 0) => (end.character - start.character) as usize + 1,
            (false, _) => usize::MAX >> 8,
        };
        Asked {
            inserts: self.taken(&edit.new_text),
            characters,
            lines,
        }
    }

    /// The edits at the places they name, whatever stands there; a place that is none is clamped.
    pub(crate) fn patch_of(&self, text: &Rope, edits: &[TextEdit]) -> Patch {
        let mut patch = Patch::default();
        let mut behind = 0;
        for edit in edits {
            let start = locate(text, edit.range.start, self.encoding).at.max(behind);
            let end = locate(text, edit.range.end, self.encoding).at.max(start);
            behind = end;
            patch.push(Splice {
                at: start,
                delete: end - start,
                insert: self.taken(&edit.new_text),
            });
        }
        patch
    }

    /// The edits as they were meant for `version`, carried over all that came since.
    fn rebased(&self, version: i32, edits: &[TextEdit]) -> Patch {
        let since = self.seen.get(&version).map(|seen| &self.history[*seen..]);
        match since {
            Some([(text, _), ..]) => {
                let meant = self.patch_of(text, edits);
                let over = since.into_iter().flatten().map(|(_, patch)| patch);
                over.fold(meant, |meant, over| meant.rebase(over, Side::After))
            }
            Some([]) | None => self.patch_of(&self.buffer, edits),
        }
    }
}
