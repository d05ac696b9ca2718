//! Starts here: `tutti share`, `join`, `status`, `leave`, `link` and `lsp`.

use std::io::IsTerminal;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    // Standard output belongs to results and to LSP.
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_env("TUTTI_LOG").unwrap_or_else(|_| EnvFilter::new("warn")),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    tutti::cli::run(std::env::args_os())
}
