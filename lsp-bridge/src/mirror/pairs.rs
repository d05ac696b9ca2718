//! Files that went and files that came, and which of them are one that moved.

use std::collections::HashMap;

use tutti_protocol::ids::DocumentId;
use tutti_protocol::path::ProjectPath;

use super::alike::{Files, directory};
use super::arrivals::{Arrivals, NewFile};
use super::effect::Effect;
use super::local::News;
use super::state::BaseFile;
use super::{Mirror, MirrorError};

/// A document whose file went.
struct Missing {
    document: DocumentId,
    file: BaseFile,
    /// In an editor.
    is_open: bool,
    is_text: bool,
}

impl Mirror {
    /// A file that went and one that came with the same content, or with the same name in another case, are
    /// one file that moved; and so are two texts that are [alike](super::alike).
    pub(super) fn pair(
        &mut self,
        news: &mut News,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        self.find_unheard(news)?;
        let missing = self.missing(news);
        let mut arrivals = Arrivals::of(std::mem::take(&mut news.created));
        let (mut left, mut pairs) = (Vec::new(), Vec::new());
        for missing in missing {
            match same(&arrivals, &missing).and_then(|at| arrivals.take(at)) {
                Some(file) if self.may_be_written(&missing, &file) => {
                    news.busy.push(file.path);
                    left.push(Some(missing));
                }
                Some(file) => pairs.push((missing, file)),
                None => left.push(Some(missing)),
            }
        }
        let mut came: Vec<_> = arrivals.rest().into_iter().map(Some).collect();
        for (gone, at) in self.alike(&left, &came, &pairs)? {
            pairs.extend(left[gone].take().zip(came[at].take()));
        }
        let mut moves = Vec::new();
        for (missing, file) in pairs {
            self.look_at_moved(&missing, &file, news)?;
            moves.push((missing.document, file.path));
        }
        // An editor's file that is missing may be about to be written.
        let closed = left
            .into_iter()
            .flatten()
            .filter(|missing| !missing.is_open);
        news.deleted = closed.map(|missing| missing.document).collect();
        for file in came.into_iter().flatten() {
            match self.is_on_its_way(file.seen.looked.stamp.identity)? {
                true => news.busy.push(file.path),
                false => news.created.push(file),
            }
        }
        self.moved_here(moves, effects)
    }

    /// Whether a program may be about to write a file anew which it has put aside for a moment.
    fn may_be_written(&mut self, missing: &Missing, aside: &NewFile) -> bool {
        let is_backup =
            aside.path.as_str().ends_with('~') && is_backup(&aside.path, &missing.file.path);
        is_backup && !self.is_gone(&missing.document)
    }

    /// A directory is listed as it is now, and so the place that a file has moved to may be seen before anything is
    /// heard of where it was.
    fn find_unheard(&mut self, news: &mut News) -> Result<(), MirrorError> {
        for document in self.missing_unheard(news) {
            match self.is_open(&document)? {
                true => news.missing_open.push(document),
                false => news.deleted.push(document),
            }
        }
        Ok(())
    }

    fn missing(&self, news: &mut News) -> Vec<Missing> {
        let mut closed = std::mem::take(&mut news.deleted);
        if !news.created.is_empty() {
            closed.extend(self.missing_before(&closed));
        }
        let open = std::mem::take(&mut news.missing_open);
        // Deleted by others: once it is saved it is there again, under its name.
        let entries = self.entries.as_ref();
        let is_listed = |document: &_| entries.is_some_and(|all| all.contains_key(document));
        let open = open.into_iter().filter(is_listed).map(|one| (one, true));
        let all = closed.into_iter().map(|one| (one, false)).chain(open);
        all.filter_map(|(document, is_open)| {
            let file = self.known.get(&document)?.file.clone()?;
            let is_text = !self.is_blob(&document);
            Some(Missing {
                document,
                file,
                is_open,
                is_text,
            })
        })
        .collect()
    }

    /// Which of those that are left are one file, by their texts.
    fn alike(
        &self,
        left: &[Option<Missing>],
        came: &[Option<NewFile>],
        pairs: &[(Missing, NewFile)],
    ) -> Result<Vec<(usize, usize)>, MirrorError> {
        let gone: Vec<&Missing> = left.iter().flatten().collect();
        let came: Vec<&NewFile> = came.iter().flatten().collect();
        let mut moved = HashMap::new();
        for (missing, file) in pairs {
            let (from, to) = (directory(&missing.file.path), directory(&file.path));
            moved.entry(from).or_insert(to);
        }
        let files = Files {
            // What an editor makes of a file while it saves has another name.
            gone: &gone
                .iter()
                .map(|one| (&one.file.path, !one.is_open))
                .collect::<Vec<_>>(),
            came: &came.iter().map(|file| &file.path).collect::<Vec<_>>(),
            moved: &moved,
        };
        // Of what is no text the text is empty, and like no other.
        let gone_text = |at: usize| {
            let document = &gone[at].document;
            let base = self.own_record(document)?.and_then(|record| record.base);
            base.map_or(Ok(String::new()), |base| {
                self.text_of(document, &base.state)
            })
        };
        files.alike(gone_text, |at| {
            let text = came[at].seen.text.as_ref();
            text.map_or("", |text| &text.text)
        })
    }

    /// What is still to be done with a file that moved.
    fn look_at_moved(
        &self,
        missing: &Missing,
        moved: &NewFile,
        news: &mut News,
    ) -> Result<(), MirrorError> {
        let base = &missing.file;
        let executable = moved.seen.looked.executable;
        let is_other =
            moved.seen.hash.0 != base.hash || executable.is_some_and(|on| on != base.executable);
        if missing.is_open {
            news.busy.extend(is_other.then(|| moved.path.clone()));
            return Ok(());
        }
        if is_other || self.is_behind(&missing.document)? {
            news.changed.push(missing.document.clone());
        }
        Ok(())
    }

    /// Whether a document has what its file has not yet.
    pub(super) fn is_behind(&self, document: &DocumentId) -> Result<bool, MirrorError> {
        let record = self.own_record(document)?;
        Ok(record.is_some_and(|record| {
            let written = record.base.as_ref().map(|base| &base.state);
            written.is_some_and(|state| *state != record.state)
        }))
    }
}

/// The new file that has the name or the content of the missing one.
fn same(arrivals: &Arrivals, missing: &Missing) -> Option<usize> {
    let Missing {
        file: base,
        is_text,
        is_open,
        ..
    } = missing;
    // Editors that save put the old text aside for a moment, as `name~` and the like.
    let backup = |file: &NewFile| *is_open && is_backup(&file.path, &base.path);
    let same = |file: &NewFile| {
        let alike = file.seen.hash.0 == base.hash;
        alike && file.seen.text.is_some() == *is_text && !backup(file)
    };
    // Whatever it holds by now; but an editor may take the old file for something else while it saves.
    let it_is = |file: &NewFile| {
        let is_sure = base.identity.is_some_and(|identity| identity.is_sure());
        let is_followed = is_sure && !is_open && file.seen.text.is_some() == *is_text;
        same(file) || is_followed
    };
    let name = base.path.file_name();
    arrivals
        .identical(base.identity, it_is)
        .or_else(|| arrivals.named(&base.path, *is_text))
        .or_else(|| {
            let same_name = |file: &NewFile| same(file) && file.path.file_name() == name;
            arrivals.find(&base.hash, same_name)
        })
        // Empty files are all alike.
        .or_else(|| {
            let told_apart = |file: &NewFile| same(file) && file.seen.looked.bytes > 0;
            arrivals.find(&base.hash, told_apart)
        })
}

/// Whether `path` is a name that an editor makes up for what it keeps of `of`.
fn is_backup(path: &ProjectPath, of: &ProjectPath) -> bool {
    let (name, of) = (path.file_name(), of.file_name());
    name.len() > of.len() && name.contains(of)
}
