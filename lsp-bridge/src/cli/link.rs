//! `tutti link`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use tutti_protocol::rest::NewLink;
use tutti_protocol::role::Role;
use url::Url;

use super::{current_dir, output, server_url};
use crate::api::Api;
use crate::credentials::Credentials;
use crate::project::Project;

/// From 1970 to where an HTTP date ends, the year 9999.
const LAST_DATE: Duration = Duration::from_secs(253_402_300_800);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What the link lets its holder do
    #[arg(long, value_parser = role)]
    role: Role,
    /// For how long it is valid, such as 30m, 12h, 7d or 2w [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    expires: Option<u64>,
    /// Where the server is now, if it has moved; `tutti join --merge LINK` moves this directory
    #[arg(long, value_name = "URL", value_parser = server_url)]
    server: Option<Url>,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let project = Project::find(&current_dir()?)?;
    let access = Credentials::of_user()?.project(&project)?;
    let access = access.context("no access from here: run `tutti join LINK` in this directory")?;
    let wanted = NewLink {
        role: args.role,
        expires_in_s: args.expires,
        max_uses: None,
    };
    let server = args.server.as_ref().unwrap_or(&project.server);
    let created = Api::new(server, &access.token).create_link(&project.id, &wanted)?;
    output::line(created.link)?;
    output::note(terms(args.role, args.expires, SystemTime::now()));
    Ok(())
}

/// What a link made at `now` lets its holder do, and for how long.
fn terms(role: Role, expires: Option<u64>, now: SystemTime) -> String {
    let may = match role {
        Role::Editor => "To edit",
        Role::Viewer => "To view",
    };
    let Some(seconds) = expires else {
        return format!("{may}, valid for ever");
    };
    let end = now.checked_add(Duration::from_secs(seconds));
    match end.filter(|end| *end < UNIX_EPOCH + LAST_DATE) {
        Some(end) => format!("{may}, valid until {}", httpdate::fmt_http_date(end)),
        None => format!("{may}, valid until after the year 9999"),
    }
}

fn role(text: &str) -> Result<Role, String> {
    [Role::Editor, Role::Viewer]
        .into_iter()
        .find(|role| role.as_str() == text)
        .ok_or_else(|| "a role is editor or viewer".to_owned())
}

/// A number and its unit, in seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || "write a number and m, h, d or w, such as 7d".to_owned();
    let (at, unit) = text.char_indices().next_back().ok_or_else(wrong)?;
    let unit = match unit {
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        'w' => 7 * 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let count: u64 = text[..at].parse().map_err(|_| wrong())?;
    count
        .checked_mul(unit)
        .filter(|&seconds| seconds > 0)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_link_is_good_for() {
        let week = Some(604_800);
        assert_eq!(
            terms(Role::Editor, week, UNIX_EPOCH),
            "To edit, valid until Thu, 08 Jan 1970 00:00:00 GMT"
        );
        assert_eq!(
            terms(Role::Viewer, None, UNIX_EPOCH),
            "To view, valid for ever"
        );
        for ages in [253_402_300_800, u64::MAX] {
            let said = terms(Role::Viewer, Some(ages), UNIX_EPOCH);
            assert_eq!(said, "To view, valid until after the year 9999");
        }
    }

    #[test]
    fn times() {
        assert_eq!(seconds("30m"), Ok(1800));
        assert_eq!(seconds("7d"), Ok(604_800));
        for bad in [
            "",
            "d",
            "7",
            "0d",
            "-1d",
            "7y",
            "99999999999999999999d",
            "1é",
        ] {
            assert!(seconds(bad).is_err(), "{bad:?}");
        }
    }
}
