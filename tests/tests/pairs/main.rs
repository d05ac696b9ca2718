//! Two people in two editors, or one of them in the browser, type into one paragraph for half a minute, with nothing
//! in their editors but README's set-up lines. One of them also pastes, undoes, saves and deletes; each pair does so
//! once in peace and once with that person's way to the server cut for five seconds in the middle.

mod oracle;
mod session;

use anyhow::Result;
use session::{Network, Partner, session};
use tutti_tests::editor::Kind;
use tutti_tests::seat::Program;

const NEOVIM: Program = Program::Terminal(Kind::Neovim);
const HELIX: Program = Program::Terminal(Kind::Helix);
const EMACS: Program = Program::Terminal(Kind::Emacs);
const VSCODE: Program = Program::VsCode;

/// A pair of editors. In peace the first does more than type, over the cut way the second.
macro_rules! pair {
    ($name:ident, $first:expr, $second:expr) => {
        mod $name {
            use super::*;

            #[test]
            fn in_peace() -> Result<()> {
                session($first, Partner::Editor($second), Network::Whole)
            }

            #[test]
            fn over_a_cut_way() -> Result<()> {
                session($second, Partner::Editor($first), Network::Cut)
            }
        }
    };
}

/// An editor whose person does more than type, and the browser.
macro_rules! with_browser {
    ($name:ident, $editor:expr) => {
        mod $name {
            use super::*;

            #[test]
            fn in_peace() -> Result<()> {
                session($editor, Partner::Browser, Network::Whole)
            }

            #[test]
            fn over_a_cut_way() -> Result<()> {
                session($editor, Partner::Browser, Network::Cut)
            }
        }
    };
}

pair!(neovim_and_helix, NEOVIM, HELIX);
pair!(neovim_and_emacs, NEOVIM, EMACS);
pair!(neovim_and_vscode, NEOVIM, VSCODE);
pair!(helix_and_emacs, HELIX, EMACS);
pair!(helix_and_vscode, HELIX, VSCODE);
pair!(emacs_and_vscode, EMACS, VSCODE);
pair!(two_neovims, NEOVIM, NEOVIM);
pair!(two_helixes, HELIX, HELIX);
pair!(two_emacses, EMACS, EMACS);
pair!(two_vscodes, VSCODE, VSCODE);
with_browser!(neovim_and_browser, NEOVIM);
with_browser!(helix_and_browser, HELIX);
with_browser!(emacs_and_browser, EMACS);
with_browser!(vscode_and_browser, VSCODE);
