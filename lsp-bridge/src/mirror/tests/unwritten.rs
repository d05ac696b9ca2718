//! What the disk does not take.

use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

use super::*;
use crate::mirror::unwritten::note;
use crate::mirror::{Survey, Waiting, survey};

/// Where nothing may be written, for an administrator as little as for anybody.
fn forbidden(here: &Here, directory: &str) {
    let mut capabilities = capabilities(None).unwrap();
    capabilities.effective.remove(CapabilitySet::DAC_OVERRIDE);
    set_capabilities(None, capabilities).unwrap();
    allow(here, directory, 0o555);
}

fn allow(here: &Here, directory: &str, mode: u32) {
    let path = here.path(directory);
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Does what is due until nothing is left unwritten.
fn tend(here: &mut Here, hub: &mut Hub) {
    let started = Instant::now();
    while here.mirror.stopped_by_disk().is_some() || !here.unwritten().is_empty() {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{:?}",
            here.told
        );
        let effects = here.mirror.tend();
        here.carry_out(effects, hub);
        here.look_again(hub);
        std::thread::sleep(Duration::from_millis(20));
    }
    let effects = here.mirror.tend();
    here.carry_out(effects, hub);
}

impl Here {
    fn unwritten(&self) -> Vec<String> {
        let Survey { unwritten, .. } = survey(self.directory.path()).unwrap();
        unwritten.into_iter().map(|(path, _)| path).collect()
    }
}

#[test]
fn a_file_that_cannot_be_written_is_named_told_of_once_and_comes_by_itself() {
    let mut hub = Hub::new();
    hub.put("d1", "src/a", "one\n");
    let mut ada = Here::new();
    ada.sync(&mut hub);
    forbidden(&ada, "src");
    hub.put("d2", "src/b", "two\n");
    hub.put("d3", "c", "three\n");
    hub.edit("src/a", "one more\n");
    for _ in 0..2 {
        ada.sync(&mut hub);
        let effects = ada.mirror.tend();
        ada.carry_out(effects, &mut hub);
    }
    assert_eq!(ada.unwritten(), ["src/a", "src/b"]);
    assert!(
        matches!(
            ada.told.as_slice(),
            [Notice::Unwritten { path, more: 1, waiting: Waiting::File, .. }] if path == "src/a"
        ),
        "{:?}",
        ada.told
    );
    assert_eq!(ada.files().into_keys().collect::<Vec<_>>(), ["c", "src/a"]);
    assert_eq!(ada.read("src/a"), "one\n");
    allow(&ada, "src", 0o755);
    tend(&mut ada, &mut hub);
    assert_eq!(ada.told.last(), Some(&Notice::WrittenAgain));
    assert_eq!(ada.read("src/a"), "one more\n");
    assert_eq!(ada.read("src/b"), "two\n");
}

#[test]
fn what_would_be_kept_of_a_deleted_file_and_cannot_be_is_not_deleted() {
    let mut hub = Hub::new();
    hub.put("d1", "a", "one\n");
    let mut ada = Here::new();
    ada.sync(&mut hub);
    // What only this file holds has to be kept first, and there is no place for it.
    let recovered = ada.path(".tutti/recovered");
    fs::write(&recovered, "").unwrap();
    fs::write(ada.path("a"), "one\nmine\n").unwrap();
    hub.remove("a");
    ada.sync(&mut hub);
    let effects = ada.mirror.tend();
    ada.carry_out(effects, &mut hub);
    assert_eq!(fs::read_to_string(ada.path("a")).unwrap(), "one\nmine\n");
    assert_eq!(ada.unwritten(), ["a"]);
    assert_eq!(hub.entries().len(), 0);
    fs::remove_file(&recovered).unwrap();
    tend(&mut ada, &mut hub);
    assert!(!ada.path("a").exists());
    let kept = fs::read_to_string(recovered.join("a")).unwrap();
    assert_eq!(kept, "one\nmine\n");
    assert_eq!(hub.entries().len(), 0);
}

#[test]
fn the_note_holds_as_much_as_it_has_room_for() {
    let mut hub = Hub::new();
    hub.put("first", "first", "text\n");
    let mut ada = Here::new();
    ada.sync(&mut hub);
    forbidden(&ada, "");
    for n in 0..300 {
        hub.put(
            &format!("d{n}"),
            &format!("{n}{}", "a".repeat(200)),
            "text\n",
        );
    }
    ada.sync(&mut hub);
    ada.mirror.tend();
    let noted = note::read(&ada.mirror.private);
    assert!(noted.more > 0);
    assert_eq!(noted.unwritten.len() + noted.more, 300);
    let length = fs::metadata(ada.path(".tutti/unwritten")).unwrap().len();
    assert_eq!(length, 16 * 1024);
    allow(&ada, "", 0o755);
}
