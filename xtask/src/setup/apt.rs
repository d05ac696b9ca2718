//! The machine's own packages, by apt, only those that are missing.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{output, run, succeeds};

/// A package, and how to see that it is not needed.
struct Package {
    name: &'static str,
    there: fn() -> bool,
}

const PACKAGES: &[Package] = &[
    Package {
        name: "tmux",
        there: || succeeds(Command::new("tmux").arg("-V")),
    },
    Package {
        name: "chromium",
        there: chromium,
    },
    Package {
        name: "git",
        there: || succeeds(Command::new("git").arg("--version")),
    },
    Package {
        name: "rsync",
        there: || succeeds(Command::new("rsync").arg("--version")),
    },
    Package {
        name: "npm",
        there: || succeeds(Command::new("npm").arg("--version")),
    },
    Package {
        name: "python3-venv",
        there: || succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"])),
    },
    Package {
        name: "redis-server",
        there: || succeeds(Command::new("redis-server").arg("--version")),
    },
    Package {
        name: "sqlite3",
        there: || succeeds(Command::new("sqlite3").arg("--version")),
    },
    Package {
        name: "libfaketime",
        there: faketime,
    },
    Package {
        name: "debian-archive-keyring",
        there: || Path::new("/usr/share/keyrings/debian-archive-keyring.gpg").exists(),
    },
];

pub(super) fn install() -> Result<()> {
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|package| !(package.there)())
        .map(|package| package.name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("setup: apt installs {}", missing.join(", "));
    if !succeeds(Command::new("apt-get").arg("--version")) {
        bail!(
            "this machine has no apt; install {} by hand and run `cargo xtask setup` again",
            missing.join(", ")
        );
    }
    apt_get(&["-qq", "update"])?;
    let mut words = vec!["-qq", "-y", "--no-install-recommends", "install"];
    words.extend(&missing);
    apt_get(&words)?;
    if let Some(package) = PACKAGES.iter().find(|package| !(package.there)()) {
        bail!(
            "apt installed `{}`, but it does not run here; install it by hand (a browser may also be named in CHROMIUM) and run `cargo xtask setup` again",
            package.name
        );
    }
    Ok(())
}

/// A browser that runs. Ubuntu's `chromium` package only points to a snap, which is no use in a container.
fn chromium() -> bool {
    let named = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
    succeeds(Command::new(named).arg("--version"))
}

/// As `tests/src/tools.rs` looks for it.
fn faketime() -> bool {
    let kinds = std::fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten();
    let mut libraries = kinds.map(|kind| kind.path().join("faketime/libfaketimeMT.so.1"));
    libraries.any(|library| library.is_file())
}

fn apt_get(words: &[&str]) -> Result<()> {
    let root = output(Command::new("id").arg("-u"))?.trim() == "0";
    let mut command = if root {
        Command::new("apt-get")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.arg("--preserve-env=DEBIAN_FRONTEND").arg("apt-get");
        sudo
    };
    run(command.args(words).env("DEBIAN_FRONTEND", "noninteractive")).context(
        "apt could not install what the tests need; is there a network, and a right to install?",
    )
}
