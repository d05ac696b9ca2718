//! Files that an editor shows under a name that the project has given up.

use ropey::Rope;
use tutti_engine::diff::diff_lines;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::path::ProjectPath;

use super::effect::Effect;
use super::nearest::nearest;
use super::text::parse;
use super::tree::{Found, Outcome};
use super::{Mirror, MirrorError, ShownAt};

/// The documents that an editor may show under a name, see [`Mirror::choose`].
#[derive(Debug, Clone)]
pub struct Candidates {
    /// The name.
    pub path: ProjectPath,
    /// What the editor shows there.
    pub text: String,
    /// The document that the project has there.
    pub listed: Option<DocumentId>,
    /// Documents that the project has elsewhere, and that were shown there once.
    pub others: Vec<DocumentId>,
}

impl Mirror {
    /// Under which paths the editors of earlier bridges showed documents.
    pub fn shown_at(&self) -> &ShownAt {
        self.left_behind.shown_at()
    }

    /// Which document an editor shows under a name: the one that the project has there, if there is
    /// one, unless the text is nearer to that of another, and half of it at least. If the project has
    /// none there, another one whose file still stands there. `None` for a file that is no document.
    pub fn choose(&self, candidates: &Candidates) -> Result<Option<DocumentId>, MirrorError> {
        if candidates.listed.is_none() {
            for document in &candidates.others {
                if self.stands_at(document, &candidates.path)? {
                    return Ok(Some(document.clone()));
                }
            }
        }
        let text = Rope::from(candidates.text.replace("\r\n", "\n"));
        let far = |known: &str| diff_lines(&Rope::from(known), &text).cost();
        let mut chosen = candidates.listed.clone();
        let mut least = match &chosen {
            Some(document) => {
                let distance = self.distance(document, &text)?;
                distance.map_or_else(|| far(""), |(distance, _)| distance)
            }
            None => far(&self.text_at(&candidates.path)),
        };
        for document in &candidates.others {
            if let Some((distance, both)) = self.distance(document, &text)?
                && distance < least
                && 2 * distance <= both
            {
                (least, chosen) = (distance, Some(document.clone()));
            }
        }
        Ok(chosen)
    }

    /// How far a text is from what an editor may have shown of a document last: what its file has
    /// held, or what journals end with; else what is stored. With how long both are. `None` if there
    /// is nothing.
    fn distance(
        &self,
        document: &DocumentId,
        text: &Rope,
    ) -> Result<Option<(usize, usize)>, MirrorError> {
        let Some(record) = self.load(document)? else {
            return Ok(None);
        };
        let left = self.left(document);
        let base = record.base.as_ref().map(|base| base.state.as_slice());
        let base = base.or_else(|| left.is_empty().then_some(record.state.as_slice()));
        let nearest = nearest(base, &left, |_| text.clone());
        let both = |known: &Rope| known.len_chars() + text.len_chars();
        Ok(nearest.map(|near| (near.cost, both(near.replica.rope()))))
    }

    /// Whether a document's file is the one at this path: it is to be moved, and was not yet.
    fn stands_at(&self, document: &DocumentId, path: &ProjectPath) -> Result<bool, MirrorError> {
        // Not from memory: a guest is told of no move.
        let base = self.load(document)?.and_then(|record| record.base);
        let is_its = base.is_some_and(|base| base.file.path == *path);
        Ok(is_its && matches!(self.tree.read(path), Found::File(_)))
    }

    fn text_at(&self, path: &ProjectPath) -> String {
        match self.tree.read(path) {
            Found::File(file) => parse(file.bytes, None).map_or_else(String::new, |file| file.text),
            _ => String::new(),
        }
    }

    /// An editor shows a document under an older name: its file stands there again until it is
    /// closed, so that what the editor saves is not taken for a change of the file that the project
    /// has there.
    pub(super) fn take_back(
        &mut self,
        document: &DocumentId,
        path: &ProjectPath,
    ) -> Result<Vec<Effect>, MirrorError> {
        let mut effects = Vec::new();
        let known = self.known.get(document);
        let from = known.and_then(|known| Some(known.file.as_ref()?.path.clone()));
        let is_there = from.as_ref() == Some(path) || self.document_at(path) == Some(document);
        // Who has just moved it on this disk wants it to be where it is.
        if is_there || self.moved.contains_key(document) {
            return Ok(effects);
        }
        if let Some(other) = self.at.get(path).cloned() {
            if self.is_open(&other)? {
                return Ok(effects);
            }
            let reason = "it was changed while another file is open under its name";
            self.abandon(&other, path, reason, &mut effects)?;
        }
        if let Some(from) = from
            && let Ok(Outcome::Done) = self.tree.rename(&from, path)
        {
            self.relocated(document, path)?;
        }
        Ok(effects)
    }
}
