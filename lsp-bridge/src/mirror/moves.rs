//! Files that others have moved, and that are moved here.

use tutti_protocol::ids::DocumentId;
use tutti_protocol::path::ProjectPath;

use super::effect::Effect;
use super::state::hash;
use super::tree::{Expected, Found, LeftAlone, Outcome};
use super::{Mirror, MirrorError};

/// A file whose document is shown elsewhere now.
struct Move {
    document: DocumentId,
    from: ProjectPath,
    to: ProjectPath,
}

impl Mirror {
    /// Whether the document's file stands elsewhere than the index says, or should not be there.
    pub(super) fn is_moved_or_gone(&self, document: &DocumentId) -> bool {
        let known = self.known.get(document);
        let Some(file) = known.and_then(|known| known.file.as_ref()) else {
            return false;
        };
        match self.shown.get(document) {
            Some(Ok(path)) => *path != file.path,
            Some(Err(_)) => false,
            None => true,
        }
    }

    /// A file that could not be moved while an editor showed it is moved before it is written: written
    /// where the project has it now, it would stand there twice, and the old one pass for a new file.
    pub(super) fn move_if_due(
        &mut self,
        document: &DocumentId,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        let is_due = self.is_current && self.is_moved_or_gone(document);
        match is_due && self.shown.contains(document) {
            true => self.make_moves(effects),
            false => Ok(()),
        }
    }

    /// Whether the file was to be moved and was not, as the disk did not let it: written where the project has it
    /// now, it would stand there twice.
    pub(super) fn cannot_be_moved(&self, document: &DocumentId) -> bool {
        let refused = self.refused.get(document);
        let is_due = self.is_current && self.is_moved_or_gone(document);
        is_due && refused.is_some_and(|(_, reason)| reason.may_pass())
    }

    /// Whether the file was to be moved and was not, for no reason that the disk gave: an editor of this
    /// directory showed it then, and does not any more if it is free to be written now.
    pub(super) fn is_still_to_move(&self, document: &DocumentId) -> bool {
        self.is_current
            && self.is_moved_or_gone(document)
            && self.shown.contains(document)
            && !self.refused.contains_key(document)
    }

    /// Moves all files that others have moved.
    pub(super) fn make_moves(&mut self, effects: &mut Vec<Effect>) -> Result<(), MirrorError> {
        let due = self.due_moves()?;
        if due.is_empty() {
            return Ok(());
        }
        // They may have been moved here as well, or by a bridge that ended before it could store that.
        let mut places: Vec<_> = due
            .into_iter()
            .flat_map(|step| [step.from, step.to])
            .collect();
        self.follow_traded(&mut places, effects)?;
        let mut moves = self.due_moves()?;
        while !moves.is_empty() {
            let before = moves.len();
            let mut blocked = Vec::new();
            for step in moves {
                match self.tree.rename(&step.from, &step.to) {
                    Ok(Outcome::Done) => self.has_moved(step, effects)?,
                    Ok(Outcome::Changed) | Err(LeftAlone::ParentIsFile) => blocked.push(step),
                    Err(reason) => {
                        self.refuse(&step.document, step.to.as_str(), reason);
                    }
                }
            }
            if blocked.len() == before
                && !self.trade(&mut blocked, effects)?
                && let Some(step) = blocked.pop()
            {
                // In the way of a file that is not shared, or where no two files can trade their names: this one
                // is taken away here and written anew there.
                let reason = "someone else renamed the file while you changed it";
                match self.abandon(&step.document, &step.from, reason, effects) {
                    Err(MirrorError::Io { doing, source }) => {
                        self.not_settled(&step.document, &doing, &source);
                    }
                    abandoned => abandoned?,
                }
            }
            moves = blocked;
        }
        Ok(())
    }

    fn has_moved(&mut self, step: Move, effects: &mut Vec<Effect>) -> Result<(), MirrorError> {
        self.relocated(&step.document, &step.to)?;
        if !self.is_blob(&step.document) && self.has_made_up_name(&step.document) {
            effects.push(Effect::Sync(step.document.clone()));
        }
        self.moved_from.insert(step.from, step.document);
        Ok(())
    }

    /// Of moves that are in each other's way one is made, and the file that stood there goes to where the other came
    /// from: from there it goes on, or has arrived. `false` if there are none, or the file system cannot do that.
    fn trade(
        &mut self,
        blocked: &mut Vec<Move>,
        effects: &mut Vec<Effect>,
    ) -> Result<bool, MirrorError> {
        let is_anothers = |step: &Move| blocked.iter().position(|other| other.from == step.to);
        let pair = blocked.iter().enumerate();
        let pair = pair.filter_map(|(at, step)| Some((at, is_anothers(step)?)));
        let Some((at, other)) = pair.into_iter().next() else {
            return Ok(false);
        };
        let (from, to) = (&blocked[at].from, &blocked[at].to);
        if self.tree.exchange(from, to) != Ok(Outcome::Done) {
            return Ok(false);
        }
        let document = blocked[other].document.clone();
        let back = Move {
            from: to.clone(),
            to: from.clone(),
            document,
        };
        blocked[other].from = back.to.clone();
        self.has_moved(back, effects)?;
        let step = blocked.remove(at);
        self.has_moved(step, effects)?;
        blocked.retain(|step| step.from != step.to);
        Ok(true)
    }

    fn due_moves(&mut self) -> Result<Vec<Move>, MirrorError> {
        let mut moves = Vec::new();
        let elsewhere = self.shown.iter().filter_map(|(document, shown)| {
            let file = self.known.get(document)?.file.as_ref()?;
            let to = shown.as_ref().ok().filter(|to| **to != file.path)?;
            Some((document.clone(), file.path.clone(), to.clone()))
        });
        for (document, from, to) in elsewhere.collect::<Vec<_>>() {
            let there = self.tree.identity(&from);
            if self.is_open(&document)? || self.is_anothers(&document, &from, there) {
                continue;
            }
            if let Some(reason) = self.ignores.why_out(&self.tree, &to) {
                self.refuse(&document, to.as_str(), reason);
                continue;
            }
            moves.push(Move { document, from, to });
        }
        Ok(moves)
    }

    /// Takes a document's file away, to be written anew; what only it holds is kept for this reason.
    pub(super) fn abandon(
        &mut self,
        document: &DocumentId,
        path: &ProjectPath,
        reason: &'static str,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        if self.blob_record(document).is_some() {
            return self.abandon_blob(document, path, reason, effects);
        }
        let Some(mut record) = self.load(document)? else {
            return Ok(());
        };
        if let (Some(base), Found::File(file)) = (&record.base, self.tree.read(path)) {
            if hash(&file.bytes) != base.file.hash {
                effects.push(Effect::Tell(self.keep_aside(path, &file.bytes, reason)?));
            }
            if let Err(reason) = self.tree.remove(path, Expected::Bytes(&file.bytes)) {
                self.cannot_remove(path, reason)?;
            }
        }
        record.base = None;
        self.save_or_hold(document, record, false)
    }
}
