//! `tutti-server`: reads its configuration, serves until it is told to stop; or migrates.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tutti_server::app::{self, Running};
use tutti_server::config::{self, ConfigError, LogFormat, Settings};
use tutti_server::migrate;

/// Done.
const DONE: u8 = 0;
/// Failed while starting or running.
const FAILED: u8 = 1;
/// Started in a way that it cannot be started in.
const WRONG_USAGE: u8 = 2;

/// How long work that cannot be broken off may hold up the end.
const LAST_WORK: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == "migrate")
    {
        return migrate();
    }
    let settings = match config::from_sources(std::env::args_os(), |name| std::env::var_os(name)) {
        Ok(settings) => settings,
        Err(ConfigError::Information(text)) => {
            // Whoever asked for help and closed the pipe has seen enough.
            let _ = write!(std::io::stdout(), "{text}");
            return ExitCode::from(DONE);
        }
        Err(err) => return complain(WRONG_USAGE, &err),
    };
    if let Err(err) = start_logging(&settings) {
        return complain(WRONG_USAGE, &err);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(err) => return complain(FAILED, &err),
    };
    let ended = runtime.block_on(run(settings));
    // What still waits for a disk that hangs was promised to nobody.
    runtime.shutdown_timeout(LAST_WORK);
    match ended {
        Ok(()) => ExitCode::from(DONE),
        Err(err) => complain(FAILED, &err),
    }
}

/// `tutti-server migrate`: what it does goes to standard output.
fn migrate() -> ExitCode {
    let args = std::env::args_os().skip(1);
    let (from, to) = match migrate::arguments(args, |name| std::env::var_os(name)) {
        Ok(places) => places,
        Err(ConfigError::Information(text)) => {
            let _ = write!(std::io::stdout(), "{text}");
            return ExitCode::from(DONE);
        }
        Err(err) => return complain(WRONG_USAGE, &err),
    };
    if let Err(err) = start_logging(&Settings::default()) {
        return complain(FAILED, &err);
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(err) => return complain(FAILED, &err),
    };
    // Whoever closed the pipe does not want to read on; the copy goes on all the same.
    let say = |line: &str| {
        let _ = writeln!(std::io::stdout(), "{line}");
    };
    match runtime.block_on(migrate::migrate(&from, &to, say)) {
        Ok(report) => {
            say(&format!(
                "copied {report} from {from} to {to}; every document's hash agrees"
            ));
            say(&report.admin_token);
            ExitCode::from(DONE)
        }
        Err(err) => complain(FAILED, &err),
    }
}

async fn run(settings: Settings) -> anyhow::Result<()> {
    // Listened for from the start, so that no signal finds nobody listening.
    let mut signals = Signals::new()?;
    let server = tokio::select! {
        started = app::start(settings) => started?,
        // A start may wait for its database.
        () = signals.next() => return Ok(()),
    };
    announce(&server)?;
    signals.next().await;
    tracing::info!("stopping; a second signal stops at once");
    tokio::select! {
        flushed = server.shutdown() => Ok(flushed?),
        () = signals.next() => Err(anyhow::anyhow!("stopped at once, as the second signal asked")),
    }
}

/// Scripts wait for the line on standard output; what is for people goes to standard error.
fn announce(server: &Running) -> std::io::Result<()> {
    if server.is_first_start() {
        writeln!(
            std::io::stderr(),
            "first start: the token to make projects with lies in {}",
            server.admin_token_path().display()
        )?;
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on http://{}", server.addr())?;
    out.flush()
}

fn start_logging(settings: &Settings) -> Result<(), String> {
    let filter = EnvFilter::builder()
        .parse(&settings.log_filter)
        .map_err(|err| format!("--log-filter: {err}"))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match settings.log {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}

fn complain(code: u8, err: &dyn std::fmt::Display) -> ExitCode {
    // Nobody is left to tell if standard error is closed.
    let _ = writeln!(std::io::stderr(), "tutti-server: {err}");
    ExitCode::from(code)
}

/// The signals that ask to stop.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The signals that ask to stop.
#[cfg(windows)]
struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    close: tokio::signal::windows::CtrlClose,
}

#[cfg(windows)]
impl Signals {
    fn new() -> std::io::Result<Signals> {
        use tokio::signal::windows::{ctrl_c, ctrl_close};
        Ok(Signals {
            interrupt: ctrl_c()?,
            close: ctrl_close()?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.close.recv() => {}
        }
    }
}
