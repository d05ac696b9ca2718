//! What differs between editors, as data.
//!
//! Every value here was recorded from the real editor or, for Zed and Sublime Text, read in its
//! source. A new quirk is a new field or a new value, and one more simulated editor.

/// What the client is asked to send with each change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncKind {
    /// The whole text: for editors whose ranges drift.
    Full,
    /// The changed ranges.
    Incremental,
}

/// What an edit request meets whose text is not the editor's any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staleness {
    /// It is turned down, by the version.
    Refused,
    /// It is turned down if the editor has *sent* newer text; keys it has not sent yet do not
    /// count, and the edit is applied at places that have moved.
    UnsentApplied,
    /// It is applied at places that have moved.
    Applied,
    /// It is carried over to the newer text.
    Rebased,
}

/// What makes an editor report everything that has been typed in it, at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// `workspace/semanticTokens/refresh`: before it answers, the editor asks for the tokens of each
    /// document that is shown, and before it asks anything it reports all changes.
    SemanticTokensRefresh,
}

/// What an editor reports when it reads a file from the disk again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// Nobody knows.
    Unknown,
    /// That it is closed, and opened with its text: what it reports as changed was typed.
    Reopens,
    /// The whole text, as one change.
    Whole,
    /// What differs, as if it had been typed; and, to who watches files, that the file has changed.
    Difference,
}

/// What becomes of a `\r` in the text of an edit. The line ends of a file that has `\r\n` throughout
/// are not meant, nor a `\r` that an editor has read from its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returns {
    /// It is a character like others. Between it and a `\n` there is no place.
    Kept,
    /// A line end comes of it, or nothing. One that the editor shows is a character like others, and
    /// there is a place behind it.
    Lost,
    /// Nobody knows, nor whether there is a place between one that the editor shows and a `\n`.
    Unknown,
}

/// How an editor treats what the engine asks of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// For logs and `tutti status`.
    pub name: &'static str,
    /// What to ask for at `initialize`.
    pub sync: SyncKind,
    /// Versions step by exactly one and may arrive out of order: a gap is waited for.
    pub consecutive_versions: bool,
    /// Versions step with each change of the text, whether it is reported by itself or not. A report
    /// that is one step ahead of the last holds one change: the person's, or an edit of ours.
    pub versions_count_changes: bool,
    /// What becomes of an edit that comes too late.
    pub staleness: Staleness,
    /// Version 0 is taken for no version: until the first change no edit is turned down, and yes is
    /// certain.
    pub version_0_is_unchecked: bool,
    /// Whether an answer of yes means that the next change shows the edit, however late it comes,
    /// and an answer of no that none will.
    pub yes_is_certain: bool,
    /// The answer to an edit comes before the report that shows it: what is reported while an edit has
    /// not been answered is the person's.
    /// Or behind that report; `None`: nobody knows, or has seen it yet.
    pub answers_first: Option<bool>,
    /// One report may hold the person's typing and an edit of ours. Else an edit that landed is
    /// reported by itself, just as it was asked for.
    pub merges_changes: bool,
    /// A final newline cannot be taken away, and is added to every text.
    pub keeps_final_newline: bool,
    /// Line ends are sent as `\n` whatever the file has.
    pub sends_lf: bool,
    /// What it makes of a `\r` in an edit. Unless it keeps it, none is sent.
    pub returns: Returns,
    /// Several edits in one request come back in several changes, or cannot be told from the
    /// person's once they fell on moved places: send one at a time.
    pub one_edit_a_request: bool,
    /// How the editor is made to report what it holds back, if there is a way.
    pub flush: Option<Flush>,
    /// A server that formats on typing is asked after each key that it names, and before it is asked
    /// the key is reported. What is no such key (deleting, pasting, undo) waits as ever.
    pub formats_on_type: bool,
    /// How it reports that a file was read again.
    pub reload: Reload,
    /// Nothing is known of it but what it shows, see [`Dialect::has_refused`].
    pub learns: bool,
    /// Whether it has ever answered an edit.
    pub answers: bool,
}

const CAUTIOUS: Dialect = Dialect {
    name: "unknown",
    sync: SyncKind::Full,
    consecutive_versions: false,
    versions_count_changes: false,
    staleness: Staleness::Applied,
    version_0_is_unchecked: false,
    yes_is_certain: false,
    answers_first: None,
    merges_changes: true,
    keeps_final_newline: false,
    sends_lf: false,
    returns: Returns::Unknown,
    one_edit_a_request: true,
    flush: None,
    formats_on_type: false,
    reload: Reload::Unknown,
    learns: true,
    answers: false,
};

/// All of it was recorded or read.
const RECORDED: Dialect = Dialect {
    learns: false,
    ..CAUTIOUS
};

/// A lower-case part of `clientInfo.name`, and the editor behind it.
const KNOWN: &[(&str, Dialect)] = &[
    (
        "neovim",
        Dialect {
            name: "Neovim",
            versions_count_changes: true,
            staleness: Staleness::Refused,
            version_0_is_unchecked: true,
            keeps_final_newline: true,
            returns: Returns::Lost,
            flush: Some(Flush::SemanticTokensRefresh),
            reload: Reload::Reopens,
            ..RECORDED
        },
    ),
    (
        "helix",
        Dialect {
            name: "Helix",
            sync: SyncKind::Incremental,
            consecutive_versions: true,
            staleness: Staleness::Refused,
            yes_is_certain: true,
            merges_changes: false,
            returns: Returns::Kept,
            one_edit_a_request: false,
            reload: Reload::Difference,
            ..RECORDED
        },
    ),
    ("emacs", EMACS),
    ("eglot", EMACS),
    ("visual studio code", VS_CODE),
    ("code-server", VS_CODE),
    ("code - oss", VS_CODE),
    ("vscodium", VS_CODE),
    ("cursor", VS_CODE),
    (
        "kak",
        Dialect {
            name: "Kakoune",
            yes_is_certain: true,
            answers_first: Some(true),
            keeps_final_newline: true,
            sends_lf: true,
            ..RECORDED
        },
    ),
    (
        "zed",
        Dialect {
            name: "Zed",
            sync: SyncKind::Incremental,
            staleness: Staleness::Rebased,
            merges_changes: false,
            one_edit_a_request: false,
            ..RECORDED
        },
    ),
    (
        "sublime",
        Dialect {
            name: "Sublime Text",
            staleness: Staleness::Refused,
            yes_is_certain: true,
            sends_lf: true,
            ..RECORDED
        },
    ),
];

const EMACS: Dialect = Dialect {
    name: "Emacs",
    sync: SyncKind::Incremental,
    staleness: Staleness::UnsentApplied,
    yes_is_certain: true,
    sends_lf: true,
    returns: Returns::Kept,
    formats_on_type: true,
    ..RECORDED
};

const VS_CODE: Dialect = Dialect {
    name: "VS Code",
    sync: SyncKind::Incremental,
    staleness: Staleness::Refused,
    yes_is_certain: true,
    merges_changes: false,
    one_edit_a_request: false,
    reload: Reload::Whole,
    ..RECORDED
};

impl Dialect {
    /// The dialect of a client, by the name in its `clientInfo`; a cautious one for strangers.
    pub fn choose(client_name: Option<&str>) -> Self {
        let name = client_name.unwrap_or_default().to_lowercase();
        KNOWN
            .iter()
            .find(|(part, _)| name.contains(part))
            .map_or(CAUTIOUS, |(_, dialect)| dialect.clone())
    }

    /// An editor of which nothing was known has turned an edit down, so it looks at versions, and says
    /// so: its yes can be believed as well. `reported`: it had sent newer text than the edit was for.
    /// Else keys that it had not sent made it say no, and it will not misplace an edit.
    pub(crate) fn has_refused(&mut self, reported: bool) {
        if self.learns {
            self.yes_is_certain = true;
            if !reported {
                self.staleness = Staleness::Refused;
            } else if self.staleness == Staleness::Applied {
                self.staleness = Staleness::UnsentApplied;
            }
        }
    }

    /// It says no to edits that it makes: no answer of its tells anything.
    pub(crate) fn has_lied(&mut self) {
        self.yes_is_certain = false;
        self.answers_first = None;
    }

    /// Whether an edit for `version` is made without a look at the version.
    pub fn does_all(&self, version: i32) -> bool {
        self.version_0_is_unchecked && version == 0
    }

    /// Whether an edit may be applied at places that have moved.
    pub fn may_misplace(&self) -> bool {
        matches!(
            self.staleness,
            Staleness::UnsentApplied | Staleness::Applied
        )
    }

    /// Whether the answer tells, beyond doubt, what the first report behind a request holds: the edit
    /// or not. A report that comes before it can wait for it.
    pub fn answer_decides(&self) -> bool {
        self.yes_is_certain && self.checks_versions()
    }

    /// Whether nothing but the order of answer and reports tells an edit from the same that the person has
    /// typed: none is turned down, and each is reported by itself.
    pub fn order_decides(&self) -> bool {
        self.staleness == Staleness::Rebased
            && !self.merges_changes
            && self.answers_first != Some(true)
    }

    /// Whether an edit certainly falls on the places that it names, whatever stands there by then.
    pub fn takes_places_as_they_are(&self) -> bool {
        self.yes_is_certain && self.staleness == Staleness::Applied
    }

    /// Whether an edit for a version that the editor has left is turned down.
    pub fn checks_versions(&self) -> bool {
        matches!(
            self.staleness,
            Staleness::Refused | Staleness::UnsentApplied
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_known_by_name() {
        for (client, name) in [
            (Some("Neovim"), "Neovim"),
            (Some("helix"), "Helix"),
            (Some("GNU Emacs"), "Emacs"),
            (Some("Eglot"), "Emacs"),
            (Some("Visual Studio Code"), "VS Code"),
            (Some("kakoune-lsp"), "Kakoune"),
            (Some("kak-lsp"), "Kakoune"),
            (Some("Zed"), "Zed"),
            (Some("Sublime Text LSP"), "Sublime Text"),
            (Some("something new"), "unknown"),
            (None, "unknown"),
        ] {
            assert_eq!(Dialect::choose(client).name, name, "{client:?}");
        }
    }

    /// What follows for the engine from what was recorded of each.
    #[test]
    fn editors_differ_in_what_can_be_told() {
        let of = |client| {
            let dialect = Dialect::choose(Some(client));
            let traits = [
                ("ranges", dialect.sync == SyncKind::Incremental),
                ("answer decides", dialect.answer_decides()),
                ("order decides", dialect.order_decides()),
                ("may misplace", dialect.may_misplace()),
                ("places as they are", dialect.takes_places_as_they_are()),
                ("checks versions", dialect.checks_versions()),
                ("version 0 unchecked", dialect.does_all(0)),
                ("waits for gaps", dialect.consecutive_versions),
                ("counts changes", dialect.versions_count_changes),
                ("merges", dialect.merges_changes),
                ("final newline", dialect.keeps_final_newline),
                ("sends \\n", dialect.sends_lf),
                ("keeps \\r", dialect.returns == Returns::Kept),
                ("one at a time", dialect.one_edit_a_request),
                ("flushes", dialect.flush.is_some()),
                ("flows by formatting", dialect.formats_on_type),
                ("reopens", dialect.reload == Reload::Reopens),
                ("reloads whole", dialect.reload == Reload::Whole),
                (
                    "reloads by difference",
                    dialect.reload == Reload::Difference,
                ),
                ("learns", dialect.learns),
            ];
            assert!(!dialect.does_all(1), "{client}");
            let has = traits.iter().filter(|(_, has)| *has);
            has.map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
        };
        let expected: [(&[&str], &str); 8] = [
            (
                &["Neovim"],
                "checks versions, version 0 unchecked, counts changes, merges, final newline, one at a time, flushes, reopens",
            ),
            (
                &["helix"],
                "ranges, answer decides, checks versions, waits for gaps, keeps \\r, reloads by difference",
            ),
            (
                &["GNU Emacs", "Eglot"],
                "ranges, answer decides, may misplace, checks versions, merges, sends \\n, keeps \\r, one at a time, flows by formatting",
            ),
            (
                &[
                    "Visual Studio Code",
                    "code-server",
                    "Code - OSS",
                    "VSCodium",
                    "Cursor",
                ],
                "ranges, answer decides, checks versions, reloads whole",
            ),
            (
                &["kak-lsp"],
                "may misplace, places as they are, merges, final newline, sends \\n, one at a time",
            ),
            (&["Zed"], "ranges, order decides"),
            (
                &["Sublime Text LSP"],
                "answer decides, checks versions, merges, sends \\n, one at a time",
            ),
            (
                &["something new"],
                "may misplace, merges, one at a time, learns",
            ),
        ];
        for (clients, traits) in expected {
            for client in clients {
                assert_eq!(of(client), traits, "{client}");
            }
        }
    }

    #[test]
    fn a_stranger_that_says_no_is_known_better() {
        let stranger = Dialect::choose(None);
        assert!(stranger.may_misplace() && !stranger.answer_decides());
        let mut unsent = stranger.clone();
        unsent.has_refused(false);
        assert!(!unsent.may_misplace() && unsent.answer_decides());
        // It had told of the newer text: of what it had not told yet, nothing is known.
        let mut reported = stranger;
        reported.has_refused(true);
        assert_eq!(reported.staleness, Staleness::UnsentApplied);
        assert!(reported.answer_decides());
        unsent.has_refused(true);
        assert_eq!(unsent.staleness, Staleness::Refused);
        // What was recorded stands.
        for client in ["Neovim", "Kakoune", "Zed"] {
            let mut recorded = Dialect::choose(Some(client));
            recorded.has_refused(false);
            recorded.has_refused(true);
            assert_eq!(recorded, Dialect::choose(Some(client)));
        }
    }
}
