//! What was found, and how it is shown: one line each, aligned; lines to paste stand below, as
//! they are, so that they can be copied.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use crate::cli::output;

/// What stands before something that needs doing.
pub(super) const WRONG: char = '✗';

/// How it stands with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mark {
    /// As it should be.
    Good,
    /// Neither good nor wrong; good to know.
    Note,
    /// Something needs doing.
    Wrong,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    /// What was looked at, in one or two words.
    check: &'static str,
    state: Mark,
    says: String,
    /// One sentence, for what is wrong.
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
    /// Further lines that belong to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    list: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paste: Option<Paste>,
}

/// Lines to paste.
#[derive(Debug, Serialize)]
pub(super) struct Paste {
    /// The file that they belong into; without one they are run in a terminal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<String>,
    pub(super) lines: String,
}

/// All that was found.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Finding>);

impl Report {
    pub(super) fn good(&mut self, check: &'static str, says: impl Into<String>) -> &mut Finding {
        self.add(check, Mark::Good, says.into(), None)
    }

    pub(super) fn note(&mut self, check: &'static str, says: impl Into<String>) -> &mut Finding {
        self.add(check, Mark::Note, says.into(), None)
    }

    /// Something is wrong; `advice` says in one sentence what to do.
    pub(super) fn wrong(
        &mut self,
        check: &'static str,
        says: impl Into<String>,
        advice: impl Into<String>,
    ) -> &mut Finding {
        self.add(check, Mark::Wrong, says.into(), Some(advice.into()))
    }

    fn add(
        &mut self,
        check: &'static str,
        state: Mark,
        says: String,
        advice: Option<String>,
    ) -> &mut Finding {
        self.0.push(Finding {
            check,
            state,
            says,
            advice,
            list: Vec::new(),
            paste: None,
        });
        self.0.last_mut().expect("just pushed")
    }

    /// Whether nothing needs doing.
    pub(super) fn all_well(&self) -> bool {
        self.0.iter().all(|finding| finding.state != Mark::Wrong)
    }

    pub(super) fn to_json(&self) -> serde_json::Value {
        json!({ "ok": self.all_well(), "checks": self.0 })
    }

    pub(super) fn print(&self) -> anyhow::Result<()> {
        let colours = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let width = self.0.iter().map(|finding| finding.check.len()).max();
        let width = width.unwrap_or_default();
        for finding in &self.0 {
            finding.print(width, colours)?;
        }
        for (finding, paste) in self.0.iter().filter_map(|f| Some((f, f.paste.as_ref()?))) {
            let Paste { file, lines } = paste;
            let place = file.as_deref().unwrap_or("in a terminal");
            output::line(format_args!("\n{}, {place}:\n\n{lines}", finding.check))?;
        }
        Ok(())
    }
}

impl Finding {
    pub(super) fn list(&mut self, list: Vec<String>) -> &mut Self {
        self.list = list;
        self
    }

    pub(super) fn paste(&mut self, paste: Paste) -> &mut Self {
        self.paste = Some(paste);
        self
    }

    fn print(&self, width: usize, colours: bool) -> anyhow::Result<()> {
        /// What is listed on a screen; JSON has all of it.
        const SHOWN: usize = 8;
        let (mark, colour) = match self.state {
            Mark::Good => ('✓', "32"),
            Mark::Note => ('·', "2"),
            Mark::Wrong => (WRONG, "31"),
        };
        let mark = match colours {
            true => format!("\x1b[{colour}m{mark}\x1b[0m"),
            false => mark.to_string(),
        };
        let Self { check, says, .. } = self;
        let colon = if self.list.is_empty() { "" } else { ":" };
        output::line(format_args!("{mark} {check:width$}  {says}{colon}"))?;
        let beneath = " ".repeat(width + 4);
        if let Some(advice) = &self.advice {
            output::line(format_args!("{beneath}→ {advice}"))?;
        }
        for line in self.list.iter().take(SHOWN) {
            output::line(format_args!("{beneath}{line}"))?;
        }
        if let Some(more) = self.list.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            output::line(format_args!("{beneath}and {more} more"))?;
        }
        Ok(())
    }
}

/// A path as people write it: from `~` on.
pub(super) fn shown(path: &Path) -> String {
    let home = directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned());
    let beneath = home.and_then(|home| path.strip_prefix(home).ok().map(PathBuf::from));
    match beneath {
        Some(rest) if !rest.as_os_str().is_empty() => format!("~/{}", rest.display()),
        _ => path.display().to_string(),
    }
}
