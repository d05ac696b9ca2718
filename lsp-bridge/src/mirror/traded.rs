//! Files that have traded their names, or passed them on, before anybody looked.
//!
//! Each name is there as before and has another text. Taken for a changed text it would keep its document, and what
//! others write at the time would land in the wrong file. So a file is followed by its [`super::tree::Identity`].
//!
//! But most programs that write a file put another one in its place, which they have written beside it, and some keep
//! the old one as a backup. There the name keeps the document. So a file is followed only where the name that it has now
//! is new, or was left by the file of another document, and where the name that it had is taken by the file of another
//! document, or by none.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tutti_protocol::ids::DocumentId;
use tutti_protocol::path::ProjectPath;

use super::alike::{HALF, share};
use super::effect::Effect;
use super::places::Places;
use super::state::hash;
use super::text::parse;
use super::tree::{Found, Identity};
use super::walk::walk;
use super::{Mirror, MirrorError};

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stands {
    Nothing,
    /// The file of this document.
    Of(DocumentId),
    /// Another file.
    Other,
}

/// Where files were found to stand.
#[derive(Debug, Default)]
struct Looks {
    at: HashMap<ProjectPath, Stands>,
    /// The documents whose files stand elsewhere than was known.
    elsewhere: BTreeMap<DocumentId, ProjectPath>,
}

impl Mirror {
    /// Follows the files that have traded their names, as far as one of them stands at one of these `paths`. What is to
    /// be looked at because of that is added there; what cannot be decided yet is taken out. Whether others have moved
    /// one of them, which is still to be done here.
    pub(super) fn follow_traded(
        &mut self,
        paths: &mut Vec<ProjectPath>,
        effects: &mut Vec<Effect>,
    ) -> Result<bool, MirrorError> {
        if self.read_only {
            return Ok(false);
        }
        let mut looks = Looks::default();
        self.look_who_stands(paths.clone(), &mut looks)?;
        if self.are_any_displaced(&looks) {
            // Where they went may not have been heard of yet.
            let mut news = walk(&self.tree, &mut self.ignores, "").files;
            news.retain(|path| !self.at.contains_key(path));
            self.look_who_stands(news, &mut looks)?;
        }
        if looks.elsewhere.is_empty() {
            return Ok(false);
        }
        if !self.is_steady(&looks)? {
            for (document, to) in looks.elsewhere {
                let places = [self.stands(&document).cloned(), Some(to)];
                paths.retain(|path| !places.contains(&Some(path.clone())));
                effects.extend(places.into_iter().flatten().map(Effect::LookAgain));
            }
            return Ok(false);
        }
        // A second name of the same file.
        looks.elsewhere.retain(|document, _| {
            let there = self.stands(document).and_then(|path| looks.at.get(path));
            there != Some(&Stands::Of(document.clone()))
        });
        let moves = self.followed(&looks);
        let undecided = self.undecided(&looks, &moves);
        for (document, to) in &moves {
            paths.extend(self.stands(document).cloned());
            paths.push(to.clone());
        }
        paths.sort();
        paths.dedup();
        paths.retain(|path| !undecided.contains(path));
        effects.extend(undecided.into_iter().map(Effect::LookAgain));
        self.have_traded(moves, effects)
    }

    /// Whether the file of another document stands where this one's was: it is for the next look to say which has gone
    /// where.
    pub(super) fn is_anothers(
        &self,
        document: &DocumentId,
        path: &ProjectPath,
        identity: Option<Identity>,
    ) -> bool {
        let there = identity.and_then(|identity| self.identities.document(&identity));
        !self.read_only
            && there.is_some_and(|there| {
                there != document
                    && self.stands(there) != Some(path)
                    && self.known_identity(document) != identity
            })
    }

    pub(super) fn known_identity(&self, document: &DocumentId) -> Option<Identity> {
        self.known.get(document)?.file.as_ref()?.identity
    }

    /// Whether a new file is that of a document, and was renamed between one look and another: it is found with the next.
    pub(super) fn is_on_its_way(
        &mut self,
        identity: Option<Identity>,
    ) -> Result<bool, MirrorError> {
        let document = identity.and_then(|identity| self.identities.document(&identity));
        let Some(document) = document.cloned() else {
            return Ok(false);
        };
        let is_listed = (self.entries.as_ref()).is_some_and(|all| all.contains_key(&document));
        let Some(known) = self.stands(&document).filter(|_| is_listed) else {
            return Ok(false);
        };
        let there = self.tree.identity(known);
        // An editor may write the file that is missing.
        Ok(there != identity && (there.is_some() || !self.is_open(&document)?))
    }

    /// Looks at paths, and where a file stands that is known elsewhere, at its own as well.
    fn look_who_stands(
        &mut self,
        mut paths: Vec<ProjectPath>,
        looks: &mut Looks,
    ) -> Result<(), MirrorError> {
        while let Some(path) = paths.pop() {
            if looks.at.contains_key(&path) {
                continue;
            }
            let stands = self.who_stands(&path)?;
            if let Stands::Of(document) = &stands
                && let Some(known) = self.stands(document).filter(|known| **known != path)
            {
                paths.push(known.clone());
                looks.elsewhere.insert(document.clone(), path.clone());
            }
            looks.at.insert(path, stands);
        }
        Ok(())
    }

    /// Whether all that was found stands there still. Names are looked at one after the other, and where files go on
    /// to be renamed meanwhile, one may be seen under two names, and another under none.
    fn is_steady(&mut self, looks: &Looks) -> Result<bool, MirrorError> {
        for (document, to) in &looks.elsewhere {
            let known = self.stands(document).cloned();
            for path in known.iter().chain([to]) {
                if looks.at.get(path) != Some(&self.who_stands(path)?) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn who_stands(&mut self, path: &ProjectPath) -> Result<Stands, MirrorError> {
        let looked = match self.tree.look(path) {
            Ok(None) => return Ok(Stands::Nothing),
            Ok(looked) => looked,
            Err(_) => None,
        };
        let Some(identity) = looked.and_then(|looked| looked.stamp.identity) else {
            return Ok(Stands::Other);
        };
        let owner = self.at.get(path);
        if let Some(owner) = owner
            && self.known_identity(owner) == Some(identity)
        {
            return Ok(Stands::Of(owner.clone()));
        }
        let Some(document) = self.identities.document(&identity).cloned() else {
            return Ok(Stands::Other);
        };
        let is_listed = (self.entries.as_ref()).is_some_and(|all| all.contains_key(&document));
        let may_be_new = owner.is_some() || self.ignores.why_out(&self.tree, path).is_none();
        let is_it = identity.is_sure() || self.holds_what_it_held(path, &document)?;
        Ok(match is_listed && may_be_new && is_it {
            true => Stands::Of(document),
            false => Stands::Other,
        })
    }

    /// Whether a file has the text of a document, or most of it, rather than that of the document whose name it has.
    /// Where a number was given to another file, it has not.
    fn holds_what_it_held(
        &self,
        path: &ProjectPath,
        document: &DocumentId,
    ) -> Result<bool, MirrorError> {
        let Found::File(file) = self.tree.read(path) else {
            return Ok(false);
        };
        let there = hash(&file.bytes);
        let held = |document: &DocumentId| {
            let known = self.known.get(document);
            known.and_then(|known| Some(known.file.as_ref()?.hash))
        };
        let owner = self.at.get(path);
        let is_of = |one: Option<&DocumentId>| one.and_then(held) == Some(there);
        if is_of(Some(document)) || is_of(owner) {
            return Ok(!is_of(owner));
        }
        let Some(text) = parse(file.bytes, None).map(|file| file.text) else {
            return Ok(false);
        };
        let share_of = |document: &DocumentId| -> Result<usize, MirrorError> {
            let base = self.own_record(document)?.and_then(|record| record.base);
            base.map_or(Ok(0), |base| {
                Ok(share(&text, &self.text_of(document, &base.state)?))
            })
        };
        let own = share_of(document)?;
        let owners = owner.map_or(Ok(0), share_of)?;
        Ok(own >= HALF && own > owners)
    }

    /// Whether files have the names of others, which are nowhere.
    fn are_any_displaced(&self, looks: &Looks) -> bool {
        let mut taken = looks.elsewhere.iter().filter(|(document, _)| {
            let left = self.stands(document).and_then(|path| looks.at.get(path));
            left != Some(&Stands::Other)
        });
        taken.any(|(document, to)| {
            let owner = self.at.get(to).filter(|owner| *owner != document);
            owner.is_some_and(|owner| !looks.elsewhere.contains_key(owner))
        })
    }

    /// The documents that follow their files, and where to.
    fn followed(&self, looks: &Looks) -> BTreeMap<DocumentId, ProjectPath> {
        let mut moves = looks.elsewhere.clone();
        loop {
            let before = moves.clone();
            moves.retain(|document, to| {
                let is_free = match self.at.get(to) {
                    Some(owner) => before.contains_key(owner),
                    None => self.document_at(to).is_none_or(|listed| {
                        let known = self.stands(listed);
                        listed == document || known.is_some_and(|known| known != to)
                    }),
                };
                let left = self.stands(document);
                let is_left = match left.and_then(|path| looks.at.get(path)) {
                    Some(Stands::Nothing) => true,
                    // Its own where an earlier bridge has ended before it could store both.
                    Some(Stands::Of(other)) => {
                        before.get(other) == left || self.stands(other) == left
                    }
                    Some(Stands::Other) | None => false,
                };
                is_free && is_left
            });
            if moves.len() == before.len() {
                break;
            }
        }
        // One that only went from its name to a new one is found as one that is missing and has come.
        moves.retain(|document, to| {
            let left = self.stands(document).and_then(|path| looks.at.get(path));
            let is_new = !self.at.contains_key(to) && self.document_at(to).is_none();
            !is_new || left != Some(&Stands::Nothing)
        });
        moves
    }

    /// Of files that stand under others' names and are not followed: where the look is put off, as the rest may still be
    /// found. After a while such a file belongs to the document that has the name.
    fn undecided(
        &mut self,
        looks: &Looks,
        moves: &BTreeMap<DocumentId, ProjectPath>,
    ) -> BTreeSet<ProjectPath> {
        let mut undecided = BTreeSet::new();
        for (document, to) in &looks.elsewhere {
            let from = self.stands(document).cloned();
            let left = from.as_ref().and_then(|path| looks.at.get(path));
            let is_paired = !self.at.contains_key(to) && left == Some(&Stands::Nothing);
            if moves.contains_key(document) || is_paired {
                continue;
            }
            if left != Some(&Stands::Other) && !self.is_gone(document) {
                undecided.extend(from);
                undecided.insert(to.clone());
                continue;
            }
            self.disown(document);
            if left != Some(&Stands::Nothing) {
                self.not_missing(document);
            }
        }
        undecided
    }

    /// This file stands where the document's is known to be, and holds the same: a program may have put it there.
    pub(super) fn is_file_now(
        &mut self,
        document: &DocumentId,
        path: &ProjectPath,
        identity: Option<Identity>,
    ) -> Result<(), MirrorError> {
        if identity.is_none() || self.known_identity(document) == identity {
            return Ok(());
        }
        let Some(mut record) = self.load(document)? else {
            return Ok(());
        };
        match &mut record.base {
            Some(base) if base.file.path == *path => base.file.identity = identity,
            _ => return Ok(()),
        }
        self.save_or_hold(document, record, false)
    }

    /// The document's file is another's now.
    fn disown(&mut self, document: &DocumentId) {
        let Some(mut known) = self.known.get(document).cloned() else {
            return;
        };
        if let Some(file) = &mut known.file {
            tracing::debug!(%document, path = %file.path, "its file has another one's name");
            file.identity = None;
        }
        self.place_known(document, known);
    }

    /// Follows the files. Of one that others have moved as well it is known from now on where it stands, and it goes
    /// from there to where they have it.
    fn have_traded(
        &mut self,
        moves: BTreeMap<DocumentId, ProjectPath>,
        effects: &mut Vec<Effect>,
    ) -> Result<bool, MirrorError> {
        if moves.is_empty() {
            return Ok(false);
        }
        let is_current = self.is_current;
        let (theirs, mine): (Vec<_>, Vec<_>) = moves
            .into_iter()
            .partition(|(document, _)| is_current && self.is_moved_or_gone(document));
        let is_due = !theirs.is_empty();
        for (document, to) in theirs {
            tracing::info!(%document, %to, "a file that others have moved was moved");
            self.relocated(&document, &to)?;
        }
        for (document, to) in &mine {
            tracing::info!(%document, %to, "a file has another's name");
            self.beneath.remove(document);
            if !self.is_open(document)? && self.is_behind(document)? {
                effects.push(Effect::Sync(document.clone()));
            }
        }
        self.moved_here(mine, effects)?;
        self.shown = Places::of(self.entries.get_or_insert_default());
        Ok(is_due)
    }
}
