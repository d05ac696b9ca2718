//! Programs on the path, and their versions.

use std::env;
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::finding::{Report, shown};

/// A program that takes longer to tell its version is not waited for.
const PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(10);

/// Looks for the program that editors start.
pub(super) fn tutti(report: &mut Report) {
    const CHECK: &str = "tutti";
    let this = env::current_exe().and_then(|path| path.canonicalize()).ok();
    let Some(found) = find("tutti") else {
        let dir = this.as_deref().and_then(Path::parent).map(shown);
        let dir = dir.unwrap_or_else(|| "its directory".to_owned());
        report.wrong(
            CHECK,
            "is not on your PATH, so editors cannot start it",
            format!("Put {dir} on the PATH that your editor sees."),
        );
        return;
    };
    let name = shown(&found);
    if this.is_some() && found.canonicalize().ok() != this {
        report.note(CHECK, format!("editors start {name}, not this program"));
    } else {
        let version = env!("CARGO_PKG_VERSION");
        report.good(CHECK, format!("{version}, {name}, on your PATH"));
    }
}

/// The first program of this name on the path.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let name = format!("{name}{}", env::consts::EXE_SUFFIX);
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|dir| dir.join(&name))
        .find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    let Ok(known) = file.metadata() else {
        return false;
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if known.permissions().mode() & 0o111 == 0 {
            return false;
        }
    }
    known.is_file()
}

/// The version that a program tells when it is called with `word`.
pub(super) fn version(program: &Path, word: &str) -> Option<String> {
    let mut child = Command::new(program)
        .arg(OsStr::new(word))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut stdout = child.stdout.take()?;
    let reader = thread::spawn(move || {
        let mut told = Vec::new();
        // As much as it says, up to what a version may be long.
        let _ = stdout.by_ref().take(4096).read_to_end(&mut told);
        told
    });
    let start = Instant::now();
    while !reader.is_finished() && start.elapsed() < PATIENCE {
        thread::sleep(POLL);
    }
    // It has told what it had to tell, or it hangs.
    let _ = child.kill();
    let _ = child.wait();
    if !reader.is_finished() {
        return None;
    }
    read_version(&String::from_utf8_lossy(&reader.join().ok()?))
}

/// The first word that begins like a version.
fn read_version(told: &str) -> Option<String> {
    let words = told.split_whitespace();
    let mut words = words.map(|word| word.strip_prefix('v').unwrap_or(word));
    let version = words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let end = version.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-' | '+'));
    Some(version[..end.unwrap_or(version.len())].to_owned())
}

/// Whether a version is at least this one.
pub(super) fn is_at_least(version: &str, major: u32, minor: u32) -> bool {
    let mut numbers = version.split('.').map_while(|number| number.parse().ok());
    let mut next = || numbers.next().unwrap_or(0_u32);
    (next(), next()) >= (major, minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_editors_say() {
        for (told, version) in [
            ("NVIM v0.10.4\nBuild type: Release\n", "0.10.4"),
            ("helix 25.01.1 (abcd)\n", "25.01.1"),
            ("GNU Emacs 30.1\nCopyright", "30.1"),
            ("1.139.1\nabc\nx64\n", "1.139.1"),
            ("Kakoune v2024.05.18\n", "2024.05.18"),
            ("Sublime Text Build 4200\n", "4200"),
            ("Zed 0.190.6 – /usr/bin/zed", "0.190.6"),
        ] {
            assert_eq!(read_version(told).as_deref(), Some(version));
        }
        assert_eq!(read_version("no version"), None);
        assert!(is_at_least("0.10.4", 0, 10));
        assert!(is_at_least("0.11.0-dev", 0, 10));
        assert!(!is_at_least("0.9.5", 0, 10));
        assert!(is_at_least("30.1", 29, 0));
        assert!(is_at_least("29", 29, 0));
    }
}
