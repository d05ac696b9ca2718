//! Where the database is, as the operator writes it.

use std::fmt;
use std::str::FromStr;

use mongodb::options::{ConnectionString, HostInfo};

/// The database that holds everything, unless the URI names another.
const DATABASE: &str = "tutti";

/// What no name of a database may hold, wherever the server runs, and how many bytes it may have
/// (MongoDB's manual, "MongoDB Limits and Thresholds").
const NOT_IN_A_NAME: &str = "/\\. \"$*<>:|?\0";
const MOST_BYTES_OF_A_NAME: usize = 63;

/// A URI such as `mongodb://HOST:27017/tutti`. It may hold a password, so it shows itself without.
#[derive(Clone, PartialEq, Eq)]
pub struct MongoUri {
    text: String,
    hosts: String,
    database: String,
}

impl MongoUri {
    pub(super) fn parsed(&self) -> Result<ConnectionString, mongodb::error::Error> {
        ConnectionString::parse(&self.text)
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        &self.database
    }
}

impl FromStr for MongoUri {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The parser's own words may quote the URI, and with it the password.
        const FORM: &str = "it must look like mongodb://HOST:27017/DATABASE, with special characters in names and passwords percent-encoded";
        if !text.starts_with("mongodb://") && !text.starts_with("mongodb+srv://") {
            return Err(FORM.to_owned());
        }
        let parsed = ConnectionString::parse(text).map_err(|_| FORM.to_owned())?;
        let database = parsed.default_database.unwrap_or(DATABASE.to_owned());
        let is_name = |name: &str| {
            name.len() <= MOST_BYTES_OF_A_NAME && !name.contains(|c| NOT_IN_A_NAME.contains(c))
        };
        if !is_name(&database) {
            return Err(format!(
                "{database:?} cannot be a database's name: it may have {MOST_BYTES_OF_A_NAME} bytes, \
                 without dots, spaces, slashes and the like"
            ));
        }
        let hosts = match &parsed.host_info {
            HostInfo::HostIdentifiers(hosts) => hosts
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
            HostInfo::DnsRecord(name) => name.clone(),
            _ => "the given host".to_owned(),
        };
        Ok(Self {
            text: text.to_owned(),
            hosts,
            database,
        })
    }
}

/// Hosts and database: what may stand in a log.
impl fmt::Display for MongoUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MongoDB at {}, database {}", self.hosts, self.database)
    }
}

impl fmt::Debug for MongoUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MongoUri({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_named_or_ours() {
        let database = |text: &str| text.parse::<MongoUri>().unwrap().database().to_owned();
        assert_eq!(database("mongodb://localhost"), "tutti");
        assert_eq!(database("mongodb://a:1,b:2/notes?replicaSet=rs"), "notes");
        assert_eq!(database("mongodb+srv://cluster.example.org/"), "tutti");
    }

    #[test]
    fn what_is_no_uri_is_refused_without_showing_it() {
        for bad in [
            "",
            "localhost",
            "postgres://u:secret@h/",
            "mongodb://",
            "mongodb://u:secret@h@i/",
            "mongodb://u:sec/ret@h",
            "mongodb://u:secret@h:port/",
            "mongodb://u:secret@h/?w=secret&readConcernLevel",
        ] {
            let refusal = bad.parse::<MongoUri>().expect_err(bad);
            assert!(!refusal.contains("secret"), "{refusal}");
        }
    }

    #[test]
    fn a_database_needs_a_name_that_it_can_have() {
        for bad in ["a.b", "a%3Fb", &"n".repeat(64)] {
            let text = format!("mongodb://u:secret@h/{bad}");
            let refusal = text.parse::<MongoUri>().expect_err(bad);
            assert!(refusal.contains("cannot be a database's name"), "{refusal}");
            assert!(!refusal.contains("secret"), "{refusal}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let uri: MongoUri = "mongodb://ada:secret@h:1/d".parse().unwrap();
        let shown = format!("{uri} {uri:?}");
        assert!(
            shown.contains("h:1") && !shown.contains("secret"),
            "{shown}"
        );
    }
}
