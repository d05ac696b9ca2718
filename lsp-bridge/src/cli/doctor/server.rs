//! The server: whether it is there, what it is, whether its clock agrees and whether it lets us in.

use std::time::{Duration, SystemTime};

use tutti_protocol::role::Role;
use url::Url;

use super::finding::Report;
use crate::api::{Api, ApiError, Probe};
use crate::project::Project;

const CHECK: &str = "Server";
/// Two clocks that differ by less agree: people cannot tell, and links and versions neither.
const CLOCKS_AGREE: Duration = Duration::from_secs(60);

/// Looks at the server that is needed; whether it is there.
pub(super) fn look_at(server: &Url, report: &mut Report) -> bool {
    match Api::new(server, "").probe() {
        Ok(probe) => {
            answers(server, &probe, report);
            true
        }
        Err(error) => {
            let (says, advice) = absent(server, &error);
            report.wrong(CHECK, says, advice);
            false
        }
    }
}

/// Looks for a server that is not needed here.
pub(super) fn look_for(server: &Url, report: &mut Report) {
    match Api::new(server, "").probe() {
        Ok(probe) => answers(server, &probe, report),
        Err(_) => {
            let address = address(server);
            report.note(
                CHECK,
                format!("none at {address}; you need one only to host projects here"),
            );
        }
    }
}

fn absent(server: &Url, error: &ApiError) -> (String, &'static str) {
    let address = address(server);
    match error {
        ApiError::NoServer { reason, .. } => (
            format!("{address} does not answer ({reason})"),
            "See that `tutti-server` runs there, and whether you can reach it; you can go on \
             meanwhile, your edits are kept here.",
        ),
        error => (
            error.to_string(),
            "Ask whoever hosts the project for its address, and join again with a new link.",
        ),
    }
}

fn answers(server: &Url, probe: &Probe, report: &mut Report) {
    let address = address(server);
    let took_ms = probe.took.as_millis().max(1);
    let Probe { version, .. } = probe;
    let ours = env!("CARGO_PKG_VERSION");
    let says = format!("{address} answers in {took_ms} ms, version {version}");
    if !fits(version, ours) {
        report.wrong(
            CHECK,
            format!("{says}, and this is {ours}"),
            "Bring both to one version.",
        );
    } else if !probe.not_ready.is_empty() {
        report.wrong(
            CHECK,
            format!(
                "{address} cannot keep what people write: {}",
                probe.not_ready
            ),
            "Tell whoever hosts it; nothing is lost meanwhile, your edits are kept here.",
        );
    } else {
        report.good(CHECK, says);
    }
    clock(probe.clock, report);
}

/// Before 1.0 each minor version may change what crosses the wire.
fn fits(one: &str, other: &str) -> bool {
    let kind = |version: &str| {
        let mut numbers = version.split('.').map(str::to_owned);
        let major = numbers.next();
        let minor = numbers.next().filter(|_| major.as_deref() == Some("0"));
        (major, minor)
    };
    kind(one) == kind(other)
}

fn clock(theirs: Option<(SystemTime, SystemTime)>, report: &mut Report) {
    const CHECK: &str = "Clock";
    let Some((theirs, ours)) = theirs else {
        report.note(CHECK, "the server does not tell its time");
        return;
    };
    let (differ, side) = match theirs.duration_since(ours) {
        Ok(ahead) => (ahead, "behind"),
        Err(error) => (error.duration(), "ahead of"),
    };
    if differ <= CLOCKS_AGREE {
        report.good(CHECK, "agrees with the server's");
        return;
    }
    report.wrong(
        CHECK,
        format!("{} {side} the server's", span(differ)),
        "Let both be set over the network: links seem to end too early or too late, versions bear \
         wrong times, and https may refuse the server.",
    );
}

fn span(time: Duration) -> String {
    let s = time.as_secs();
    let (count, unit) = match s {
        0..120 => (s, "second"),
        120..7_200 => (s / 60, "minute"),
        7_200..172_800 => (s / 3_600, "hour"),
        _ => (s / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// Whether the token opens the project, and for what.
pub(super) fn let_in(project: &Project, token: &str, report: &mut Report) {
    const CHECK: &str = "Access";
    match Api::new(&project.server, token).project(&project.id) {
        Ok(found) => {
            let may = match found.role {
                Role::Editor => "edit",
                Role::Viewer => "view, not edit,",
            };
            report.good(CHECK, format!("you may {may} “{}”", found.name));
        }
        Err(error) => {
            let advice = match error {
                ApiError::Unauthorized(_) | ApiError::Forbidden(_) | ApiError::NotFound(_) => {
                    "Ask someone in the project for a new link, and run `tutti join LINK` here."
                }
                _ => "Try again; if it stays so, tell whoever hosts the server.",
            };
            report.wrong(CHECK, format!("the server says: {error}"), advice);
        }
    }
}

fn address(server: &Url) -> &str {
    server.as_str().trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_fit_as_far_as_the_wire_is_the_same() {
        for (one, other, fit) in [
            ("0.1.0", "0.1.7", true),
            ("0.1.0", "0.2.0", false),
            ("1.0.0", "1.9.3", true),
            ("1.0.0", "2.0.0", false),
            ("0.1.0", "1.1.0", false),
            ("", "0.1.0", false),
        ] {
            assert_eq!(fits(one, other), fit, "{one} {other}");
        }
    }

    #[test]
    fn spans_are_told_as_people_tell_them() {
        for (s, told) in [
            (61, "61 seconds"),
            (300, "5 minutes"),
            (7_200, "2 hours"),
            (400_000, "4 days"),
        ] {
            assert_eq!(span(Duration::from_secs(s)), told);
        }
    }
}
