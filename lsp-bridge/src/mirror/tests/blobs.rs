//! Files that are no texts.

use std::fs::File;
use std::time::SystemTime;

use tutti_protocol::index::Blob;

use super::*;
use crate::mirror::{Cargo, Carried, Holds};

impl Here {
    /// Carries a content between the directory and the project, as the session's threads do.
    pub(super) fn carry(&mut self, effect: Effect, hub: &mut Hub) {
        let (cargo, is_sent) = match effect {
            Effect::Send(cargo) => (cargo, true),
            Effect::Fetch(cargo) => (cargo, false),
            Effect::Offer(all) => {
                for cargo in all {
                    self.send(&cargo, hub);
                }
                return;
            }
            other => panic!("{other:?} carries nothing"),
        };
        let carried = match (hub.is_away, is_sent) {
            (true, _) => Carried::Later(cargo.hash),
            (false, true) => self.send(&cargo, hub),
            (false, false) => self.fetch(&cargo, hub),
        };
        let effects = self.mirror.carried(carried).unwrap();
        self.carry_out(effects, hub);
    }

    fn send(&self, cargo: &Cargo, hub: &mut Hub) -> Carried {
        let bytes = fs::read(self.path(cargo.path.as_str())).unwrap_or_default();
        if BlobHash(crate::mirror::state::hash(&bytes)) != cargo.hash {
            return Carried::Changed(cargo.hash);
        }
        hub.contents.insert(cargo.hash, bytes);
        Carried::Sent(cargo.hash)
    }

    fn fetch(&self, cargo: &Cargo, hub: &Hub) -> Carried {
        let Some(bytes) = hub.contents.get(&cargo.hash) else {
            return Carried::Never(cargo.hash, "the server lacks it".to_owned());
        };
        assert_eq!(bytes.len() as u64, cargo.bytes);
        let holds = Holds::open(self.directory.path()).unwrap();
        let mut incoming = holds.incoming(cargo.hash).unwrap();
        let here = incoming.bytes as usize;
        incoming.add(&bytes[here..]).unwrap();
        assert!(incoming.finish().unwrap());
        Carried::Fetched(cargo.hash)
    }

    /// Writes a file that nobody has written to for long.
    fn write_old(&self, path: &str, bytes: &[u8]) {
        self.write(path, bytes);
        let file = File::options().write(true).open(self.path(path)).unwrap();
        let old = SystemTime::now() - Duration::from_secs(60);
        file.set_modified(old).unwrap();
    }

    fn bytes(&self, path: &str) -> Vec<u8> {
        fs::read(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// What lies in `.tutti/recovered`.
    fn kept(&self) -> Vec<Vec<u8>> {
        let entries = fs::read_dir(self.path(".tutti/recovered"));
        let entries = entries.into_iter().flatten();
        entries
            .map(|entry| fs::read(entry.unwrap().path()).unwrap())
            .collect()
    }

    fn staged(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path(".tutti/blobs")).unwrap();
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect()
    }
}

impl Hub {
    fn blob(&self, path: &str) -> Blob {
        let entries = self.entries();
        entries[&self.id(path)].blob.clone().unwrap()
    }
}

/// Data that is no text.
fn data(of: u8) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0".to_vec();
    bytes.extend(vec![of; 5_000]);
    bytes
}

/// Two people, each with a directory, and the project.
fn two(files: &[(&str, &[u8])]) -> (Here, Here, Hub) {
    let mut hub = Hub::new();
    let mut ada = Here::new();
    for (path, bytes) in files {
        ada.write_old(path, bytes);
    }
    let mut bob = Here::new();
    ada.sync(&mut hub);
    bob.sync(&mut hub);
    assert_eq!(ada.files(), bob.files());
    (ada, bob, hub)
}

fn both(ada: &mut Here, bob: &mut Here, hub: &mut Hub) {
    for _ in 0..2 {
        ada.sync(hub);
        bob.sync(hub);
    }
    assert_eq!(ada.files(), bob.files());
    assert!(ada.staged().is_empty() && bob.staged().is_empty());
}

#[test]
fn they_are_made_changed_moved_and_deleted_everywhere() {
    let (mut ada, mut bob, mut hub) = two(&[
        ("a.png", &data(1)),
        ("d/same.png", &data(1)),
        (
            "big.txt",
            &vec![b'x'; crate::mirror::MAX_FILE_BYTES as usize + 1],
        ),
        ("t.txt", b"text\n"),
    ]);
    assert_eq!(bob.bytes("d/same.png"), data(1));
    let id = hub.id("a.png");

    bob.write_old("a.png", &data(2));
    both(&mut bob, &mut ada, &mut hub);
    assert_eq!(ada.bytes("a.png"), data(2));
    assert_eq!(hub.id("a.png"), id);
    assert_eq!(hub.blob("a.png").replaces.len(), 1);

    fs::rename(ada.path("a.png"), ada.path("d/b.png")).unwrap();
    both(&mut ada, &mut bob, &mut hub);
    assert_eq!(hub.id("d/b.png"), id, "a rename is one");
    assert_eq!(bob.bytes("d/b.png"), data(2));

    fs::remove_file(bob.path("d/b.png")).unwrap();
    fs::remove_file(bob.path("d/same.png")).unwrap();
    both(&mut bob, &mut ada, &mut hub);
    assert!(!ada.has("d"));

    // As git does with a checkout there and back.
    ada.write_old("d/b.png", &data(2));
    both(&mut ada, &mut bob, &mut hub);
    assert_eq!(bob.bytes("d/b.png"), data(2));
    assert!(ada.kept().is_empty() && bob.kept().is_empty());
    assert!(ada.told.is_empty() && bob.told.is_empty());
}

#[cfg(unix)]
#[test]
fn the_executable_bit_goes_both_ways_and_nothing_is_read_for_it() {
    use std::os::unix::fs::PermissionsExt;
    let (mut ada, mut bob, mut hub) = two(&[("run", &data(1))]);
    let mode = |here: &Here| fs::metadata(here.path("run")).unwrap().permissions().mode();
    for (on, bits) in [(true, 0o755), (false, 0o644)] {
        fs::set_permissions(ada.path("run"), fs::Permissions::from_mode(bits)).unwrap();
        both(&mut ada, &mut bob, &mut hub);
        assert_eq!(mode(&bob) & 0o100 != 0, on);
        assert_eq!(mode(&ada), 0o100_000 | bits);
    }
    assert_eq!(hub.contents.len(), 1);
}

#[test]
fn of_two_changes_at_once_one_stays_and_the_other_is_kept() {
    let (mut ada, mut bob, mut hub) = two(&[("a.png", &data(1))]);
    ada.write_old("a.png", &data(2));
    bob.write_old("a.png", &data(3));
    both(&mut ada, &mut bob, &mut hub);
    // Bob's entry came last, and he had not seen Ada's.
    assert_eq!(ada.bytes("a.png"), data(3));
    assert_eq!(ada.kept(), [data(2)]);
    assert!(
        matches!(&ada.told[..], [Notice::Kept { .. }]),
        "{:?}",
        ada.told
    );
    assert!(bob.kept().is_empty() && bob.told.is_empty());
    // What follows is built on what both have seen.
    ada.write_old("a.png", &data(4));
    both(&mut ada, &mut bob, &mut hub);
    assert_eq!(bob.bytes("a.png"), data(4));
    assert_eq!((ada.kept().len(), bob.kept().len()), (1, 0));
}

#[test]
fn what_is_changed_while_another_deletes_it_comes_back() {
    for bob_first in [false, true] {
        let (mut ada, mut bob, mut hub) = two(&[("a.png", &data(1))]);
        fs::remove_file(ada.path("a.png")).unwrap();
        bob.write_old("a.png", &data(2));
        match bob_first {
            true => both(&mut bob, &mut ada, &mut hub),
            false => both(&mut ada, &mut bob, &mut hub),
        }
        assert_eq!(ada.bytes("a.png"), data(2), "{bob_first}");
        // And once more the other way: who deletes has seen it.
        fs::remove_file(ada.path("a.png")).unwrap();
        both(&mut ada, &mut bob, &mut hub);
        assert!(!bob.has("a.png"));
    }
}

#[test]
fn a_change_that_was_announced_survives_a_deletion_that_did_not_know_it() {
    let (mut ada, mut bob, mut hub) = two(&[("a.png", &data(1))]);
    let before = hub.blob("a.png");
    bob.write_old("a.png", &data(2));
    bob.sync(&mut hub);
    // Ada's deletion has won over it.
    let id = hub.id("a.png");
    let gone = Blob {
        sha256: None,
        bytes: 0,
        replaces: before.sha256.into_iter().collect(),
    };
    hub.change_index(|txn, roots| index::set_blob(txn, roots, &id, &gone));
    both(&mut bob, &mut ada, &mut hub);
    assert_eq!(ada.bytes("a.png"), data(2));
    assert!(
        matches!(&bob.told[..], [Notice::CameBack { .. }]),
        "{:?}",
        bob.told
    );
}

#[test]
fn a_file_turns_into_data_and_back() {
    let (mut ada, mut bob, mut hub) = two(&[("f", b"one\n")]);
    ada.write_old("f", &data(1));
    both(&mut ada, &mut bob, &mut hub);
    assert_eq!(bob.bytes("f"), data(1));
    bob.write_old("f", b"two\n");
    both(&mut bob, &mut ada, &mut hub);
    assert_eq!(ada.bytes("f"), b"two\n");
    ada.edit_text(&mut hub, "f", "two\nthree\n");
    both(&mut ada, &mut bob, &mut hub);
    assert_eq!(bob.bytes("f"), b"two\nthree\n");
    assert!(ada.kept().is_empty() && bob.kept().is_empty());

    // What another wrote into the text meanwhile is kept.
    let theirs = "two\nthree\nfour\n";
    hub.edit("f", theirs);
    ada.write_old("f", &data(5));
    both(&mut ada, &mut bob, &mut hub);
    assert_eq!(bob.bytes("f"), data(5));
    assert_eq!(ada.kept(), [theirs.as_bytes()]);
}

#[test]
fn what_others_wrote_into_a_text_while_the_data_in_its_place_was_on_its_way_is_kept() {
    let (mut ada, mut bob, mut hub) = two(&[("f", b"one\n")]);
    ada.write_old("f", &data(1));
    hub.is_away = true;
    ada.sync(&mut hub);
    // `tutti join` must not take the text for settled, either.
    let id = hub.id("f");
    let stored = ada.mirror.stored(&id).unwrap().unwrap();
    assert!(!ada.mirror.confirmed(&id, &stored.state).unwrap());
    bob.edit_text(&mut hub, "f", "one\ntwo\n");
    hub.is_away = false;
    let effects = ada.mirror.transfers().unwrap();
    ada.carry_out(effects, &mut hub);
    both(&mut ada, &mut bob, &mut hub);
    assert_eq!(bob.bytes("f"), data(1));
    assert_eq!(ada.kept(), [b"one\ntwo\n"]);
}

impl Here {
    fn edit_text(&mut self, hub: &mut Hub, path: &str, text: &str) {
        hub.edit(path, text);
        self.sync(hub);
    }
}

#[test]
fn work_without_a_server_and_without_a_bridge_arrives() {
    let (mut ada, mut bob, mut hub) = two(&[("a.png", &data(1)), ("b.png", &data(2))]);
    hub.is_away = true;
    ada.write_old("a.png", &data(3));
    ada.write_old("new.png", &data(4));
    ada.sync(&mut hub);
    assert_eq!(
        hub.blob("a.png").sha256,
        Some(hash_of(&data(1))),
        "sent first"
    );
    let mut ada = ada.restart(|root| {
        fs::remove_file(root.join("b.png")).unwrap();
        fs::rename(root.join("new.png"), root.join("newer.png")).unwrap();
    });
    ada.sync(&mut hub);
    hub.is_away = false;
    both(&mut ada, &mut bob, &mut hub);
    assert_eq!(bob.bytes("a.png"), data(3));
    assert_eq!(bob.bytes("newer.png"), data(4));
    assert!(!bob.has("b.png") && !bob.has("new.png"));
    assert!(ada.kept().is_empty() && bob.kept().is_empty());
}

fn hash_of(bytes: &[u8]) -> BlobHash {
    BlobHash(crate::mirror::state::hash(bytes))
}

/// The bridge was killed after it had noted what it wrote, and before the index had it.
#[test]
fn an_announcement_that_was_lost_is_made_again() {
    let (mut ada, mut bob, mut hub) = two(&[("a.png", &data(1))]);
    let (id, before) = (hub.id("a.png"), hub.blob("a.png"));
    ada.write_old("a.png", &data(2));
    ada.sync(&mut hub);
    hub.change_index(|txn, roots| index::set_blob(txn, roots, &id, &before));
    let mut ada = ada.restart(|_| {});
    both(&mut ada, &mut bob, &mut hub);
    assert_eq!(bob.bytes("a.png"), data(2));
    assert!(ada.kept().is_empty() && ada.told.is_empty());
}

#[test]
fn a_viewer_only_receives() {
    let (mut ada, mut bob, mut hub) = two(&[("a.png", &data(1)), ("b.png", &data(2))]);
    bob.mirror.set_read_only(true).unwrap();
    bob.write_old("a.png", &data(3));
    bob.write_old("own.png", &data(4));
    ada.write_old("b.png", &data(5));
    for _ in 0..2 {
        ada.sync(&mut hub);
        bob.sync(&mut hub);
    }
    assert_eq!(bob.bytes("a.png"), data(1));
    assert_eq!(bob.bytes("b.png"), data(5));
    assert_eq!(bob.kept(), [data(3)]);
    assert_eq!(bob.bytes("own.png"), data(4));
    assert!(!ada.has("own.png"));
    assert_eq!(
        bob.left_alone(),
        ["own.png: you may only read this project"]
    );
}

#[test]
fn what_is_above_the_cap_is_listed_with_the_reason() {
    let (mut ada, mut bob, mut hub) = two(&[("a.png", &data(1))]);
    let cap = 1024 * 1024;
    let effects = ada.mirror.connected(Some(cap)).unwrap();
    ada.carry_out(effects, &mut hub);
    let mut large = data(9);
    large.resize(cap as usize + 1, 0);
    ada.write_old("large.bin", &large);
    ada.write_old("a.png", &large);
    both_differ(&mut ada, &mut bob, &mut hub);
    let why = "it is larger than the 1 MiB that the server takes";
    let listed = [format!("a.png: {why}"), format!("large.bin: {why}")];
    assert_eq!(ada.left_alone(), listed);
    assert_eq!(bob.bytes("a.png"), data(1), "and never half-sent");
    assert_eq!(ada.bytes("a.png"), large, "and never taken away");

    // A server that takes more is asked again.
    let effects = ada.mirror.connected(Some(2 * cap)).unwrap();
    ada.carry_out(effects, &mut hub);
    both(&mut ada, &mut bob, &mut hub);
    assert_eq!(bob.bytes("large.bin"), large);
    assert!(ada.left_alone().is_empty());
}

fn both_differ(ada: &mut Here, bob: &mut Here, hub: &mut Hub) {
    ada.sync(hub);
    bob.sync(hub);
}

#[test]
fn a_bridge_that_was_killed_in_the_middle_leaves_nothing_half() {
    let (mut ada, bob, mut hub) = two(&[("a.png", &data(1))]);
    ada.write_old("a.png", &data(2));
    ada.sync(&mut hub);
    let hash = hash_of(&data(2));
    let mut bob = bob.restart(|root| {
        let staging = root.join(".tutti/blobs");
        // Half of what was fetched; and what stood in the place of a content that was just put.
        fs::write(staging.join(format!("{hash}.part")), &data(2)[..100]).unwrap();
        let put = hash_of(b"what was put");
        fs::write(staging.join(put.to_string()), b"what another program wrote").unwrap();
        let known = hash_of(b"another that was put");
        fs::write(staging.join(known.to_string()), data(1)).unwrap();
        fs::write(staging.join(format!("{known}.0a.part")), b"half a copy").unwrap();
    });
    assert_eq!(bob.staged(), [format!("{hash}.part")]);
    assert_eq!(bob.kept(), [b"what another program wrote"]);
    both(&mut ada, &mut bob, &mut hub);
    assert_eq!(bob.bytes("a.png"), data(2));
}

#[test]
fn two_new_files_of_one_name_are_both_there() {
    let (mut ada, mut bob, mut hub) = two(&[]);
    ada.write_old("a.png", &data(1));
    bob.write_old("a.png", &data(2));
    both(&mut ada, &mut bob, &mut hub);
    let all: Vec<Vec<u8>> = ada.files().into_values().chain(bob.kept()).collect();
    assert!(
        all.contains(&data(1)) && all.contains(&data(2)),
        "{}",
        all.len()
    );
}

#[test]
fn files_that_swap_their_names_keep_their_contents() {
    let (mut ada, mut bob, mut hub) = two(&[("a", &data(1)), ("b", &data(2)), ("c", b"text\n")]);
    for (from, to) in [("a", "x"), ("b", "a"), ("c", "b"), ("x", "c")] {
        fs::rename(ada.path(from), ada.path(to)).unwrap();
    }
    both(&mut ada, &mut bob, &mut hub);
    assert_eq!(bob.bytes("a"), data(2));
    assert_eq!(bob.bytes("b"), b"text\n");
    assert_eq!(bob.bytes("c"), data(1));
}

#[test]
fn a_change_that_was_made_without_a_bridge_is_found_though_the_stored_index_is_older() {
    let mut hub = Hub::new();
    let mut ada = Here::new();
    ada.sync(&mut hub);
    let older = hub.entries();
    ada.write_old("a.bin", &data(1));
    ada.write_old("b.bin", &data(2));
    ada.sync(&mut hub);
    let mut ada = ada.restart(|root| {
        fs::write(root.join("a.bin"), data(3)).unwrap();
        fs::remove_file(root.join("b.bin")).unwrap();
    });
    ada.write_old("a.bin", &data(3));
    let mut effects = ada.mirror.index_changed(older, false).unwrap();
    let everything = Changes::everything();
    effects.extend(ada.mirror.files_changed(&everything).unwrap());
    effects.extend(ada.mirror.index_changed(hub.entries(), true).unwrap());
    ada.carry_out(effects, &mut hub);
    assert_eq!(hub.blob("a.bin").sha256, Some(hash_of(&data(3))));
    assert!(ada.busy.contains("b.bin"), "it is looked at once more");
}
