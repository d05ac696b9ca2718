//! The editors: which are there, of which version, and whether they are set up.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::configuration::{SetUp, helix_files, look};
use super::finding::{Paste, Report, shown};
use super::helix;
use super::program::{self, find, is_at_least};
use super::setup::{EDITORS, README, block};

/// An editor that has set-up lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Editor {
    #[value(alias = "nvim")]
    Neovim,
    #[value(alias = "hx")]
    Helix,
    Emacs,
    #[value(name = "vscode", alias = "code")]
    VsCode,
    #[value(name = "vscodium", alias = "codium")]
    VsCodium,
    CodeServer,
    #[value(alias = "kak")]
    Kakoune,
    Zed,
    #[value(alias = "subl")]
    Sublime,
}

/// What is known of an editor.
struct Facts {
    title: &'static str,
    programs: &'static [&'static str],
    /// The word that makes it tell its version; none where that would do more.
    version: Option<&'static str>,
    /// The first version with all that the lines need.
    needs: Option<(u32, u32)>,
    document: &'static str,
    heading: &'static str,
}

impl Editor {
    fn facts(self) -> Facts {
        let facts = |title, programs, document| Facts {
            title,
            programs,
            version: Some("--version"),
            needs: None,
            document,
            heading: title,
        };
        match self {
            Self::Neovim => Facts {
                needs: Some((0, 10)),
                ..facts("Neovim", &["nvim"], README)
            },
            Self::Helix => facts("Helix", &["hx", "helix"], README),
            Self::Emacs => Facts {
                needs: Some((29, 1)),
                ..facts("Emacs", &["emacs"], README)
            },
            Self::VsCode => facts("VS Code", &["code"], EDITORS),
            Self::VsCodium => Facts {
                heading: "VS Code",
                ..facts("VSCodium", &["codium"], EDITORS)
            },
            Self::CodeServer => Facts {
                heading: "VS Code",
                // It writes a configuration file whatever it is asked.
                version: None,
                ..facts("code-server", &["code-server"], EDITORS)
            },
            Self::Kakoune => Facts {
                version: Some("-version"),
                ..facts("Kakoune", &["kak"], EDITORS)
            },
            Self::Zed => facts("Zed", &["zed", "zeditor"], EDITORS),
            Self::Sublime => facts("Sublime Text", &["subl"], EDITORS),
        }
    }

    /// Its name on the command line.
    fn word(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Where configurations lie.
pub(super) struct Homes {
    pub(super) home: PathBuf,
    /// `XDG_CONFIG_HOME`, else `~/.config`, on every system: editors have it so.
    pub(super) config: PathBuf,
    /// `XDG_DATA_HOME`, else `~/.local/share`.
    pub(super) data: PathBuf,
    /// The directory that may have settings of its own.
    pub(super) project: PathBuf,
}

impl Homes {
    pub(super) fn of_user(project: &Path) -> Self {
        let home = directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned());
        let home = home.unwrap_or_default();
        let named = |name: &str, beneath: &str| {
            let named = std::env::var_os(name).map(PathBuf::from);
            let named = named.filter(|path| path.is_absolute());
            named.unwrap_or_else(|| home.join(beneath))
        };
        Self {
            config: named("XDG_CONFIG_HOME", ".config"),
            data: named("XDG_DATA_HOME", ".local/share"),
            project: project.to_owned(),
            home,
        }
    }
}

/// Looks at these editors, or at all that are there. Where one is set up, those that are not need
/// nothing: nobody uses all that is installed.
pub(super) fn look_at(named: &[Editor], homes: &Homes, report: &mut Report) {
    let wanted = match named {
        [] => Editor::value_variants(),
        named => named,
    };
    let found: Vec<_> = wanted
        .iter()
        .map(|editor| (*editor, editor.facts()))
        .map(|(editor, facts)| (editor, facts.programs.iter().find_map(|name| find(name))))
        .filter(|(_, program)| !named.is_empty() || program.is_some())
        .map(|(editor, program)| (editor, program, look(editor, homes)))
        .collect();
    if found.is_empty() {
        let known: Vec<_> = wanted.iter().map(|editor| editor.facts().title).collect();
        report.note(
            "Editors",
            format!(
                "none of {} on your PATH; a browser does as well",
                known.join(", ")
            ),
        );
    }
    let is_set_up = |set_up: &SetUp| matches!(set_up, SetUp::In(_));
    let must = !named.is_empty() || !found.iter().any(|(_, _, set_up)| is_set_up(set_up));
    for (editor, program, set_up) in found {
        tell(editor, program.as_deref(), set_up, must, homes, report);
    }
}

fn tell(
    editor: Editor,
    program: Option<&Path>,
    set_up: SetUp,
    must: bool,
    homes: &Homes,
    report: &mut Report,
) {
    let facts = editor.facts();
    let title = facts.title;
    let version = program.zip(facts.version);
    let version = version.and_then(|(program, word)| program::version(program, word));
    if let (Some((major, minor)), Some(version)) = (facts.needs, &version)
        && !is_at_least(version, major, minor)
    {
        report.wrong(
            title,
            format!("{version} is too old"),
            format!("Install {title} {major}.{minor} or newer."),
        );
        return;
    }
    let what = match (program, version) {
        (None, _) => "not on your PATH".to_owned(),
        (_, Some(version)) => version,
        (_, None) => "there".to_owned(),
    };
    let lines = block(facts.document, facts.heading).unwrap_or_default();
    let paste = |file: Option<String>| Paste { file, lines };
    match set_up {
        SetUp::In(file) if editor == Editor::Helix => {
            let reach = helix::reach(&helix_files(homes), homes);
            let file = shown(&file);
            let says = format!(
                "{what}, set up in {file} for {}: it shares no files of other languages",
                reach.languages
            );
            match reach.others.is_empty() {
                true => report.good(title, says),
                false => report
                    .note(title, says + ", which this project has")
                    .list(reach.others),
            };
        }
        SetUp::In(file) => {
            report.good(title, format!("{what}, set up in {}", shown(&file)));
        }
        SetUp::Missing(_) if !must => {
            let word = editor.word();
            report.note(
                title,
                format!("{what}, not set up; `tutti doctor {word}` prints the lines"),
            );
        }
        SetUp::Missing(file) => {
            let file = file.as_deref().map(shown);
            let advice = match &file {
                Some(file) => format!("Add the lines below to {file}."),
                None => format!("Run the lines below once, then start {title} anew."),
            };
            report
                .wrong(title, format!("{what}, not set up"), advice)
                .paste(paste(file));
        }
        SetUp::Faulty { file, fault } => {
            let file = shown(&file);
            let advice = format!("Mend {file}; the lines below are what it needs.");
            report
                .wrong(title, format!("{what}, {fault}"), advice)
                .paste(paste(Some(file)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_editor_has_lines_that_start_tutti() {
        for editor in Editor::value_variants() {
            let facts = editor.facts();
            let lines = block(facts.document, facts.heading);
            let lines = lines.unwrap_or_else(|| panic!("no lines for {editor:?}"));
            assert!(lines.contains("tutti"), "{editor:?}: {lines}");
            assert!(lines.contains("lsp"), "{editor:?}: {lines}");
            assert!(!editor.word().is_empty());
        }
    }
}
