//! Bugs of a bridge, planted between the engine and everyone else. The simulation has to find each.

use fastrand::Rng;
use tutti_engine::{Answer, Effect, Encoding};

use crate::editor::ToServer;
use crate::user::User;

/// One mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// An edit claims to be for the newest version.
    WrongVersion,
    /// A report of an editor is lost.
    LostReport,
    /// A report of an editor arrives twice.
    DoubledReport,
    /// Positions count characters where the client counts UTF-16 units.
    PairsCountOnce,
    /// The person's edit is not sent, nor ever noticed to be missing.
    LostUpdate,
    /// An update of someone else is lost on a connection that stays.
    LostRemote,
    /// An answer of no is taken for yes.
    NoIsYes,
    /// The changes of one report are taken in the opposite order.
    ChangesReversed,
    /// The second edit of a request is meant for the text behind the first.
    EditsBuildUpon,
    /// An edit deletes one character too many.
    OneTooMany,
    /// An edit is asked for twice.
    DoubledEdit,
    /// Line ends are sent as `\r\n` to whoever.
    AlwaysCrlf,
    /// A `\r` is sent to whoever.
    SendsReturns,
}

impl Bug {
    /// What becomes of an editor's reports.
    pub(crate) fn in_reports(self, reports: Vec<ToServer>, rng: &mut Rng) -> Vec<ToServer> {
        let mut out = Vec::new();
        for mut report in reports {
            let is_change = matches!(report, ToServer::Changed { .. });
            match (self, &mut report) {
                (Self::LostReport, ToServer::Changed { .. }) if rng.u8(0..20) == 0 => continue,
                (Self::NoIsYes, ToServer::Answered { answer, .. }) => *answer = Answer::Applied,
                (Self::ChangesReversed, ToServer::Changed { changes, .. }) => changes.reverse(),
                _ => {}
            }
            if self == Self::DoubledReport && is_change && rng.u8(0..20) == 0 {
                out.push(report.clone());
            }
            out.push(report);
        }
        out
    }

    /// What becomes of what the engine asks for.
    pub(crate) fn in_effect(self, effect: Effect, user: &User, rng: &mut Rng) -> Option<Effect> {
        let Effect::Edit {
            edit,
            mut version,
            mut edits,
        } = effect
        else {
            let is_lost = self == Self::LostUpdate && matches!(effect, Effect::Send { .. });
            return (!is_lost || rng.u8(0..20) > 0).then_some(effect);
        };
        match self {
            Self::WrongVersion => version = user.editor.version(),
            Self::PairsCountOnce if user.editor.encoding == Encoding::Utf16 => {
                for edit in &mut edits {
                    for place in [&mut edit.range.start, &mut edit.range.end] {
                        let line = user.editor.buffer.get_line(place.line as usize);
                        let line = line.map(|line| line.to_string()).unwrap_or_default();
                        let units = line.encode_utf16().take(place.character as usize);
                        let units: Vec<u16> = units.collect();
                        place.character = char::decode_utf16(units).count() as u32;
                    }
                }
            }
            Self::EditsBuildUpon => {
                let mut shift = 0;
                let mut line = u32::MAX;
                for edit in &mut edits {
                    if edit.range.start.line != line {
                        shift = 0;
                    }
                    line = edit.range.end.line;
                    edit.range.start.character += shift;
                    edit.range.end.character += shift;
                    shift += edit.new_text.chars().count() as u32;
                }
            }
            Self::OneTooMany if rng.u8(0..20) == 0 => {
                if let Some(edit) = edits.last_mut() {
                    edit.range.end.character += 1;
                }
            }
            Self::DoubledEdit if rng.u8(0..20) == 0 => {
                let again = edits.last().cloned();
                edits.extend(again);
            }
            Self::AlwaysCrlf => {
                for edit in &mut edits {
                    edit.new_text = edit.new_text.replace('\n', "\r\n");
                }
            }
            _ => {}
        }
        Some(Effect::Edit {
            edit,
            version,
            edits,
        })
    }

    /// Whether an update on its way to someone is lost.
    pub(crate) fn loses(self, rng: &mut Rng) -> bool {
        self == Self::LostRemote && rng.u8(0..20) == 0
    }
}
