//! Open files that are no documents (yet): what is known of their texts.

use tutti_engine::Change;

use super::documents::Report;
use crate::lsp;

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
        self.version = version.unwrap_or(self.version + 1);
        if let [Change { range: None, text }] = changes.as_mut_slice() {
            self.known = Known::new(std::mem::take(text), self.version);
            return;
        }
        match &mut self.known {
            Some(known) if known.changes.len() < MOST_REPORTS => {
                known.changes.push((self.version, changes));
            }
            _ => self.known = None,
        }
    }

    pub(super) fn saved(&mut self, text: Option<String>) {
        if let Some(text) = text {
            self.known = Known::new(text, self.version);
        }
    }

    pub(super) fn is_known(&self) -> bool {
        self.known.is_some()
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

    fn typed(text: &str) -> Vec<Change> {
        let place = Position {
            line: 0,
            character: 0,
        };
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
        tracked.saved(Some("saved".into()));
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
}
