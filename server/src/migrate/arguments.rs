//! The command line of `tutti-server migrate`.

use std::ffi::OsString;

use clap::Parser;

use super::Place;
use crate::config::{ConfigError, clap_failure};

/// The variable that a server reads its database's URI from.
const VARIABLE: &str = "TUTTI_MONGODB";

/// Copy everything from one store into another that is empty, and compare
#[derive(Debug, Parser)]
#[command(
    name = "tutti-server migrate",
    // Else it is called by the first word, which is `migrate`.
    bin_name = "tutti-server migrate",
    after_help = "Stop every server that uses either side first. The source is only read. A copy that was \
                  interrupted goes on when it is run again. `mongodb:` alone stands for the URI in \
                  TUTTI_MONGODB, so that no password shows in the list of processes."
)]
struct Arguments {
    /// Where everything is: sqlite:DIR or mongodb:URI
    #[arg(long, value_name = "PLACE")]
    from: String,

    /// Where a copy of it shall be: sqlite:DIR or mongodb:URI
    #[arg(long, value_name = "PLACE")]
    to: String,
}

/// The source and the target that the command line `args` (the program's name first) gives.
///
/// # Errors
/// They are not well-formed; or help was asked for.
pub fn arguments(
    args: impl IntoIterator<Item = OsString>,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<(Place, Place), ConfigError> {
    let arguments = Arguments::try_parse_from(args).map_err(|err| clap_failure(&err))?;
    let place = |option: &str, text: &str| {
        let from_env = || env(VARIABLE)?.into_string().ok();
        let place = match text {
            "mongodb:" => from_env()
                .ok_or(format!("{VARIABLE} is not set"))
                .and_then(|uri| uri.parse().map(Place::Mongo)),
            _ => text.parse(),
        };
        place.map_err(|reason| ConfigError::BadValue {
            place: option.to_owned(),
            reason,
        })
    };
    Ok((
        place("--from", &arguments.from)?,
        place("--to", &arguments.to)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(from: &str, to: &str) -> Result<(Place, Place), ConfigError> {
        let args = ["migrate", "--from", from, "--to", to].map(OsString::from);
        arguments(args, |_| Some("mongodb://ada:secret@h/env".into()))
    }

    #[test]
    fn places_are_read_in_all_their_forms() {
        let (from, to) = read("sqlite:/srv/tutti", "mongodb://h/d").unwrap();
        assert_eq!(from, Place::Sqlite("/srv/tutti".into()));
        assert_eq!(to.to_string(), "MongoDB at h:27017, database d");
        let (long, env) = read("mongodb:mongodb://h/d", "mongodb:").unwrap();
        assert_eq!(long, to);
        assert_eq!(env.to_string(), "MongoDB at h:27017, database env");
    }

    #[test]
    fn it_is_called_as_one_calls_it() {
        let said = |words: &[&str]| {
            let words = words.iter().map(OsString::from);
            arguments(words, |_| None).unwrap_err().to_string()
        };
        let help = said(&["migrate", "--help"]);
        assert!(
            help.contains("Usage: tutti-server migrate --from"),
            "{help}"
        );
        let wrong = said(&["migrate", "--nonsense"]);
        assert!(!wrong.contains("Usage: migrate"), "{wrong}");
    }

    #[test]
    fn what_is_wrong_is_said_in_one_sentence_without_passwords() {
        for (from, to) in [
            ("sqlite:", "mongodb://h/"),
            ("/srv/tutti", "mongodb://h/"),
            ("sqlite:/srv", "mongodb://ada:secret@"),
            ("sqlite:/srv", "mongodb:ada:secret@h"),
        ] {
            let refusal = read(from, to).unwrap_err().to_string();
            assert!(
                !refusal.contains('\n') && !refusal.contains("secret"),
                "{refusal}"
            );
        }
    }
}
