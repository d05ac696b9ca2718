//! What other programs do to `.tutti` is told apart.

use std::fs;

use super::super::Standing;
use super::*;

const NAMED: &str = "server = \"http://127.0.0.1:1\"\nproject = \"a\"\n";

#[test]
fn what_becomes_of_it_is_seen() {
    let here = Here::with(&[(".tutti/project.toml", NAMED.as_bytes())]);
    let (private, aside) = (here.path(".tutti"), here.path("aside"));
    let file = private.join("project.toml");
    assert_eq!(here.mirror.standing(), Standing::There);
    fs::rename(&file, &aside).unwrap();
    assert_eq!(here.mirror.standing(), Standing::Unnamed);
    fs::write(&file, NAMED.replace("\"a\"", "\"b\"")).unwrap();
    assert_eq!(here.mirror.standing(), Standing::Unnamed);
    fs::rename(&aside, &file).unwrap();
    assert_eq!(here.mirror.standing(), Standing::There);
    fs::rename(&private, &aside).unwrap();
    assert_eq!(here.mirror.standing(), Standing::Gone);
    here.write(".tutti/project.toml", NAMED);
    assert_eq!(here.mirror.standing(), Standing::Replaced);
    let anew = Mirror::open(here.directory.path(), "Ada").unwrap();
    assert_eq!(anew.standing(), Standing::There);
    assert_eq!(here.mirror.standing(), Standing::Replaced);
    drop(anew);
    fs::remove_dir_all(&private).unwrap();
    fs::rename(&aside, &private).unwrap();
    assert_eq!(here.mirror.standing(), Standing::There);
    fs::remove_file(private.join("lock")).unwrap();
    here.write(".tutti/lock", "");
    assert_eq!(here.mirror.standing(), Standing::Replaced);
}
