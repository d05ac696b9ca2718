//! Directories that are moved here by a bridge that ends at any moment of it.

use super::*;

const NAMES: [&str; 4] = ["a.txt", "b.txt", "deep/c.txt", "data"];

/// Where the file went is heard of long after it is missed.
#[test]
fn a_file_that_is_found_soon_after_it_counted_as_deleted_is_the_same() {
    for (text, content, is_same) in [
        ("text\n", "text\n", true),
        ("text\n", "other\n", false),
        ("", "", false),
    ] {
        let mut hub = Hub::new();
        let mut ada = Here::with(&[("a.txt", text.as_bytes())]);
        ada.sync(&mut hub);
        let id = hub.id("a.txt");
        fs::remove_file(ada.path("a.txt")).unwrap();
        ada.sync(&mut hub);
        assert!(hub.entries().is_empty());
        ada.write("b/b.txt", content);
        ada.sync(&mut hub);
        ada.sync(&mut hub);
        assert_eq!(hub.id("b/b.txt") == id, is_same, "{text:?} {content:?}");
        assert_eq!(hub.text("b/b.txt"), content);
        assert_eq!(
            ada.files(),
            BTreeMap::from([("b/b.txt".to_owned(), content.into())])
        );
    }
}

/// Every file that the mirror has stored.
fn stored(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(root.join(".tutti/state")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

fn names(top: &str) -> BTreeSet<String> {
    NAMES.iter().map(|name| format!("{top}/{name}")).collect()
}

fn listed(hub: &Hub) -> BTreeSet<String> {
    hub.entries().into_values().map(|one| one.path).collect()
}

/// A directory whose files the project has.
fn shared() -> (Hub, Here) {
    let mut hub = Hub::new();
    let mut ada = Here::new();
    for (n, name) in NAMES.iter().enumerate() {
        let bytes = match *name {
            "data" => b"\xff\0 data".to_vec(),
            _ => format!("text {n}\n").into_bytes(),
        };
        ada.write(&format!("old/{name}"), bytes);
    }
    ada.sync(&mut hub);
    assert_eq!(listed(&hub), names("old"));
    (hub, ada)
}

/// What a bridge knows that starts: the index that was stored, the disk, and then the server's index.
fn starts(ada: &mut Here, stored: &Hub, hub: &mut Hub) {
    let effects = ada.mirror.index_changed(stored.entries(), false).unwrap();
    ada.carry_out(effects, hub);
    let effects = ada.mirror.files_changed(&Changes::everything()).unwrap();
    ada.carry_out(effects, hub);
    ada.sync(hub);
    ada.sync(hub);
}

fn copy(hub: &Hub) -> Hub {
    let mut copy = Hub::new();
    copy.index = hub.index.fork(new_client_id());
    copy.documents = hub
        .documents
        .iter()
        .map(|(id, one)| (id.clone(), one.fork(new_client_id())))
        .collect();
    copy.contents.clone_from(&hub.contents);
    copy
}

/// The owner ends, and another bridge of the directory takes over.
fn taken_over(owner: Here, mut guest: Mirror) -> Here {
    drop(owner.mirror);
    assert!(guest.take_over().unwrap());
    Here {
        mirror: guest,
        directory: owner.directory,
        told: owner.told,
        busy: owner.busy,
    }
}

/// How far the bridge has come that ends.
struct Moment {
    /// So many records say where the files stand now.
    records: usize,
    /// The index without the move is all that was stored, or the one with it.
    index_stored: bool,
    /// The server has heard of the move.
    sent: bool,
}

fn moments() -> impl Iterator<Item = Moment> {
    let mut moments: Vec<_> = (0..NAMES.len())
        .map(|records| (records, false, false))
        .collect();
    for told in [(false, false), (false, true), (true, false), (true, true)] {
        moments.push((NAMES.len(), told.0, told.1));
    }
    moments
        .into_iter()
        .map(|(records, index_stored, sent)| Moment {
            records,
            index_stored,
            sent,
        })
}

#[test]
fn a_move_is_whole_whenever_its_bridge_ends() {
    for moment in moments() {
        for (takes_over, is_edited) in [(false, false), (true, false), (false, true), (true, true)]
        {
            let (mut hub, mut ada) = shared();
            let ids: Vec<_> = hub.entries().into_keys().collect();
            let edited = hub.id("old/a.txt");
            let root = ada.directory.path().to_owned();
            let before = stored(&root);
            let old = copy(&hub);
            let guest = takes_over.then(|| Mirror::open(&root, "Ada").unwrap());
            fs::rename(ada.path("old"), ada.path("new")).unwrap();
            let effects = ada.mirror.files_changed(&Changes::everything()).unwrap();
            let mut new = copy(&hub);
            ada.carry_out(effects, &mut new);
            assert_eq!(listed(&new), names("new"));
            // The records are written one by one, in some order.
            let is_record = |path: &&PathBuf| path.extension().is_some_and(|end| end != "json");
            let changed: Vec<_> = before.keys().filter(is_record).collect();
            assert_eq!(changed.len(), NAMES.len());
            for path in &changed[moment.records..] {
                fs::write(path, &before[*path]).unwrap();
            }
            if moment.sent {
                hub = copy(&new);
            }
            let index = if moment.index_stored { new } else { old };
            // The index is sent once more, as it was stored.
            let late = index.index.state();
            hub.index.apply(&late).unwrap();
            if is_edited {
                ada.write("new/a.txt", "text 0\nmore\n");
                hub.document(&edited).edit("theirs\ntext 0\n");
            }
            ada = match guest {
                None => ada.restart(|_| ()),
                Some(guest) => taken_over(ada, guest),
            };
            starts(&mut ada, &index, &mut hub);
            let files: BTreeSet<String> = ada.files().into_keys().collect();
            let Moment {
                records,
                index_stored,
                sent,
            } = moment;
            let when = format!("{records} records, {index_stored} {sent} {takes_over} {is_edited}");
            let text = match is_edited {
                true => "theirs\ntext 0\nmore\n",
                false => "text 0\n",
            };
            assert_eq!(ada.read("new/a.txt"), text, "{when}");
            assert_eq!(hub.text("new/a.txt"), text, "{when}");
            assert_eq!(
                (listed(&hub), files),
                (names("new"), names("new")),
                "{when}"
            );
            assert_eq!(hub.entries().into_keys().collect::<Vec<_>>(), ids, "{when}");
            assert_eq!((ada.told.as_slice(), ada.recovered().len()), (&[][..], 0));
            assert!(!ada.has(".tutti/state/moved.json"), "{when}");
        }
    }
}

#[test]
fn no_record_is_changed_before_the_moves_are_stored() {
    let (mut hub, mut ada) = shared();
    let before = stored(ada.directory.path());
    fs::rename(ada.path("old"), ada.path("new")).unwrap();
    // Nothing can take its place.
    let blocked = ada.path(".tutti/state/moved.json");
    fs::create_dir(&blocked).unwrap();
    assert!(ada.mirror.files_changed(&Changes::everything()).is_err());
    fs::remove_dir(&blocked).unwrap();
    assert_eq!(stored(ada.directory.path()), before);
    ada.sync(&mut hub);
    assert_eq!(listed(&hub), names("new"));
}

#[test]
fn what_is_changed_in_a_moved_file_while_no_bridge_runs_stays_with_it() {
    let (mut hub, mut ada) = shared();
    let old = copy(&hub);
    fs::rename(ada.path("old"), ada.path("new")).unwrap();
    ada.mirror.files_changed(&Changes::everything()).unwrap();
    let mut ada = ada.restart(|root| fs::write(root.join("new/a.txt"), "text 0\nmore\n").unwrap());
    hub.edit("old/a.txt", "theirs\ntext 0\n");
    starts(&mut ada, &old, &mut hub);
    assert_eq!(listed(&hub), names("new"));
    let text = "theirs\ntext 0\nmore\n";
    assert_eq!(
        (
            hub.text("new/a.txt").as_str(),
            ada.read("new/a.txt").as_str()
        ),
        (text, text)
    );
}

#[test]
fn without_a_connection_the_files_stay_where_they_were_moved() {
    let (mut hub, mut ada) = shared();
    let old = copy(&hub);
    fs::rename(ada.path("old"), ada.path("new")).unwrap();
    ada.mirror.files_changed(&Changes::everything()).unwrap();
    let mut ada = ada.restart(|_| ());
    ada.mirror.index_changed(old.entries(), false).unwrap();
    let id = hub.id("old/a.txt");
    let state = hub.document(&id).state();
    ada.mirror.settle_offline(&id, &state).unwrap();
    assert_eq!(
        ada.files().into_keys().collect::<BTreeSet<_>>(),
        names("new")
    );
    ada.sync(&mut hub);
    assert_eq!(listed(&hub), names("new"));
}

#[test]
fn a_file_that_others_move_as_well_goes_where_they_have_it() {
    for was_sent in [false, true] {
        let (mut hub, mut ada) = shared();
        let old = copy(&hub);
        fs::rename(ada.path("old"), ada.path("new")).unwrap();
        let effects = ada.mirror.files_changed(&Changes::everything()).unwrap();
        if was_sent {
            ada.carry_out(effects, &mut hub);
            hub.rename("new/a.txt", "theirs.txt");
        } else {
            hub.rename("old/a.txt", "theirs.txt");
        }
        let mut ada = ada.restart(|_| ());
        starts(&mut ada, &old, &mut hub);
        assert!(ada.has("theirs.txt") && ada.has("new/b.txt"));
        assert!(!ada.has("new/a.txt") && !ada.has("old/a.txt"));
        assert_eq!(hub.text("theirs.txt"), "text 0\n");
    }
}

#[test]
fn a_move_that_others_take_back_is_taken_back() {
    let (mut hub, mut ada) = shared();
    fs::rename(ada.path("old"), ada.path("new")).unwrap();
    ada.sync(&mut hub);
    assert!(!ada.has(".tutti/state/moved.json"));
    for name in NAMES {
        hub.rename(&format!("new/{name}"), &format!("old/{name}"));
    }
    ada.sync(&mut hub);
    assert_eq!(
        ada.files().into_keys().collect::<BTreeSet<_>>(),
        names("old")
    );
    let mut ada = ada.restart(|_| ());
    ada.sync(&mut hub);
    assert_eq!(listed(&hub), names("old"));
}

#[test]
fn a_file_that_is_moved_twice_before_the_index_knows_is_where_it_went_last() {
    let (mut hub, mut ada) = shared();
    let old = copy(&hub);
    let mut between = copy(&hub);
    for (from, to) in [("old", "mid"), ("mid", "new")] {
        fs::rename(ada.path(from), ada.path(to)).unwrap();
        let effects = ada.mirror.files_changed(&Changes::everything()).unwrap();
        if to == "mid" {
            ada.carry_out(effects, &mut between);
        }
    }
    hub.index.apply(&between.index.state()).unwrap();
    let mut ada = ada.restart(|_| ());
    starts(&mut ada, &old, &mut hub);
    assert_eq!(listed(&hub), names("new"));
    assert_eq!(
        ada.files().into_keys().collect::<BTreeSet<_>>(),
        names("new")
    );
}

#[test]
fn a_deletion_is_whole_whenever_its_bridge_ends() {
    // Whether the index without the files was stored, and whether the server has heard of it.
    for (index_stored, sent) in [(false, false), (false, true), (true, false), (true, true)] {
        let (mut hub, mut ada) = shared();
        let old = copy(&hub);
        let mut new = copy(&hub);
        fs::remove_dir_all(ada.path("old")).unwrap();
        let effects = ada.look_for_gone();
        ada.carry_out(effects, &mut new);
        assert_eq!(new.entries().len() + 3, old.entries().len());
        if sent {
            hub = copy(&new);
        }
        let index = if index_stored { new } else { old };
        hub.index.apply(&index.index.state()).unwrap();
        let mut ada = ada.restart(|root| {
            // As if it came of one of them.
            fs::create_dir(root.join("new")).unwrap();
            fs::write(root.join("new/a.txt"), "text 0\n").unwrap();
        });
        starts(&mut ada, &index, &mut hub);
        let when = format!("{index_stored} {sent}");
        let texts = hub.entries().into_values().filter(FileEntry::is_text);
        let texts: Vec<_> = texts.map(|entry| entry.path).collect();
        assert_eq!(texts, ["new/a.txt"], "{when}");
        assert_eq!(ada.files().into_keys().collect::<Vec<_>>(), texts, "{when}");
        assert_eq!((ada.told.as_slice(), ada.recovered().len()), (&[][..], 0));
        let records = stored(ada.directory.path()).into_keys();
        let records = records.filter(|path| path.extension().is_some_and(|end| end == "yrs"));
        assert_eq!(records.count(), 1, "{when}");
    }
}

#[test]
fn a_file_that_was_deleted_here_and_changed_by_others_is_there_again() {
    let (mut hub, mut ada) = shared();
    let old = copy(&hub);
    fs::remove_file(ada.path("old/a.txt")).unwrap();
    let effects = ada.look_for_gone();
    ada.carry_out(effects, &mut copy(&hub));
    let mut ada = ada.restart(|_| ());
    hub.edit("old/a.txt", "text 0\ntheirs\n");
    starts(&mut ada, &old, &mut hub);
    assert_eq!(ada.read("old/a.txt"), "text 0\ntheirs\n");
    assert_eq!(listed(&hub), names("old"));
    assert_eq!(ada.told.len(), 1, "{:?}", ada.told);
}

#[test]
fn a_file_that_was_deleted_here_and_is_made_again_is_the_same_document() {
    let (mut hub, mut ada) = shared();
    let old = copy(&hub);
    let id = hub.id("old/a.txt");
    fs::remove_file(ada.path("old/a.txt")).unwrap();
    let effects = ada.look_for_gone();
    ada.carry_out(effects, &mut copy(&hub));
    let mut ada = ada.restart(|root| fs::write(root.join("old/a.txt"), "text 0\nmine\n").unwrap());
    hub.edit("old/a.txt", "theirs\ntext 0\n");
    starts(&mut ada, &old, &mut hub);
    assert_eq!(hub.id("old/a.txt"), id);
    assert_eq!(ada.read("old/a.txt"), "theirs\ntext 0\nmine\n");
    assert_eq!(hub.text("old/a.txt"), "theirs\ntext 0\nmine\n");
    assert!(ada.told.is_empty(), "{:?}", ada.told);
}

/// Data is deleted here, the index that says so reaches nobody, and the bridge ends.
fn data_is_deleted_and_nobody_hears() -> (Hub, Here, Hub) {
    let (hub, mut ada) = shared();
    let old = copy(&hub);
    fs::remove_file(ada.path("old/data")).unwrap();
    let effects = ada.look_for_gone();
    let is_edit = |effect: &Effect| matches!(effect, Effect::Index(_));
    assert!(effects.iter().any(is_edit), "{effects:?}");
    (hub, ada.restart(|_| ()), old)
}

#[test]
fn data_that_was_deleted_here_and_changed_by_others_is_there_again() {
    let (mut hub, mut ada, old) = data_is_deleted_and_nobody_hears();
    let id = hub.id("old/data");
    let theirs = b"\xff\0 theirs".to_vec();
    let mut bob = Here::new();
    bob.sync(&mut hub);
    bob.write("old/data", &theirs);
    bob.sync(&mut hub);
    starts(&mut ada, &old, &mut hub);
    assert_eq!(fs::read(ada.path("old/data")).unwrap(), theirs);
    assert_eq!(hub.id("old/data"), id);
    let again = Notice::ChangedMeanwhile {
        path: "old/data".into(),
    };
    assert_eq!(ada.told, [again]);
}

#[test]
fn data_that_was_deleted_here_and_is_made_again_is_the_same_file() {
    for data in [b"\xff\0 data".as_slice(), b"\xff\0 mine", b"text\n"] {
        let (mut hub, ada, old) = data_is_deleted_and_nobody_hears();
        let id = hub.id("old/data");
        let mut ada = ada.restart(|root| {
            fs::write(root.join("old/data"), data).unwrap();
            written_before(&root.join("old/data"));
        });
        starts(&mut ada, &old, &mut hub);
        assert_eq!(fs::read(ada.path("old/data")).unwrap(), data);
        assert_eq!(listed(&hub), names("old"));
        assert_eq!(hub.id("old/data") == id, data[0] == 0xff);
        assert_eq!((ada.told.as_slice(), ada.recovered().len()), (&[][..], 0));
        let records = stored(ada.directory.path()).into_keys();
        let aside = records.filter(|path| path.extension().is_some_and(|end| end == "gone"));
        assert_eq!(aside.count(), 0);
    }
}

#[test]
fn data_that_was_deleted_here_is_not_fetched_before_the_index_is_known() {
    let (mut hub, mut ada, old) = data_is_deleted_and_nobody_hears();
    let effects = ada.mirror.index_changed(old.entries(), false).unwrap();
    let fetched = |effect: &Effect| matches!(effect, Effect::Fetch(_) | Effect::Index(_));
    assert!(!effects.iter().any(fetched), "{effects:?}");
    ada.sync(&mut hub);
    assert!(!ada.has("old/data"));
    let is_there = |entry: &FileEntry| entry.path == "old/data" && entry.is_there();
    assert!(!hub.entries().values().any(is_there));
}
