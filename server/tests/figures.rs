//! What the server measures is what the catalog names, and what the documentation, the alerts and the dashboard speak of.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tutti_server::metrics::catalog::{CATALOG, Kind, Labels};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("server/ lies in the repository")
        .to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn named() -> BTreeSet<String> {
    CATALOG
        .iter()
        .map(|figure| figure.name.to_owned())
        .collect()
}

/// All words in `text` that look like a figure's name.
fn words(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
    let words = text.split(|c| !is_part(c));
    words
        // The program's own name in the log's filter.
        .filter(|word| word.starts_with("tutti_") && *word != "tutti_server")
        .map(str::to_owned)
        .collect()
}

/// The figure that a series of a histogram belongs to.
fn of_series(word: &str) -> &str {
    let parts = ["_bucket", "_sum", "_count"].iter();
    let mut bare = parts.filter_map(|part| word.strip_suffix(part));
    match bare.next() {
        Some(bare) if named().contains(bare) => bare,
        _ => word,
    }
}

fn sources(dir: &Path, into: &mut String) {
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("catalog.rs") {
            *into += &fs::read_to_string(path).expect("UTF-8");
        }
    }
}

#[test]
fn the_catalog_has_what_is_measured() {
    let mut text = String::new();
    sources(&repository().join("server/src"), &mut text);
    let measured: BTreeSet<String> = ["counter!(", "gauge!(", "histogram!("]
        .iter()
        .flat_map(|kind| text.split(kind).skip(1))
        .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(measured, named());
    assert_eq!(named().len(), CATALOG.len(), "a name stands twice");
}

#[test]
fn the_catalog_has_the_values_of_labels() {
    let mut text = String::new();
    sources(&repository().join("server/src"), &mut text);
    for figure in CATALOG {
        let Labels::Of(label, values) = figure.labels else {
            continue;
        };
        let start = format!("\"{}\", \"{label}\" => \"", figure.name);
        let measured = text.split(&start).skip(1);
        let measured: BTreeSet<&str> = measured.filter_map(|rest| rest.split('"').next()).collect();
        let values: BTreeSet<&str> = values.iter().copied().collect();
        assert_eq!(measured, values, "{}", figure.name);
    }
}

#[test]
fn the_documentation_explains_each() {
    let text = read("docs/operations.md");
    for figure in CATALOG {
        let kind = match figure.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let row = format!("| `{}` | {kind} | {} |", figure.name, figure.meaning);
        assert!(text.contains(&row), "docs/operations.md lacks: {row}");
    }
}

#[test]
fn alerts_and_dashboard_ask_for_nothing_else() {
    for path in [
        "deploy/alerts.yml",
        "deploy/grafana/tutti.json",
        "docs/operations.md",
    ] {
        let text = read(path);
        for word in words(&text) {
            assert!(
                named().contains(of_series(&word)),
                "{path} speaks of {word}"
            );
        }
    }
}

#[test]
fn the_dashboard_is_one() {
    let dashboard: serde_json::Value =
        serde_json::from_str(&read("deploy/grafana/tutti.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels
        .iter()
        .map(|panel| panel["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids.len(), panels.len(), "two panels have one id");
    for panel in panels {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{}", panel["title"]);
        assert!(targets.iter().all(|target| target["expr"].is_string()));
    }
}

#[test]
fn the_dashboard_shows_what_the_alerts_speak_of() {
    let shown = words(&read("deploy/grafana/tutti.json"));
    let shown: BTreeSet<&str> = shown.iter().map(|word| of_series(word)).collect();
    let alerts = words(&read("deploy/alerts.yml"));
    assert!(!alerts.is_empty());
    for word in &alerts {
        assert!(shown.contains(of_series(word)), "no panel has {word}");
    }
}

/// A supervisor that kills a server before it has given up by itself takes its last word from it.
#[test]
fn supervisors_wait_longer_than_a_stop_takes() {
    let longest = tutti_server::app::LONGEST_STOP.as_secs();
    let after = |path: &str, key: &str| -> u64 {
        let text = read(path);
        let mut values = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix(key));
        let value = values.next().unwrap_or_else(|| panic!("{path}: {key}"));
        value.trim_end_matches('s').parse().expect("seconds")
    };
    let unit = "deploy/tutti-server.service";
    assert!(after(unit, "TimeoutStopSec=") >= longest + 5);
    assert!(after("deploy/compose.yaml", "stop_grace_period: ") >= longest + 5);
    assert_eq!(after(unit, "StartLimitIntervalSec="), 0);
    let said = format!("never more than {longest} seconds");
    assert!(read("docs/operations.md").contains(&said), "{said}");
    assert!(read(unit).contains(&format!("it takes {longest} seconds at most")));
}

#[test]
fn each_alert_is_explained() {
    let text = read("docs/operations.md");
    let alerts = read("deploy/alerts.yml");
    let names = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let names: Vec<&str> = names.collect();
    assert!(!names.is_empty());
    for name in names {
        assert!(
            text.contains(&format!("`{name}`")),
            "docs/operations.md does not explain {name}"
        );
    }
}
