//! The command line.

mod alone;
mod bulk;
mod carry;
mod doctor;
mod identity;
mod join;
mod leave;
mod link;
mod log;
mod output;
mod restore;
mod share;
mod status;
mod token;
mod transfer;
mod workspace;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tutti_protocol::link::LinkError;
use url::Url;

pub use identity::shown_name;
pub use output::sentence;

/// Where a server is looked for when none is named.
const DEFAULT_SERVER: &str = "http://127.0.0.1:4400";

/// The exit code for words that make no sense; clap has the same.
const WRONG_USAGE: u8 = 2;

/// Edit the same code together, each in the editor that they already use.
#[derive(Debug, Parser)]
#[command(name = "tutti", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Share a directory: upload what the ignore files leave, and print the links
    Share(share::Args),
    /// Join a shared project in a new or empty directory
    Join(join::Args),
    /// Say which project this is, whether its server answers, and what is not shared
    Status,
    /// Look at everything that must be in order, and say what to do about the rest
    Doctor(doctor::Args),
    /// Make this directory an ordinary one again; its files stay
    Leave(leave::Args),
    /// Make a further link to this project
    Link(link::Args),
    /// List the versions of this project
    Log(log::Args),
    /// Make the project, or a part of it, what it was in a version
    Restore(restore::Args),
    /// Speak LSP on standard input and output; editors call this
    Lsp {
        /// Many editors add it; there is no other way
        #[arg(long, hide = true)]
        stdio: bool,
    },
}

/// Runs the program with these arguments. Exit codes: 0 done, 1 failed with one sentence on
/// standard error, 2 wrong usage.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors, and go to standard output.
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    match dispatch(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<output::NotRead>() => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error);
            match error.is::<LinkError>() {
                true => ExitCode::from(WRONG_USAGE),
                false => ExitCode::FAILURE,
            }
        }
    }
}

fn dispatch(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Share(args) => share::run(args),
        Command::Join(args) => join::run(args),
        Command::Status => status::run(),
        Command::Doctor(args) => doctor::run(args),
        Command::Leave(args) => leave::run(args),
        Command::Link(args) => link::run(args),
        Command::Log(args) => log::run(args),
        Command::Restore(args) => restore::run(args),
        Command::Lsp { .. } => runtime()?.block_on(crate::lsp::run()),
    }
}

/// One thread is enough for one socket, and keeps a bridge small.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

/// The directory that a command is about when none is named.
fn current_dir() -> anyhow::Result<PathBuf> {
    use anyhow::Context;
    std::env::current_dir().context("the current directory cannot be read")
}

/// Reads a server's address.
fn server_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "an address looks like http://127.0.0.1:4400")?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.query().is_none()
        && url.fragment().is_none();
    if plain {
        Ok(url)
    } else {
        Err("an address looks like http://127.0.0.1:4400".to_owned())
    }
}
