//! `tutti log`.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context;
use tutti_protocol::rest::{Version, VersionReason};

use super::{current_dir, output};
use crate::api::Api;
use crate::credentials::Credentials;
use crate::project::Project;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many versions to list, the newest first
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Print them as one line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let project = Project::find(&current_dir()?)?;
    let access = Credentials::of_user()?.project(&project)?;
    let access = access.context("no access from here: run `tutti join LINK` in this directory")?;
    let api = Api::new(&project.server, &access.token);
    let versions = api.versions(&project.id, args.limit as usize)?;
    if args.json {
        return output::line(serde_json::to_string(&versions)?);
    }
    if versions.is_empty() {
        output::note("There is no version yet: one is made when nobody has edited for a while.");
    }
    versions
        .iter()
        .try_for_each(|version| output::line(shown(version)))
}

/// A version in one line.
fn shown(version: &Version) -> String {
    let made_at = Duration::from_millis(u64::try_from(version.made_at).unwrap_or(0));
    let made_at = httpdate::fmt_http_date(UNIX_EPOCH + made_at);
    let why = match (version.reason, &version.name) {
        (_, Some(name)) => format!("\"{name}\""),
        (VersionReason::Named, None) => "made by request".to_owned(),
        (VersionReason::Quiet, None) => "after edits".to_owned(),
        (VersionReason::BeforeRestore, None) => "before a restore".to_owned(),
    };
    let files = output::files(version.files as usize);
    let people = match version.people.is_empty() {
        true => String::new(),
        false => format!("  {}", version.people.join(", ")),
    };
    format!("{:>4}  {made_at}  {why}  {files}{people}", version.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_in_one_line() {
        let mut version = Version {
            version: 12,
            name: None,
            made_at: 1_790_000_000_000,
            reason: VersionReason::Quiet,
            people: vec!["Ada".to_owned(), "Bob".to_owned()],
            files: 1,
        };
        let line = "  12  Mon, 21 Sep 2026 14:13:20 GMT  after edits  1 file  Ada, Bob";
        assert_eq!(shown(&version), line);
        version.name = Some("release".to_owned());
        version.people.clear();
        let line = "  12  Mon, 21 Sep 2026 14:13:20 GMT  \"release\"  1 file";
        assert_eq!(shown(&version), line);
    }
}
