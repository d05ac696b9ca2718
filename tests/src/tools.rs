//! Where the programs lie: ours, and those that `cargo xtask setup` installed.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The repository's root.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the repository")
}

/// The directory of the programs under test: `TUTTI_BIN_DIR`, else where cargo built them beside this test.
///
/// # Errors
/// When they are not built.
pub fn binaries() -> Result<PathBuf> {
    let dir = match env::var_os("TUTTI_BIN_DIR") {
        Some(dir) => PathBuf::from(dir),
        // target/debug/deps/test-1234 → target/debug
        None => env::current_exe()?
            .ancestors()
            .nth(2)
            .context("a test lies two directories deep")?
            .to_owned(),
    };
    for name in ["tutti", "tutti-server"] {
        ensure!(
            dir.join(name).exists(),
            "{} is not built; run `cargo build --workspace --bins`",
            dir.join(name).display()
        );
    }
    Ok(dir)
}

/// Neovim, Helix and Emacs at the tested versions: the directory of their programs.
///
/// # Errors
/// When they are not installed.
pub fn editors() -> Result<PathBuf> {
    let program = installed("editors/bin/nvim")?;
    Ok(program
        .parent()
        .context("it lies in a directory")?
        .to_owned())
}

/// VS Code's server at the tested version.
///
/// # Errors
/// When it is not installed.
pub fn code_server() -> Result<PathBuf> {
    installed("vscode/bin/code-server")
}

/// A program in `cargo xtask setup`'s directory (`xtask/src/tools.rs`).
fn installed(program: &str) -> Result<PathBuf> {
    let tools = match env::var_os("TUTTI_TEST_TOOLS") {
        Some(dir) => PathBuf::from(dir),
        None => match env::var_os("XDG_CACHE_HOME") {
            Some(cache) => PathBuf::from(cache),
            None => env::home_dir().context("HOME is not set")?.join(".cache"),
        }
        .join("tutti-test-tools"),
    };
    let program = tools.join(program);
    ensure!(
        program.exists(),
        "{} is missing; run `cargo xtask setup`",
        program.display()
    );
    Ok(program)
}

/// The browser: `CHROMIUM`, else `chromium` on the path.
///
/// # Errors
/// When there is none.
pub fn chromium() -> Result<PathBuf> {
    let named = PathBuf::from(env::var_os("CHROMIUM").unwrap_or_else(|| "chromium".into()));
    let outer = env::var_os("PATH").unwrap_or_default();
    // An absolute path stays as it is when it is joined to another.
    env::split_paths(&outer)
        .map(|dir| dir.join(&named))
        .find(|file| file.is_file())
        .with_context(|| format!("no browser `{}`; run `cargo xtask setup`", named.display()))
}

/// The library that tells a program a wrong time.
///
/// # Errors
/// When it is not installed.
pub fn faketime() -> Result<PathBuf> {
    // In a directory of the machine's kind, such as `x86_64-linux-gnu`.
    let kinds = std::fs::read_dir("/usr/lib")?.flatten();
    let library = |kind: PathBuf| kind.join("faketime/libfaketimeMT.so.1");
    let mut found = kinds.map(|kind| library(kind.path()));
    found
        .find(|library| library.is_file())
        .context("libfaketime is missing; run `cargo xtask setup`")
}

/// A command whose user is nobody's: its home and all its configuration are in `home`, and `tutti` is on its path.
///
/// # Errors
/// When our programs are not built.
pub fn command(program: impl AsRef<std::ffi::OsStr>, home: &Path) -> Result<Command> {
    let mut command = Command::new(program);
    command.envs(environment(home)?);
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("TUTTI_") || name.starts_with("TMUX") {
            command.env_remove(&*name);
        }
    }
    Ok(command)
}

/// The environment of [`command`].
///
/// # Errors
/// When our programs are not built.
pub fn environment(home: &Path) -> Result<Vec<(String, String)>> {
    let outer = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(std::iter::once(binaries()?).chain(env::split_paths(&outer)))?;
    let under = |name: &str| home.join(name).display().to_string();
    Ok(vec![
        ("PATH".into(), path.to_string_lossy().into_owned()),
        ("HOME".into(), home.display().to_string()),
        ("XDG_CONFIG_HOME".into(), under("config")),
        ("XDG_CACHE_HOME".into(), under("cache")),
        ("XDG_STATE_HOME".into(), under("state")),
        ("XDG_DATA_HOME".into(), under("data")),
        ("XDG_RUNTIME_DIR".into(), under("runtime")),
        ("LC_ALL".into(), "C.UTF-8".into()),
    ])
}
