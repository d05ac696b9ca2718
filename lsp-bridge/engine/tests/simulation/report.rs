//! How a simulated editor reports what has changed.

use ropey::Rope;
use tutti_engine::diff::diff;
use tutti_engine::patch::{Patch, Splice};
use tutti_engine::{Change, Range, SyncKind, position};

use crate::editor::{Editor, From, ToServer};
use crate::kind::{Echo, Eol, Returns, Versions};
use crate::record::{Cause, Input, Told};
use crate::story::Story;

impl Editor {
    /// An immediate report of one change that led here from `before`.
    pub(crate) fn report(
        &mut self,
        before: &Rope,
        patch: &Patch,
        echo: Echo,
        now: u64,
    ) -> Vec<ToServer> {
        let fine = diff(before, &self.buffer);
        let whole = Patch::from(one_replacement(before, &self.buffer));
        let (pieces, apart) = match echo {
            Echo::Ranges => (patch, false),
            Echo::Split => (patch, true),
            Echo::Minimised => (&fine, false),
            Echo::Whole => (&whole, false),
        };
        if pieces.is_empty() {
            return Vec::new();
        }
        let mut reports = Vec::new();
        let mut text = before.clone();
        let mut changes = Vec::new();
        for splice in pieces.splices().iter().rev() {
            changes.push(self.ranged(&text, splice));
            Patch::from(splice.clone()).apply(&mut text);
            if apart {
                let changes = std::mem::take(&mut changes);
                let count = changes.len();
                let changes = self.as_asked(changes, &text);
                reports.push(self.changed(changes, count));
            }
        }
        if !changes.is_empty() {
            let count = changes.len();
            let changes = self.as_asked(changes, &text);
            reports.push(self.changed(changes, count));
        }
        if let [report] = &mut *reports {
            self.told(report, Cause::AtOnce, 1, now);
        }
        self.now_known(now);
        if self.record.is_some() {
            self.record();
        }
        reports
    }

    /// With a report goes a record of what has led to it, if there is one.
    fn told(&mut self, report: &mut ToServer, cause: Cause, ticks: i32, now: u64) {
        let ToServer::Changed {
            version,
            changes,
            story,
        } = report
        else {
            return;
        };
        let Some(mut record) = self.record.clone() else {
            return;
        };
        if self.hides_when() {
            let pending = self.on_their_way.iter().cloned();
            record.inputs.extend(pending.map(Input::Pending));
        }
        story.told = Some(Box::new(Told {
            record,
            end: self.buffer.clone(),
            at: now,
            cause,
            ticks,
            version: *version,
            changes: changes.clone(),
        }));
    }

    /// It is made to report.
    pub(crate) fn told_to(&mut self, now: u64) -> Option<ToServer> {
        let report = self.flush(now, Cause::Request);
        if let (None, Some(record)) = (&report, &mut self.record) {
            record.inputs.push(Input::Asked { at: now });
        }
        report
    }

    /// A report that was put off: everything since the last one, merged into one replacement.
    pub(crate) fn flush(&mut self, now: u64, cause: Cause) -> Option<ToServer> {
        self.flush_at = None;
        if self.reported_tick == self.tick {
            return None;
        }
        // What was done and undone since is reported, too, as a change that changes nothing.
        let splice = one_replacement(&self.reported, &self.buffer);
        let changes = vec![self.ranged(&self.reported, &splice)];
        let changes = self.as_asked(changes, &self.buffer);
        let ticks = self.tick - self.reported_tick;
        let mut report = self.changed(changes, 1);
        self.told(&mut report, cause, ticks, now);
        self.now_known(now);
        if self.record.is_some() {
            self.record();
        }
        Some(report)
    }

    fn as_asked(&self, changes: Vec<Change>, text: &Rope) -> Vec<Change> {
        if self.dialect.sync == SyncKind::Incremental && !self.kind.full_text {
            return changes;
        }
        let text = self.out(&text.to_string());
        vec![Change { range: None, text }]
    }

    fn changed(&mut self, changes: Vec<Change>, count: usize) -> ToServer {
        self.reported_version = match self.kind.versions {
            Versions::Step => self.reported_version + 1,
            Versions::Skip => (self.tick + 2).max(self.reported_version + 1),
            Versions::PerChange => self.reported_version + count as i32,
        };
        let mut story = std::mem::take(&mut self.story);
        story.before = self.reported.to_string();
        story.behind = self.buffer.to_string();
        let put_in = self.out(&story.new);
        story.is_exact = changes.iter().any(|change| change.text == put_in);
        ToServer::Changed {
            version: self.reported_version,
            changes,
            story,
        }
    }

    pub(crate) fn now_known(&mut self, now: u64) {
        self.reported_at = now;
        self.reported = self.buffer.clone();
        self.reported_tick = self.tick;
        self.seen.insert(self.reported_version, self.history.len());
        self.from.fill(From::Known);
        self.story = Story::default();
    }

    fn ranged(&self, text: &Rope, splice: &Splice) -> Change {
        Change {
            range: Some(Range {
                start: position(text, splice.at, self.encoding),
                end: position(text, splice.end(), self.encoding),
            }),
            text: self.out(&splice.insert),
        }
    }

    pub(crate) fn out(&self, text: &str) -> String {
        match (self.crlf, self.kind.eol) {
            (false, _) | (true, Eol::Lf) => text.to_owned(),
            (true, Eol::Crlf | Eol::CrlfTakesLf) => text.replace('\n', "\r\n"),
        }
    }

    pub(crate) fn taken(&self, text: &str) -> String {
        if !self.crlf {
            return match self.kind.returns {
                Returns::Kept => text.to_owned(),
                Returns::LineEnd => text.replace("\r\n", "\n").replace('\r', "\n"),
                Returns::OneMore => text.replace('\r', "\n"),
                Returns::Dropped => text.replace('\r', ""),
            };
        }
        match self.kind.eol {
            Eol::Crlf => text.replace("\r\n", "\n"),
            Eol::CrlfTakesLf => text.replace('\r', "\n"),
            Eol::Lf => text.to_owned(),
        }
    }
}

/// The one replacement that leads from `old` to `new`.
fn one_replacement(old: &Rope, new: &Rope) -> Splice {
    let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
    let prefix = std::iter::zip(&old, &new)
        .take_while(|(a, b)| a == b)
        .count();
    let rest = old.len().min(new.len()) - prefix;
    let ends = std::iter::zip(old.iter().rev(), new.iter().rev());
    let suffix = ends.take(rest).take_while(|(a, b)| a == b).count();
    Splice {
        at: prefix,
        delete: old.len() - prefix - suffix,
        insert: new[prefix..new.len() - suffix].iter().collect(),
    }
}
