//! Open files that are no documents (yet): what is known of their texts.

use tutti_engine::{Change, Document, Event, Millis, Opened, Replica};

use super::opening::Report;
use crate::lsp::{self, Abilities};

/// How many reports are kept of one file. Beyond it its text is unknown until it is saved, which
/// is also when a new file gets its document.
const MOST_REPORTS: usize = 2_000;

/// The text of an open file, as opened or saved last, with what was reported since.
pub(super) struct Tracked {
    version: i32,
    /// `None` when there were too many reports.
    known: Option<Known>,
}

struct Known {
    text: String,
    version: i32,
    /// With the version that each has led to.
    changes: Vec<(i32, Vec<Change>)>,
}

impl Known {
    fn new(text: String, version: i32) -> Option<Self> {
        let changes = Vec::new();
        Some(Self {
            text,
            version,
            changes,
        })
    }

    /// The latest version at which the editor showed `text`, as far as its reports go.
    fn version_of(&self, text: &str, abilities: &Abilities) -> Option<i32> {
        let plain = |text: &str| text.replace("\r\n", "\n");
        let mut replica = Replica::new(1);
        replica.edit(&plain(&self.text));
        let opened = Opened {
            text: self.text.clone(),
            version: self.version,
            encoding: abilities.encoding,
            dialect: abilities.dialect.clone(),
            eol_crlf: self.text.contains("\r\n"),
            user: 2,
        };
        let (mut document, _) = Document::open(replica, None, opened, Millis::default());
        let mut reports: Vec<_> = self.changes.iter().collect();
        reports.sort_by_key(|(version, _)| *version);
        let wanted = plain(text);
        let mut found = (document.shown() == wanted).then_some(self.version);
        for (version, changes) in reports {
            let (version, changes) = (*version, changes.clone());
            document.handle(Event::Changed { version, changes }, Millis::default());
            if document.version() == version && document.shown() == wanted {
                found = Some(version);
            }
        }
        found
    }
}

impl Tracked {
    pub(super) fn opened(text: String, version: i32) -> Self {
        Self {
            version,
            known: Known::new(text, version),
        }
    }

    /// From a `didOpen`: the file's name, and what is known of it.
    pub(super) fn open(open: lsp::Open) -> (String, Self) {
        let lsp::OpenedDocument { uri, version, text } = open.text_document;
        (uri, Self::opened(text, version.unwrap_or(0)))
    }

    pub(super) fn changed(&mut self, version: Option<i32>, mut changes: Vec<Change>) {
        let version = version.unwrap_or(self.version + 1);
        self.version = self.version.max(version);
        if let [Change { range: None, text }] = changes.as_mut_slice() {
            return self.restart(std::mem::take(text), version);
        }
        match &mut self.known {
            Some(known) if known.changes.len() < MOST_REPORTS => {
                known.changes.push((version, changes));
            }
            _ => self.known = None,
        }
    }

    /// The editor has saved. What was typed after that may have been reported before it.
    pub(super) fn saved(&mut self, text: Option<String>, abilities: &Abilities) {
        if let Some(text) = text {
            let known = self.known.as_ref();
            let version = known.and_then(|known| known.version_of(&text, abilities));
            self.restart(text, version.unwrap_or(self.version));
        }
    }

    /// The text at a version is known: what is older is in it.
    fn restart(&mut self, text: String, version: i32) {
        let changes = self.known.take().map(|known| known.changes);
        let changes = changes.unwrap_or_default().into_iter();
        self.known = Some(Known {
            text,
            version,
            changes: changes.filter(|(later, _)| *later > version).collect(),
        });
    }

    pub(super) fn is_known(&self) -> bool {
        self.known.is_some()
    }

    /// The text as it was opened or saved last.
    pub(super) fn text(&self) -> Option<&str> {
        self.known.as_ref().map(|known| known.text.as_str())
    }

    /// A text, its version, and what was reported since.
    pub(super) fn into_reports(self) -> Option<(String, i32, Vec<Report>)> {
        let known = self.known?;
        let report = |(version, changes)| Report::Changed(version, changes);
        let reports = known.changes.into_iter().map(report).collect();
        Some((known.text, known.version, reports))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tutti_engine::{Position, Range};

    fn helix() -> Abilities {
        let client = serde_json::json!({ "clientInfo": { "name": "helix" }, "capabilities": {} });
        Abilities::read(&client)
    }

    fn typed(text: &str) -> Vec<Change> {
        typed_at(0, text)
    }

    fn typed_at(character: u32, text: &str) -> Vec<Change> {
        let place = Position { line: 0, character };
        let range = Some(Range {
            start: place,
            end: place,
        });
        let text = text.into();
        vec![Change { range, text }]
    }

    #[test]
    fn a_text_is_known_until_there_is_too_much_and_again_from_the_next_save() {
        let mut tracked = Tracked::opened("x".into(), 3);
        tracked.changed(None, typed("y"));
        tracked.changed(Some(9), typed("z"));
        for _ in 2..MOST_REPORTS {
            tracked.changed(None, typed("w"));
        }
        assert!(tracked.is_known());
        tracked.changed(None, typed("too much"));
        assert!(!tracked.is_known());
        tracked.saved(Some("saved".into()), &helix());
        tracked.changed(None, typed("more"));
        let (text, version, reports) = tracked.into_reports().unwrap();
        assert_eq!((text.as_str(), version, reports.len()), ("saved", 2008, 1));
        assert!(matches!(&reports[0], Report::Changed(2009, _)));
    }

    #[test]
    fn a_whole_text_replaces_all_before() {
        let mut tracked = Tracked::opened("x".into(), 0);
        tracked.changed(Some(1), typed("y"));
        let (range, text) = (None, "whole".into());
        tracked.changed(Some(5), vec![Change { range, text }]);
        let (text, version, reports) = tracked.into_reports().unwrap();
        assert_eq!((text.as_str(), version, reports.len()), ("whole", 5, 0));
    }

    #[test]
    fn what_was_typed_after_a_save_and_reported_before_it_stays() {
        let mut tracked = Tracked::opened(String::new(), 0);
        tracked.changed(Some(2), typed_at(1, "b"));
        tracked.changed(Some(1), typed_at(0, "a"));
        tracked.changed(Some(3), typed_at(2, "c"));
        tracked.saved(Some("ab".into()), &helix());
        let (text, version, reports) = tracked.into_reports().unwrap();
        assert_eq!((text.as_str(), version, reports.len()), ("ab", 2, 1));
        assert!(matches!(&reports[0], Report::Changed(3, _)));
    }
}
