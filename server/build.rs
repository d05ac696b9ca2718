//! Builds the web client into `OUT_DIR/web`, from where `src/web.rs` takes it into the binary.
//!
//! `TUTTI_WEB_DIST=DIR` takes a client that is built already instead, where there is no Node.js.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use serde_json::Value;

const NODE_NEEDED: &str = "Node.js 20.19 or newer";

fn main() {
    if let Err(sentence) = build() {
        println!("cargo::error={sentence}");
    }
}

fn build() -> Result<(), String> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets no OUT_DIR")?).join("web");
    println!("cargo::rerun-if-env-changed=TUTTI_WEB_DIST");
    match env::var_os("TUTTI_WEB_DIST").filter(|dir| !dir.is_empty()) {
        Some(dir) => take_ready(Path::new(&dir), &out),
        None => build_with_vite(Path::new("web"), &out),
    }
}

fn take_ready(dist: &Path, out: &Path) -> Result<(), String> {
    println!("cargo::rerun-if-changed={}", dist.display());
    if !dist.join("index.html").is_file() {
        return Err(format!(
            "TUTTI_WEB_DIST={} holds no index.html: name the folder of a built web client",
            dist.display()
        ));
    }
    let copied = remove_dir(out).and_then(|()| copy_dir(dist, out));
    copied.map_err(|err| format!("cannot copy the web client from {}: {err}", dist.display()))
}

fn build_with_vite(web: &Path, out: &Path) -> Result<(), String> {
    for source in sources(web).map_err(|err| format!("cannot read {}: {err}", web.display()))? {
        println!("cargo::rerun-if-changed={}", source.display());
    }
    check_node()?;
    if !is_installed(web) {
        npm(web, out, &["ci", "--no-audit", "--no-fund"])?;
    }
    npm(web, out, &["run", "build"])?;
    if !out.join("index.html").is_file() {
        return Err(format!(
            "the web client's build wrote no index.html to {}",
            out.display()
        ));
    }
    Ok(())
}

/// What the client is built from: all but what tools write there. Listed one by one, because
/// cargo would otherwise look through all of node_modules each time.
fn sources(web: &Path) -> io::Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(web)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        let written_by_tools = matches!(
            &*name,
            "node_modules" | "dist" | "coverage" | "test-results"
        );
        if !written_by_tools && !name.starts_with('.') {
            sources.push(web.join(&*name));
        }
    }
    Ok(sources)
}

fn check_node() -> Result<(), String> {
    let advice = format!(
        "the web client is built with {NODE_NEEDED} and npm: install them from https://nodejs.org, or set \
         TUTTI_WEB_DIST to the folder of a built client"
    );
    let output = Command::new("node").arg("--version").output();
    let output = output.map_err(|err| format!("{advice} (node does not start: {err})"))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let mut numbers = version
        .trim_start_matches('v')
        .split('.')
        .map_while(|part| part.parse::<u32>().ok());
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    // As Vite 8 asks for.
    if !matches!((major, minor), (20, 19..) | (22, 12..) | (23.., _)) {
        return Err(format!("{advice} (found {version})"));
    }
    Ok(())
}

/// Whether node_modules holds what the lock file asks for. npm keeps a list of what it installed;
/// packages for other platforms are not in it.
fn is_installed(web: &Path) -> bool {
    let wanted = packages(&web.join("package-lock.json"));
    let installed = packages(&web.join("node_modules/.package-lock.json"));
    let (Some(wanted), Some(installed)) = (wanted, installed) else {
        return false;
    };
    let same = |name: &str, package: &Value| {
        installed.get(name).is_some_and(|found| {
            found["version"] == package["version"] && found["integrity"] == package["integrity"]
        })
    };
    let needed = |package: &Value| package["optional"] != Value::Bool(true);
    installed.keys().all(|name| wanted.contains_key(name))
        && wanted.iter().all(|(name, package)| {
            name.is_empty()
                || same(name, package)
                || (!needed(package) && !installed.contains_key(name))
        })
}

fn packages(lock_file: &Path) -> Option<HashMap<String, Value>> {
    let lock: Value = serde_json::from_slice(&fs::read(lock_file).ok()?).ok()?;
    let packages = lock["packages"].as_object()?.clone();
    Some(packages.into_iter().collect())
}

fn npm(web: &Path, out: &Path, args: &[&str]) -> Result<(), String> {
    let program = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let what = format!("`npm {}` in server/web", args.join(" "));
    let output = Command::new(program)
        .args(args)
        .current_dir(web)
        .env("TUTTI_WEB_OUT", out)
        .output();
    let output = output
        .map_err(|err| format!("{what} does not start: {err}; install {NODE_NEEDED} with npm"))?;
    if output.status.success() {
        return Ok(());
    }
    for line in [&output.stdout[..], &output.stderr[..]]
        .concat()
        .split(|byte| *byte == b'\n')
    {
        println!("cargo::warning={}", String::from_utf8_lossy(line));
    }
    Err(format!("{what} failed, see above"))
}

fn remove_dir(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => Err(err),
        _ => Ok(()),
    }
}

fn copy_dir(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
