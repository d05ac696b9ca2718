//! What must hold when nothing is on its way any more.

use std::collections::HashMap;

use tutti_engine::Returns;

use crate::world::World;

const BOM: char = '\u{feff}';

/// Every editor must show one text, or it panics; returns what went wrong with single letters.
pub(crate) fn judge(world: &World) -> Vec<String> {
    let text = world.server.text();
    let mut hidden = None;
    for (number, user) in world.users.iter().enumerate() {
        let kind = &user.editor.kind;
        let plain = |text: String| match kind.hides_bom {
            true => text.strip_prefix(BOM).map(str::to_owned).unwrap_or(text),
            false => text,
        };
        let (shown, mut wanted) = (plain(user.editor.buffer.to_string()), plain(text.clone()));
        let mut without = shown.clone();
        // It is never sent one.
        if user.editor.dialect.returns != Returns::Kept {
            hidden = Some('\r');
            without.retain(|letter| letter != '\r');
            wanted.retain(|letter| letter != '\r');
        }
        let is_same = without == wanted || kind.keeps_newline && without == format!("{wanted}\n");
        assert!(
            is_same,
            "user {number} shows {shown:?} instead of {wanted:?}"
        );
        let document = user.document.as_ref().expect("open");
        assert_eq!(plain(document.shown()), shown, "what user {number} shows");
        assert!(document.is_settled(), "user {number} is not settled");
    }
    let mut faults = world.ledger.faults(&text, &world.witness, hidden);
    let authors = world.witness.authors();
    let told: String = authors.iter().map(|(_, letter)| *letter).collect();
    assert_eq!(told, text, "what was sent stands in the shared text");
    let authors = authors.into_iter().enumerate();
    let places: HashMap<_, usize> = authors.map(|(at, whose)| (whose, at)).collect();
    for (number, user) in world.users.iter().enumerate() {
        for run in &user.person.runs {
            let who = Some(number);
            let plain = run.iter().filter(|c| world.ledger.is_plain(who, **c));
            let stand: Vec<Option<&usize>> = plain.map(|c| places.get(&(who, *c))).collect();
            if !stand.iter().flatten().is_sorted() {
                faults.push(format!("user {number}: {run:?} is out of order"));
            }
        }
    }
    faults
}
