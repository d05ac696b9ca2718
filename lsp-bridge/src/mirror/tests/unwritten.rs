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

#[test]
fn a_list_of_files_that_cannot_be_stored_is_stored_by_itself() {
    let mut hub = Hub::new();
    hub.put("d1", "a", "one\n");
    let mut ada = Here::new();
    ada.sync(&mut hub);
    let index = DocumentId::index();
    ada.mirror
        .persist(&index, &hub.index.state(), false)
        .unwrap();
    hub.rename("a", "b");
    forbidden(&ada, ".tutti/state");
    ada.mirror
        .persist(&index, &hub.index.state(), false)
        .unwrap();
    let effects = ada.mirror.tend();
    ada.carry_out(effects, &mut hub);
    assert_eq!(ada.unwritten(), ["the list of files"]);
    is_told_of_known(&ada);
    allow(&ada, ".tutti/state", 0o755);
    tend(&mut ada, &mut hub);
    let ada = ada.restart(|_| {});
    let stored = ada.mirror.stored(&index).unwrap();
    assert_eq!(stored.map(|stored| stored.state), Some(hub.index.state()));
}

/// It is told of once, and not as something that was typed.
fn is_told_of_known(here: &Here) {
    let waiting = Waiting::Known;
    let told = here.told.as_slice();
    assert!(
        matches!(told, [Notice::Unwritten { waiting: one, .. }] if *one == waiting),
        "{told:?}"
    );
}

#[test]
fn what_becomes_of_a_text_and_cannot_be_stored_is_not_called_typed() {
    let mut hub = Hub::new();
    hub.put("d1", "a", "one\n");
    let mut ada = Here::with(&[("image", &[0xff; 100])]);
    ada.sync(&mut hub);
    forbidden(&ada, ".tutti/state");
    hub.rename("a", "b");
    ada.sync(&mut hub);
    hub.rename("image", "photo");
    ada.sync(&mut hub);
    let effects = ada.mirror.tend();
    ada.carry_out(effects, &mut hub);
    assert_eq!(ada.unwritten(), ["b", "photo"]);
    is_told_of_known(&ada);
    allow(&ada, ".tutti/state", 0o755);
    tend(&mut ada, &mut hub);
    let mut ada = ada.restart(|_| {});
    ada.sync(&mut hub);
    assert_eq!(ada.files().into_keys().collect::<Vec<_>>(), ["b", "photo"]);
    assert_eq!(hub.entries().len(), 2);
}

/// Somebody may have emptied them on purpose.
fn is_told_of_whole(here: &mut Here, hub: &mut Hub, path: &str, more: usize) {
    let whole = Notice::WholeAgain {
        path: path.to_owned(),
        more,
    };
    let started = Instant::now();
    while !here.told.contains(&whole) {
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{:?}",
            here.told
        );
        let effects = here.mirror.tend();
        here.carry_out(effects, hub);
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_was_emptied_after_the_disk_was_full_is_told_of_when_it_comes_back() {
    let mut hub = Hub::new();
    hub.put("d1", "a", "one\n");
    hub.put("d2", "src/b", "two\n");
    let mut ada = Here::new();
    ada.sync(&mut hub);
    forbidden(&ada, "src");
    ada.mirror.tree.is_full = true;
    ada.write("src/b", "");
    ada.sync(&mut hub);
    allow(&ada, "src", 0o755);
    let mut ada = ada.restart(|path| fs::write(path.join("a"), "").unwrap());
    ada.sync(&mut hub);
    assert_eq!(
        (ada.read("a"), ada.read("src/b")),
        ("one\n".into(), "two\n".into())
    );
    is_told_of_whole(&mut ada, &mut hub, "a", 1);
    ada.write("a", "");
    ada.sync(&mut hub);
    ada.look_again(&mut hub);
    assert_eq!(hub.text("a"), "");
}

#[test]
fn what_a_program_had_changed_in_a_file_that_is_cut_off_is_kept() {
    let text = "a line of the text\n".repeat(100);
    let mut hub = Hub::new();
    hub.put("d1", "a", &text);
    let mut ada = Here::new();
    ada.sync(&mut hub);
    ada.mirror.tree.is_full = true;
    let changed = &text.replacen("a line", "A line", 1)[..1024];
    ada.write("a", changed);
    ada.sync(&mut hub);
    ada.look_again(&mut hub);
    assert_eq!(ada.read("a"), text);
    let kept = ada.recovered().into_iter().collect::<Vec<_>>();
    assert_eq!(kept, [("a".to_owned(), changed.to_owned())]);
}

#[test]
fn an_open_file_that_is_cut_off_holds_what_it_held_as_soon_as_there_is_room() {
    let mut hub = Hub::new();
    let id = hub.put("d1", "src/a", "one\n");
    let mut ada = Here::new();
    ada.sync(&mut hub);
    let effects = ada
        .mirror
        .opened(&id, Some(&"src/a".parse().unwrap()))
        .unwrap();
    ada.carry_out(effects, &mut hub);
    hub.edit("src/a", "one\nmore\n");
    forbidden(&ada, "src");
    ada.mirror.tree.is_full = true;
    ada.write("src/a", "");
    ada.sync(&mut hub);
    let effects = ada.mirror.tend();
    ada.carry_out(effects, &mut hub);
    assert_eq!(
        (ada.read("src/a"), ada.unwritten()),
        (String::new(), vec!["src/a".into()])
    );
    ada.mirror.tree.is_full = false;
    allow(&ada, "src", 0o755);
    tend(&mut ada, &mut hub);
    // What others have typed since is the editor's to write.
    assert_eq!(ada.read("src/a"), "one\n");
    is_told_of_whole(&mut ada, &mut hub, "src/a", 0);
    assert_eq!(hub.text("src/a"), "one\nmore\n");
}

#[test]
fn a_file_that_is_cut_off_on_a_full_disk_is_no_deletion_for_the_next_bridge_either() {
    let text = "a line of the text\n".repeat(100);
    let mut hub = Hub::new();
    hub.put("d1", "src/a", &text);
    hub.put("d2", "src/b", &text);
    hub.put("d3", "c", &text);
    let mut ada = Here::new();
    ada.sync(&mut hub);
    forbidden(&ada, "src");
    ada.mirror.tree.is_full = true;
    ada.write("src/a", "");
    ada.sync(&mut hub);
    assert_eq!(hub.text("src/a"), text);
    // Nobody has looked at the second one before it was killed.
    let mut ada = ada.restart(|path| {
        fs::write(path.join("src/b"), "").unwrap();
        fs::write(path.join("c"), "c\n").unwrap();
    });
    ada.sync(&mut hub);
    ada.sync(&mut hub);
    assert_eq!(hub.text("src/a"), text);
    assert_eq!(hub.text("src/b"), text);
    assert_eq!(hub.text("c"), "c\n");
    let effects = ada.mirror.tend();
    ada.carry_out(effects, &mut hub);
    allow(&ada, "src", 0o755);
    tend(&mut ada, &mut hub);
    assert_eq!(ada.read("src/a"), text);
    assert_eq!(ada.read("src/b"), text);
    is_told_of_whole(&mut ada, &mut hub, "src/a", 1);
    // What is taken out of them from now on is meant so.
    for file in ["src/a", "src/b"] {
        ada.write(file, "");
        ada.sync(&mut hub);
        ada.look_again(&mut hub);
        assert_eq!(hub.text(file), "");
    }
    let mut ada = ada.restart(|path| fs::write(path.join("c"), "").unwrap());
    ada.sync(&mut hub);
    assert_eq!(hub.text("c"), "");
}
