//! Whether an editor's configuration seems to hold the set-up lines.
//!
//! Configurations are programs, so for most editors this looks for a line that names `tutti` and
//! is no comment. Helix's is data, and is understood.

use std::fs;
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

use super::editors::{Editor, Homes};

/// How an editor is set up.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SetUp {
    /// By this file.
    In(PathBuf),
    /// Not: the lines belong into this file, or, without one, are to be run.
    Missing(Option<PathBuf>),
    /// By half, or in a file that the editor itself cannot read.
    Faulty { file: PathBuf, fault: String },
}

/// How deep configurations are looked through: deeper lie other people's packages.
const DEPTH: usize = 4;
/// Longer files are no configuration.
const MAX_BYTES: u64 = 1 << 20;

/// Looks at an editor's configuration.
pub(super) fn look(editor: Editor, homes: &Homes) -> SetUp {
    let Homes {
        home,
        config,
        data,
        project,
    } = homes;
    match editor {
        Editor::Neovim => {
            let name = std::env::var_os("NVIM_APPNAME").unwrap_or_else(|| "nvim".into());
            let dir = config.join(name);
            // The lines are Lua, which an init.vim does not take.
            let into = match dir.join("init.vim").exists() && !dir.join("init.lua").exists() {
                true => dir.join("plugin/tutti.lua"),
                false => dir.join("init.lua"),
            };
            scripts(&[&dir], &["lua", "vim"], &["--", "\""], into)
        }
        Editor::Helix => helix(&helix_files(homes)),
        Editor::Emacs => {
            let dirs = [home.join(".emacs.d"), config.join("emacs")];
            let files = [home.join(".emacs.el"), home.join(".emacs")];
            let inits = files.iter().cloned();
            let mut inits = inits.chain(dirs.iter().map(|dir| dir.join("init.el")));
            let into = inits.find(|init| init.exists());
            let into = into.unwrap_or_else(|| dirs[0].join("init.el"));
            let all = files.iter().chain(&dirs).collect::<Vec<_>>();
            scripts(&all, &["el"], &[";"], into)
        }
        Editor::VsCode => extension(&home.join(".vscode/extensions")),
        Editor::VsCodium => extension(&home.join(".vscode-oss/extensions")),
        Editor::CodeServer => extension(&data.join("code-server/extensions")),
        Editor::Kakoune => {
            let dirs = [config.join("kak"), config.join("kak-lsp")];
            let all = [&dirs[0].join("kakrc"), &dirs[0], &dirs[1]];
            scripts(&all, &["kak", "toml"], &["#"], dirs[0].join("kakrc"))
        }
        Editor::Zed => {
            // The project's own: it is to be another server's place only there.
            let into = project.join(".zed/settings.json");
            let all = [&into, &config.join("zed/settings.json")];
            scripts(&all, &["json"], &["//"], into.clone())
        }
        Editor::Sublime => {
            let dir = match cfg!(target_os = "macos") {
                true => home.join("Library/Application Support/Sublime Text"),
                false => config.join("sublime-text"),
            }
            .join("Packages/User");
            let into = dir.join("LSP.sublime-settings");
            scripts(&[&dir], &["sublime-settings"], &["//"], into)
        }
    }
}

/// A configuration in the form of scripts: these files, and in these directories all with one of
/// the endings.
fn scripts(places: &[&PathBuf], endings: &[&str], comments: &[&str], into: PathBuf) -> SetUp {
    let names = |text: &str| {
        let mut lines = text.lines().map(str::trim_start);
        lines.any(|line| !comments.iter().any(|mark| line.starts_with(mark)) && names_tutti(line))
    };
    let found = places.iter().find_map(|place| {
        let mut files = files(place, endings);
        files.find(|file| text(file).is_some_and(|text| names(&text)))
    });
    match found {
        Some(file) => SetUp::In(file),
        None => SetUp::Missing(Some(into)),
    }
}

/// Whether the word stands in the line, and not as a part of another or of a path.
fn names_tutti(line: &str) -> bool {
    const WORD: &str = "tutti";
    let joins = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    line.match_indices(WORD).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + WORD.len()..].chars().next();
        !before.is_some_and(joins) && !after.is_some_and(|c| joins(c) || c == '/')
    })
}

fn files(place: &Path, endings: &[&str]) -> impl Iterator<Item = PathBuf> {
    let mut walk = WalkBuilder::new(place);
    // People link their configurations from elsewhere.
    walk.standard_filters(false).follow_links(true);
    walk.max_depth(Some(DEPTH)).sort_by_file_name(Ord::cmp);
    let files = walk.build().filter_map(Result::ok);
    let files = files.filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()));
    files.filter_map(move |entry| {
        let ending = entry.path().extension().and_then(|ending| ending.to_str());
        let wanted = entry.depth() == 0 || ending.is_some_and(|it| endings.contains(&it));
        wanted.then(|| entry.into_path())
    })
}

fn text(file: &Path) -> Option<String> {
    let length = file.metadata().ok()?.len();
    (length <= MAX_BYTES).then(|| fs::read_to_string(file).ok())?
}

/// An extension whose description names Tutti.
fn extension(dir: &Path) -> SetUp {
    let found = fs::read_dir(dir).into_iter().flatten().find_map(|entry| {
        let file = entry.ok()?.path().join("package.json");
        text(&file)?.contains("\"tutti").then_some(file)
    });
    match found {
        Some(file) => SetUp::In(file),
        None => SetUp::Missing(None),
    }
}

/// Where Helix looks for languages.
pub(super) fn helix_files(homes: &Homes) -> [PathBuf; 2] {
    [
        homes.config.join("helix/languages.toml"),
        homes.project.join(".helix/languages.toml"),
    ]
}

/// Helix: the server must be there, and a language must use it.
fn helix(files: &[PathBuf]) -> SetUp {
    let (mut server, mut used) = (None, None);
    for file in files {
        let Some(text) = text(file) else { continue };
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                let line = text[..at].lines().count().max(1);
                let fault = format!("cannot read line {line} of its languages.toml");
                let file = file.clone();
                return SetUp::Faulty { file, fault };
            }
        };
        if has_server(&table) {
            server.get_or_insert(file);
        }
        if is_used(&table) {
            used.get_or_insert(file);
        }
    }
    let faulty = |file: &PathBuf, fault: &str| SetUp::Faulty {
        file: file.clone(),
        fault: fault.to_owned(),
    };
    match (server, used) {
        (Some(_), Some(file)) => SetUp::In(file.clone()),
        (Some(file), None) => faulty(file, "starts tutti for no language"),
        (None, Some(file)) => faulty(file, "does not know how to start tutti"),
        (None, None) => SetUp::Missing(files.first().cloned()),
    }
}

fn has_server(languages: &toml::Table) -> bool {
    let server = languages
        .get("language-server")
        .and_then(|it| it.get("tutti"));
    server.is_some_and(|server| server.get("command").is_some())
}

fn is_used(languages: &toml::Table) -> bool {
    let languages = languages.get("language").and_then(toml::Value::as_array);
    languages.into_iter().flatten().any(super::helix::uses)
}

#[cfg(test)]
mod tests {
    use super::super::setup::{EDITORS, README, block};
    use super::*;

    struct Home {
        dir: tempfile::TempDir,
    }

    impl Home {
        fn with(files: &[(&str, &str)]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            for (path, text) in files {
                let path = dir.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Self { dir }
        }

        fn look(&self, editor: Editor) -> SetUp {
            let under = |path: &str| self.dir.path().join(path);
            let homes = Homes {
                home: under(""),
                config: under("config"),
                data: under("data"),
                project: under("project"),
            };
            look(editor, &homes)
        }

        fn at(&self, path: &str) -> PathBuf {
            self.dir.path().join(path)
        }
    }

    #[test]
    fn the_lines_themselves_are_recognised() {
        let lines = |document, heading| block(document, heading).unwrap();
        let sublime = "config/sublime-text/Packages/User/LSP.sublime-settings";
        let table = [
            (Editor::Neovim, "config/nvim/init.lua", README, "Neovim"),
            (
                Editor::Neovim,
                "config/nvim/lua/my/tutti.lua",
                README,
                "Neovim",
            ),
            (
                Editor::Helix,
                "config/helix/languages.toml",
                README,
                "Helix",
            ),
            (
                Editor::Helix,
                "project/.helix/languages.toml",
                README,
                "Helix",
            ),
            (Editor::Emacs, ".emacs.d/init.el", README, "Emacs"),
            (Editor::Emacs, ".emacs", README, "Emacs"),
            (Editor::Emacs, "config/emacs/init.el", README, "Emacs"),
            (Editor::Kakoune, "config/kak/kakrc", EDITORS, "Kakoune"),
            (Editor::Zed, "project/.zed/settings.json", EDITORS, "Zed"),
            #[cfg(not(target_os = "macos"))]
            (Editor::Sublime, sublime, EDITORS, "Sublime Text"),
        ];
        for (editor, path, document, heading) in table {
            let home = Home::with(&[(path, &lines(document, heading))]);
            assert_eq!(home.look(editor), SetUp::In(home.at(path)), "{editor:?}");
            let home = Home::with(&[]);
            assert!(matches!(home.look(editor), SetUp::Missing(Some(_))));
        }
        let path = ".vscode/extensions/tutti.tutti-client-0.0.1/package.json";
        let home = Home::with(&[(path, "{ \"name\": \"tutti-client\" }")]);
        assert_eq!(home.look(Editor::VsCode), SetUp::In(home.at(path)));
        assert_eq!(home.look(Editor::VsCodium), SetUp::Missing(None));
    }

    #[test]
    fn comments_and_other_words_are_no_set_up() {
        for text in [
            "-- vim.lsp.start({ name = 'tutti' })\n",
            "vim.opt.path = '~/tutti/docs'\n",
            "local tuttifrutti = 1\n",
        ] {
            let home = Home::with(&[("config/nvim/init.lua", text)]);
            let missing = SetUp::Missing(Some(home.at("config/nvim/init.lua")));
            assert_eq!(home.look(Editor::Neovim), missing, "{text}");
        }
        let home = Home::with(&[("config/nvim/init.vim", "set number\n")]);
        let into = home.at("config/nvim/plugin/tutti.lua");
        assert_eq!(home.look(Editor::Neovim), SetUp::Missing(Some(into)));
    }

    #[test]
    fn helix_needs_the_server_and_a_language() {
        let server = "language-server.tutti = { command = \"tutti\" }\n";
        let language =
            "[[language]]\nname = \"rust\"\nlanguage-servers = [\"a\", { name = \"tutti\" }]\n";
        let path = "config/helix/languages.toml";
        let fault = |text: &str| match Home::with(&[(path, text)]).look(Editor::Helix) {
            SetUp::Faulty { fault, .. } => fault,
            other => panic!("{text}: {other:?}"),
        };
        assert!(fault(server).contains("for no language"));
        assert!(fault(language).contains("how to start"));
        assert!(
            fault("\n\nlanguage = [\n").contains("line 3"),
            "{}",
            fault("\n\nlanguage = [\n")
        );
        let both = format!("{server}{language}");
        let home = Home::with(&[(path, &both)]);
        assert_eq!(home.look(Editor::Helix), SetUp::In(home.at(path)));
        // One part may stand in the project's own file.
        let home = Home::with(&[(path, server), ("project/.helix/languages.toml", language)]);
        assert!(matches!(home.look(Editor::Helix), SetUp::In(_)));
    }
}
