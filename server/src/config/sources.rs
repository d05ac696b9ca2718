//! Reads the options from the file, the environment and the command line, in that order.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};

use super::Settings;

/// Why no configuration came out; the program ends with code 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file given by `--config` cannot be read.
    #[error("cannot read the configuration file {}: {reason}", path.display())]
    Unreadable {
        /// The file as it was named.
        path: PathBuf,
        /// What the system or the TOML parser says, in one line.
        reason: String,
    },
    /// The file holds keys that no option is called.
    #[error("unknown {} in {}: {}; `tutti-server --help` lists the options", if keys.len() == 1 { "key" } else { "keys" }, path.display(), keys.join(", "))]
    UnknownKeys {
        /// The file as it was named.
        path: PathBuf,
        /// All of the unknown keys, in the file's order.
        keys: Vec<String>,
    },
    /// A value is not one that its option takes.
    #[error("{place}: {reason}")]
    BadValue {
        /// Where it stands: a file's key, an environment variable, or the command line.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// `--help` or `--version`: not a failure, the text belongs on standard output.
    #[error("{0}")]
    Information(String),
}

/// The configuration that the command line `args` (the program's name first), the environment
/// `env` and the file that either of them names give together.
pub fn from_sources(
    args: impl IntoIterator<Item = OsString>,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Settings, ConfigError> {
    let args: Vec<OsString> = args.into_iter().collect();
    let names = option_names();
    // An empty variable is an unset one: compose files write `TUTTI_REDIS=${REDIS:-}`.
    let env: Vec<(String, &String, OsString)> = names
        .iter()
        .map(|name| (variable(name), name))
        .filter_map(|(variable, name)| Some((variable.clone(), name, env(&variable)?)))
        .filter(|(_, _, value)| !value.is_empty())
        .collect();

    // The file's name is itself an option, so the two sources that may hold it are read twice.
    let mut settings = Settings::default();
    apply_env_and_flags(&mut settings, &env, &args)?;
    if let Some(path) = settings.config.clone() {
        settings = Settings::default();
        apply_file(&mut settings, &path, &names)?;
        apply_env_and_flags(&mut settings, &env, &args)?;
    }
    if settings.max_unsaved_mb < settings.max_message_mb {
        return Err(ConfigError::BadValue {
            place: "--max-unsaved-mb".to_owned(),
            reason: format!(
                "{} is less than --max-message-mb, {}: a message of that size could never be saved",
                settings.max_unsaved_mb, settings.max_message_mb
            ),
        });
    }
    Ok(settings)
}

fn apply_env_and_flags(
    settings: &mut Settings,
    env: &[(String, &String, OsString)],
    args: &[OsString],
) -> Result<(), ConfigError> {
    for (variable, name, value) in env {
        apply_one(settings, name, value.clone()).map_err(|reason| ConfigError::BadValue {
            place: format!("environment variable {variable}"),
            reason,
        })?;
    }
    settings
        .try_update_from(args)
        .map_err(|err| clap_failure(&err))
}

/// What the command line's parser says, in our form.
pub(crate) fn clap_failure(err: &clap::Error) -> ConfigError {
    match err.use_stderr() {
        true => ConfigError::BadValue {
            place: "command line".to_owned(),
            reason: match err.kind() {
                ErrorKind::UnknownArgument => {
                    format!("{}; `--help` lists the options", sentence(err))
                }
                _ => sentence(err),
            },
        },
        false => ConfigError::Information(err.to_string()),
    }
}

fn apply_file(settings: &mut Settings, path: &Path, names: &[String]) -> Result<(), ConfigError> {
    let unreadable = |reason: String| ConfigError::Unreadable {
        path: path.to_owned(),
        reason,
    };
    let text = std::fs::read_to_string(path).map_err(|err| unreadable(err.to_string()))?;
    let table: toml::Table = text.parse().map_err(|err: toml::de::Error| {
        let line = err
            .span()
            .map_or(1, |span| text[..span.start].lines().count().max(1));
        unreadable(format!("line {line}: {}", err.message()))
    })?;
    // A file cannot name another file.
    let known = |key: &String| key != "config" && names.contains(key);
    let unknown: Vec<String> = table.keys().filter(|key| !known(key)).cloned().collect();
    if !unknown.is_empty() {
        return Err(ConfigError::UnknownKeys {
            path: path.to_owned(),
            keys: unknown,
        });
    }
    for (key, value) in table {
        let bad = |reason| ConfigError::BadValue {
            place: format!("{}: {key}", path.display()),
            reason,
        };
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(flag) => flag.to_string(),
            _ => return Err(bad("the value must be a text or a number".to_owned())),
        };
        apply_one(settings, &key, value.into()).map_err(bad)?;
    }
    Ok(())
}

/// Sets the option `name` as if `--name=value` stood on the command line.
fn apply_one(settings: &mut Settings, name: &str, value: OsString) -> Result<(), String> {
    let mut flag = OsString::from(format!("--{name}="));
    flag.push(value);
    settings
        .try_update_from([OsString::from("tutti-server"), flag])
        .map_err(|err| sentence(&err))
}

/// The first sentence of clap's message: the hints below it are for people who typed a command.
fn sentence(err: &clap::Error) -> String {
    let text = err.to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let first = without_secret(first, err);
    first.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A URI of MongoDB or Redis may hold a password, which belongs in no log.
fn without_secret(text: &str, err: &clap::Error) -> String {
    match (
        err.get(ContextKind::InvalidArg),
        err.get(ContextKind::InvalidValue),
    ) {
        (Some(ContextValue::String(option)), Some(ContextValue::String(value)))
            if option.starts_with("--mongodb") || option.starts_with("--redis") =>
        {
            text.replace(&format!("'{value}'"), "")
        }
        _ => text.to_owned(),
    }
}

fn option_names() -> Vec<String> {
    let command = Settings::command();
    command
        .get_arguments()
        .filter_map(|arg| arg.get_long())
        .map(str::to_owned)
        .collect()
}

fn variable(name: &str) -> String {
    format!("TUTTI_{}", name.replace('-', "_").to_uppercase())
}
