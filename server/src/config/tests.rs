use std::ffi::OsString;
use std::path::PathBuf;

use super::*;

/// Reads a configuration from command line arguments and `NAME=VALUE` variables.
fn read(args: &[&str], env: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let args = ["tutti-server"].iter().chain(args).map(OsString::from);
    let env = |name: &str| {
        env.iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.into())
    };
    from_sources(args, env)
}

/// The message that a configuration is refused with.
fn refusal(args: &[&str], env: &[(&str, &str)]) -> String {
    let message = read(args, env).unwrap_err().to_string();
    assert!(!message.contains('\n'), "more than one line: {message}");
    message
}

fn file(text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tutti.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

#[test]
fn defaults() {
    let settings = read(&[], &[]).unwrap();
    assert_eq!(settings, Settings::default());
    assert_eq!(settings.listen.to_string(), "127.0.0.1:4400");
    assert_eq!(
        settings.limits().cache_bytes,
        crate::limits::Limits::default().cache_bytes
    );
}

#[test]
fn help_names_the_defaults_in_use() {
    let Err(ConfigError::Information(help)) = read(&["--help"], &[]) else {
        panic!("no help")
    };
    let settings = Settings::default();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for (flag, default) in [
        ("--listen", settings.listen.to_string()),
        ("--cache-mb", settings.cache_mb.to_string()),
        ("--max-document-mb", settings.max_document_mb.to_string()),
        ("--max-message-mb", settings.max_message_mb.to_string()),
        ("--max-unsaved-mb", settings.max_unsaved_mb.to_string()),
        (
            "--max-rooms-per-project",
            settings.max_rooms_per_project.to_string(),
        ),
        (
            "--max-connections-per-address",
            settings.max_connections_per_address.to_string(),
        ),
        ("--log-filter", settings.log_filter),
    ] {
        let (_, of_flag) = help.split_once(&format!("{flag} <")).unwrap();
        let of_flag = of_flag.split(" --").next().unwrap();
        assert!(
            of_flag.contains(&format!("[default: {default}]")),
            "{flag}: {of_flag}"
        );
    }
}

#[test]
fn flags_go_before_the_environment_and_that_before_the_file() {
    let (_dir, path) =
        file("cache-mb = 1\nmax-message-mb = 1\nmax-document-mb = 1\nlog = \"json\"\n");
    let env = [
        ("TUTTI_CONFIG", &*path),
        ("TUTTI_CACHE_MB", "2"),
        ("TUTTI_MAX_MESSAGE_MB", "2"),
    ];
    let settings = read(&["--cache-mb", "3"], &env).unwrap();
    assert_eq!(
        (
            settings.cache_mb,
            settings.max_message_mb,
            settings.max_document_mb
        ),
        (3, 2, 1)
    );
    assert_eq!(settings.log, LogFormat::Json);
    assert_eq!(settings.limits().message_bytes, 2 * 1024 * 1024);
}

#[test]
fn a_flag_names_the_file_before_the_environment_does() {
    let (_one, from_flag) = file("cache-mb = 1\n");
    let (_two, from_env) = file("cache-mb = 2\n");
    let settings = read(&["--config", &from_flag], &[("TUTTI_CONFIG", &from_env)]).unwrap();
    assert_eq!(settings.cache_mb, 1);
}

#[test]
fn every_option_can_stand_everywhere() {
    let (_dir, path) = file(
        "listen = \"[::1]:1\"\nmongodb = \"mongodb://h/d\"\ndata = \"/srv/tutti\"\ncache-mb = 0\nmax-document-mb = 2\nmax-message-mb = 3\nmax-unsaved-mb = 6\n\
         max-rooms-per-project = 4\nmax-connections-per-address = 5\npublic-url = \"https://tutti.example.org\"\n\
         client-address-header = \"X-Forwarded-For\"\nlog = \"json\"\nlog-filter = \"debug\"\n",
    );
    let from_file = read(&["--config", &path], &[]).unwrap();
    let env = [
        ("TUTTI_LISTEN", "[::1]:1"),
        ("TUTTI_DATA", "/srv/tutti"),
        ("TUTTI_MONGODB", "mongodb://h/d"),
        ("TUTTI_CACHE_MB", "0"),
        ("TUTTI_MAX_DOCUMENT_MB", "2"),
        ("TUTTI_MAX_MESSAGE_MB", "3"),
        ("TUTTI_MAX_UNSAVED_MB", "6"),
        ("TUTTI_MAX_ROOMS_PER_PROJECT", "4"),
        ("TUTTI_MAX_CONNECTIONS_PER_ADDRESS", "5"),
        ("TUTTI_PUBLIC_URL", "https://tutti.example.org"),
        ("TUTTI_CLIENT_ADDRESS_HEADER", "X-Forwarded-For"),
        ("TUTTI_LOG", "json"),
        ("TUTTI_LOG_FILTER", "debug"),
    ];
    let from_env = read(&[], &env).unwrap();
    assert_eq!(
        from_env,
        Settings {
            config: None,
            ..from_file
        }
    );
    assert_eq!(from_env.data_dir(), Some(PathBuf::from("/srv/tutti")));
    assert_eq!(from_env.client_address_header.unwrap(), "x-forwarded-for");
}

#[test]
fn an_empty_variable_is_an_unset_one() {
    assert_eq!(
        read(&[], &[("TUTTI_REDIS", ""), ("TUTTI_CACHE_MB", "")]).unwrap(),
        Settings::default()
    );
}

#[test]
fn unknown_keys_are_all_named() {
    let (_dir, path) = file("cache-mb = 1\ncache_mb = 1\nport = 1\nconfig = \"other.toml\"\n");
    let message = refusal(&["--config", &path], &[]);
    for key in ["cache_mb", "port", "config"] {
        assert!(message.contains(key), "{message}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let nowhere = refusal(&["--listen", "nowhere"], &[]);
    assert!(nowhere.contains("'nowhere' for '--listen"), "{nowhere}");
    assert!(nowhere.contains("such as 127.0.0.1:4400"), "{nowhere}");
    assert!(refusal(&["--wat"], &[]).contains("--wat"));
    assert!(refusal(&["--max-unsaved-mb", "8"], &[]).contains("less than --max-message-mb, 16"));
    assert!(refusal(&["stray"], &[]).contains("stray"));
    assert!(refusal(&["--max-message-mb", "0"], &[]).contains("1 or more"));
    assert!(refusal(&[], &[("TUTTI_CACHE_MB", "lots")]).contains("TUTTI_CACHE_MB"));
    assert!(refusal(&[], &[("TUTTI_LOG", "xml")]).contains("TUTTI_LOG"));

    let (_dir, path) = file("max-message-mb = -1\n");
    assert!(refusal(&["--config", &path], &[]).contains("tutti.toml: max-message-mb"));
    let (_dir, path) = file("log = [\"json\"]\n");
    assert!(refusal(&["--config", &path], &[]).contains("tutti.toml: log"));
    let (_dir, path) = file("cache-mb = 1\nlisten = \n");
    assert!(refusal(&["--config", &path], &[]).contains("line 2"));
    assert!(refusal(&["--config", "/nowhere/tutti.toml"], &[]).contains("/nowhere/tutti.toml"));
}

#[test]
fn public_urls() {
    let url =
        |text| read(&["--public-url", text], &[]).map(|settings| settings.public_url.unwrap());
    assert_eq!(
        url("https://tutti.example.org/").unwrap().as_url().as_str(),
        "https://tutti.example.org/"
    );
    assert_eq!(
        url("http://10.0.0.1:8080").unwrap().as_url().as_str(),
        "http://10.0.0.1:8080/"
    );
    for bad in [
        "tutti.example.org",
        "ftp://a",
        "https://a/b",
        "https://a/?q",
        "https://a/#f",
        "https://u:p@a/",
    ] {
        assert!(url(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_databases_uri_is_checked_and_its_password_not_shown() {
    let settings = read(&["--mongodb", "mongodb://ada:secret@h/notes"], &[]).unwrap();
    assert!(!format!("{settings:?}").contains("secret"));
    assert_eq!(settings.mongodb.unwrap().database(), "notes");
    let (_dir, path) = file("mongodb = \"mongodb://ada:secret@\"\n");
    for refused in [
        refusal(&["--mongodb", "mongodb://ada:secret@"], &[]),
        refusal(&["--mongodb=ada:secret@h"], &[]),
        refusal(&[], &[("TUTTI_MONGODB", "ada:secret@h")]),
        refusal(&["--config", &path], &[]),
    ] {
        assert!(
            refused.contains("mongodb://HOST:27017/DATABASE"),
            "{refused}"
        );
        assert!(!refused.contains("secret"), "{refused}");
    }
}

#[test]
fn redis_is_named_by_a_url() {
    for (args, env) in [
        (&["--redis", "redis://:secret@localhost:7000"][..], &[][..]),
        (&[], &[("TUTTI_REDIS", "redis://:secret@localhost:7000")]),
    ] {
        let url = read(args, env).unwrap().redis.unwrap();
        assert_eq!(url.to_string(), "localhost:7000");
    }
    let reason = refusal(&["--redis", "localhost"], &[]);
    assert!(
        reason.contains("--redis") && reason.contains("redis://"),
        "{reason}"
    );
    let reason = refusal(&[], &[("TUTTI_REDIS", "http://:secret@localhost")]);
    assert!(reason.contains("TUTTI_REDIS"), "{reason}");
    assert!(!reason.contains("secret"), "{reason}");
}
