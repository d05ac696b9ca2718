//! Projects that one may only read.

use std::fs;

use super::{Here, Hub};
use crate::mirror::{Changes, Effect};

#[test]
fn the_next_start_knows_it_before_there_is_a_connection() {
    let mut hub = Hub::new();
    hub.put("d1", "a.txt", "1\n");
    hub.put("d2", "b.txt", "1\n");
    let mut ada = Here::new();
    ada.mirror.set_read_only(true).unwrap();
    ada.sync(&mut hub);
    let mut ada = ada.restart(|root| {
        fs::write(root.join("a.txt"), "1\nmine\n").unwrap();
        fs::write(root.join("new.txt"), "mine\n").unwrap();
        fs::remove_file(root.join("b.txt")).unwrap();
    });
    assert!(ada.mirror.is_read_only());
    let mut effects = ada.mirror.index_changed(hub.entries(), false).unwrap();
    let everything = Changes::everything();
    effects.extend(ada.mirror.files_changed(&everything).unwrap());
    let changes_index = |effect: &Effect| matches!(effect, Effect::Index(_));
    assert!(!effects.iter().any(changes_index), "{effects:?}");
    ada.carry_out(effects, &mut hub);
    assert_eq!(hub.text("a.txt"), "1\n");
    assert_eq!(ada.read("a.txt"), "1\n");
    assert_eq!(ada.read("b.txt"), "1\n");
    assert_eq!(ada.recovered()["a.txt"], "1\nmine\n");

    // A link that lets them write is as good as if they had had it from the beginning.
    ada.mirror.set_read_only(false).unwrap();
    let mut ada = ada.restart(|_| ());
    ada.sync(&mut hub);
    assert_eq!(hub.text("new.txt"), "mine\n");
}

#[test]
fn a_text_that_a_viewer_overwrites_with_data_is_a_text_again() {
    let mut hub = Hub::new();
    hub.put("d1", "a.txt", "1\n");
    let mut ada = Here::new();
    ada.mirror.set_read_only(true).unwrap();
    ada.sync(&mut hub);
    ada.write("a.txt", b"\xff\xd8\0mine");
    ada.sync(&mut hub);
    assert_eq!(ada.read("a.txt"), "1\n");
    let kept = fs::read(ada.path(".tutti/recovered/a.txt")).unwrap();
    assert_eq!(kept, b"\xff\xd8\0mine");
}
