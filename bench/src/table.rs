//! The figures of one run as a table, with ratios.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// One measured thing.
#[derive(Debug, Clone)]
struct Row {
    group: String,
    name: String,
    nanoseconds: f64,
}

/// Rows in groups, in the order in which they were measured. Each is compared with the first of
/// its group.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
}

impl Table {
    /// Reads what criterion has written about these pairs of group and name.
    ///
    /// # Errors
    /// When a figure is not there.
    pub fn read(directory: &Path, measured: &[(String, String)]) -> Result<Self> {
        let mut table = Self::default();
        for (group, name) in measured {
            let path = directory.join(group).join(name).join("new/estimates.json");
            let read = || {
                let estimates: Value = serde_json::from_slice(&fs::read(&path)?)?;
                estimates["median"]["point_estimate"]
                    .as_f64()
                    .context("no median")
            };
            let nanoseconds = read().with_context(|| format!("no figure in {}", path.display()))?;
            table.push(group, name, nanoseconds);
        }
        Ok(table)
    }

    /// Adds to a group what each of so many edits takes of its first figure.
    pub fn per_edit(&mut self, group: &str, edits: usize) {
        if let Some(whole) = self.rows.iter().find(|row| row.group == group) {
            let each = whole.nanoseconds / edits as f64;
            self.push(
                &format!("{group}, each of its {edits} edits"),
                &whole.name.clone(),
                each,
            );
        }
    }

    fn push(&mut self, group: &str, name: &str, nanoseconds: f64) {
        self.rows.push(Row {
            group: group.to_owned(),
            name: name.to_owned(),
            nanoseconds,
        });
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first: Option<&Row> = None;
        for row in &self.rows {
            let time = time(row.nanoseconds);
            let base = first.filter(|first| first.group == row.group);
            if base.is_none() {
                writeln!(f, "{}", row.group)?;
            }
            write!(f, "  {:<36} {time:>10}", row.name)?;
            match base {
                Some(base) => writeln!(f, "  × {:.3}", row.nanoseconds / base.nanoseconds)?,
                None => {
                    first = Some(row);
                    writeln!(f)?;
                }
            }
        }
        Ok(())
    }
}

fn time(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds {
        ns if ns < 1e3 => (ns, "ns"),
        ns if ns < 1e6 => (ns / 1e3, "µs"),
        ns if ns < 1e9 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    format!("{value:.2} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_to_the_first_of_a_group() {
        let directory = tempfile::tempdir().unwrap();
        let measured = [("a", "x", 1500), ("a", "y", 3000), ("b", "x", 2_000_000)];
        for (group, name, median) in measured {
            let path = directory.path().join(group).join(name).join("new");
            fs::create_dir_all(&path).unwrap();
            let json = format!(r#"{{"median": {{"point_estimate": {median}.0}}}}"#);
            fs::write(path.join("estimates.json"), json).unwrap();
        }
        let mut pairs = measured.map(|(group, name, _)| (group.to_owned(), name.to_owned()));
        let mut table = Table::read(directory.path(), &pairs).unwrap();
        table.per_edit("b", 4);
        let table = table.to_string();
        let words: Vec<&str> = table.split_whitespace().collect();
        let expected =
            "a x 1.50 µs y 3.00 µs × 2.000 b x 2.00 ms b, each of its 4 edits x 500.00 µs";
        assert_eq!(words.join(" "), expected);
        pairs[2].1 = "z".into();
        assert!(Table::read(directory.path(), &pairs).is_err());
    }
}
