//! How editors behave, as data: one row for each recorded editor, and freely mixed ones.

use fastrand::Rng;
use tutti_engine::Staleness;

/// What an editor says to an edit that it does not make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// `applied: false`.
    No,
    /// An error.
    Error,
    /// `applied: true`, though nothing was done.
    Yes,
}

/// How versions count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Versions {
    /// By one a report.
    Step,
    /// With each change, reported or not, so they skip.
    Skip,
    /// By the number of changes in the report.
    PerChange,
}

/// When it answers an edit that it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    /// Before it reports the edit.
    First,
    /// Behind the first of its reports.
    Between,
    /// Behind all of them.
    Last,
    /// Not at all.
    Never,
}

/// In what pieces it reports an edit of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Echo {
    /// The ranges as they were asked for, the last first.
    Ranges,
    /// The same, each cut down to what differs.
    Minimised,
    /// One range around everything that differs.
    Whole,
    /// Each range in a message of its own, the last first.
    Split,
}

/// What it does with line ends, in a file that has `\r\n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Eol {
    /// Reports `\r\n`, and takes either.
    Crlf,
    /// Reports `\n`, and takes a `\r` for a character.
    Lf,
    /// Reports `\r\n`, and takes a `\r\n` for two line ends.
    CrlfTakesLf,
}

/// What it makes of a `\r` in an edit, in a file that does not have `\r\n` throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Returns {
    /// A character like others.
    Kept,
    /// A line end, with a `\n` behind it or without.
    LineEnd,
    /// A line end, and another one of a `\n` behind it.
    OneMore,
    /// Nothing.
    Dropped,
}

/// One way for an editor to behave.
#[derive(Debug, Clone)]
pub(crate) struct Kind {
    /// What it is called here.
    pub(crate) name: &'static str,
    /// What the editor says of itself in `clientInfo`.
    pub(crate) client_name: &'static str,
    /// What becomes of an edit that comes too late.
    pub(crate) staleness: Staleness,
    pub(crate) refusal: Refusal,
    /// How long it waits for a pause before it reports; 0: every change at once.
    pub(crate) debounce_ms: u64,
    /// Whether a person who goes on typing puts the report off.
    pub(crate) debounce_restarts: bool,
    /// It waits only as long as its last report is not that old; else it reports at once.
    pub(crate) is_rate_limited: bool,
    /// A typed letter is reported at once all the same, with all before it.
    pub(crate) letters_at_once: bool,
    /// Until the first report every key puts it off, and no version is checked.
    pub(crate) starts_late: bool,
    pub(crate) versions: Versions,
    /// Sends the whole text whatever it is asked for.
    pub(crate) full_text: bool,
    /// Adds a newline to every text.
    pub(crate) keeps_newline: bool,
    /// Reports may overtake each other.
    pub(crate) reorders: bool,
    pub(crate) answers: Answers,
    /// How long the answer may take, whatever is reported meanwhile.
    pub(crate) answers_within_ms: u64,
    pub(crate) echo: Echo,
    pub(crate) eol: Eol,
    pub(crate) returns: Returns,
    /// Shows no byte-order mark.
    pub(crate) hides_bom: bool,
    /// Does not report when it is made to, if it can be made to at all.
    pub(crate) ignores_flush: bool,
    /// Takes blanks away from the ends of lines when it saves.
    pub(crate) trims: bool,
}

const VS_CODE: Kind = Kind {
    name: "vscode",
    client_name: "Visual Studio Code",
    staleness: Staleness::Refused,
    refusal: Refusal::No,
    debounce_ms: 0,
    debounce_restarts: false,
    is_rate_limited: false,
    letters_at_once: false,
    starts_late: false,
    versions: Versions::Step,
    full_text: false,
    keeps_newline: false,
    reorders: false,
    answers: Answers::First,
    answers_within_ms: 0,
    echo: Echo::Minimised,
    eol: Eol::Crlf,
    returns: Returns::LineEnd,
    hides_bom: true,
    ignores_flush: false,
    trims: false,
};

const HELIX: Kind = Kind {
    name: "helix",
    client_name: "helix",
    reorders: true,
    answers: Answers::Last,
    returns: Returns::Kept,
    ..VS_CODE
};

const ZED: Kind = Kind {
    name: "zed",
    client_name: "Zed",
    staleness: Staleness::Rebased,
    echo: Echo::Ranges,
    ..VS_CODE
};

/// Merges what was typed within 150 ms of a report with an edit of ours, and says yes to one that it
/// skips. Where it reports an edit at once, it answers behind that.
const NEOVIM: Kind = Kind {
    name: "neovim",
    client_name: "Neovim",
    refusal: Refusal::Yes,
    debounce_ms: 150,
    is_rate_limited: true,
    starts_late: true,
    versions: Versions::Skip,
    keeps_newline: true,
    answers: Answers::Last,
    echo: Echo::Whole,
    ..VS_CODE
};

/// Waits for a pause, except behind a letter, and applies an edit to what it has not reported.
const EMACS: Kind = Kind {
    name: "emacs",
    client_name: "Emacs",
    staleness: Staleness::UnsentApplied,
    refusal: Refusal::Error,
    debounce_ms: 500,
    debounce_restarts: true,
    letters_at_once: true,
    versions: Versions::PerChange,
    echo: Echo::Whole,
    eol: Eol::Lf,
    returns: Returns::Kept,
    ..VS_CODE
};

/// Applies every edit, to whatever text it has by then.
const KAKOUNE: Kind = Kind {
    name: "kakoune",
    client_name: "kak-lsp",
    staleness: Staleness::Applied,
    debounce_ms: 50,
    debounce_restarts: true,
    versions: Versions::Skip,
    full_text: true,
    keeps_newline: true,
    echo: Echo::Whole,
    eol: Eol::CrlfTakesLf,
    returns: Returns::OneMore,
    ..VS_CODE
};

const SUBLIME: Kind = Kind {
    name: "sublime",
    client_name: "Sublime Text LSP",
    debounce_ms: 300,
    eol: Eol::Lf,
    returns: Returns::Dropped,
    ..VS_CODE
};

/// Nothing is known of it, so its answers prove nothing.
const STRANGER: Kind = Kind {
    name: "stranger",
    client_name: "a stranger",
    debounce_ms: 80,
    answers: Answers::Last,
    echo: Echo::Whole,
    ..VS_CODE
};

/// One row for each editor.
pub(crate) const ROWS: [Kind; 8] = [
    VS_CODE, HELIX, ZED, NEOVIM, EMACS, KAKOUNE, SUBLIME, STRANGER,
];

/// The row of this name.
pub(crate) fn row(name: &str) -> Kind {
    let row = ROWS.iter().find(|row| row.name == name);
    row.unwrap_or_else(|| panic!("there is no editor {name:?}"))
        .clone()
}

impl Kind {
    /// Whether it tells of an edit that it does not make that it has not made it.
    pub(crate) fn says_no(&self) -> bool {
        self.refusal != Refusal::Yes && self.answers != Answers::Never
    }

    /// The same editor in one of the ways that nothing is recorded about.
    pub(crate) fn varied(mut self, rng: &mut Rng) -> Self {
        self.answers = match rng.u8(0..8) {
            0 => Answers::Between,
            1..=3 => Answers::Last,
            _ => self.answers,
        };
        if rng.u8(0..4) == 0 && !self.full_text {
            self.echo = *rng
                .choice(&[Echo::Ranges, Echo::Minimised, Echo::Whole])
                .expect("not empty");
        }
        self.trims = rng.u8(0..4) == 0;
        self.hides_bom = rng.bool();
        self.ignores_flush = rng.u8(0..8) == 0;
        self
    }

    /// A stranger with any habits at all.
    pub(crate) fn mixed(rng: &mut Rng) -> Self {
        let debounce_ms = *rng.choice(&[0, 0, 80, 150, 500]).expect("not empty");
        Self {
            name: "mixed",
            staleness: *rng
                .choice(&[Staleness::Refused, Staleness::Rebased])
                .expect("not empty"),
            refusal: *rng
                .choice(&[Refusal::No, Refusal::Error, Refusal::Yes])
                .expect("not empty"),
            debounce_ms,
            debounce_restarts: rng.bool(),
            versions: *rng
                .choice(&[Versions::Step, Versions::Skip, Versions::PerChange])
                .expect("not empty"),
            full_text: rng.bool(),
            keeps_newline: false,
            answers: *rng
                .choice(&[
                    Answers::First,
                    Answers::Between,
                    Answers::Last,
                    Answers::Never,
                ])
                .expect("not empty"),
            echo: *rng
                .choice(&[Echo::Ranges, Echo::Minimised, Echo::Whole, Echo::Split])
                .expect("not empty"),
            // Of copies: what is drawn behind them stays what it was.
            answers_within_ms: *rng.clone().choice(&[0, 0, 40, 100]).expect("not empty"),
            returns: *rng
                .clone()
                .choice(&[
                    Returns::Kept,
                    Returns::LineEnd,
                    Returns::OneMore,
                    Returns::Dropped,
                ])
                .expect("not empty"),
            ..STRANGER
        }
        .varied(rng)
    }
}
