//! An editor that makes an edit, and says that it has not.
//!
//! A no frees the slot, and the edit is asked for again. If it was made all the same, what it brought looks
//! like the person's own, and each round would bring it once more, without end. But the text is the truth: a
//! no that it belies again and again is not believed any more. People do type just what others type, a letter
//! or two; so one time proves nothing.

use ropey::Rope;

use super::changes::Replayed;
use super::flight::Flight;
use super::{Document, Effect};
use crate::explain::{Expected, Explanation, explain};

/// What so few visible characters bring, people type as well.
const TYPED_ALIKE: usize = 2;
/// How much it tells if such an edit stands there after a no, and if another does.
const SAYS_LITTLE: u32 = 1;
const SAYS_MUCH: u32 = 2;
/// From here on no is not believed.
const CERTAIN: u32 = 4;

/// What is known about an editor's noes.
#[derive(Debug, Default)]
pub(super) struct Denials {
    /// The last edit that was turned down, and the text that it was for, until something is reported.
    denied: Option<(Flight, Rope)>,
    doubt: u32,
    are_false: bool,
}

impl Denials {
    pub(super) fn has_denied(&mut self, flight: Flight, shown: Rope) {
        self.denied = Some((flight, shown));
    }

    /// What it says is what it shows.
    pub(super) fn has_agreed(&mut self) {
        self.doubt = 0;
    }

    /// Whether a no tells nothing.
    pub(super) fn are_false(&self) -> bool {
        self.are_false
    }
}

/// How much an edit tells that brings so many visible characters.
pub(super) fn weight(flight: &Flight) -> u32 {
    let new = flight.raw.iter().flat_map(|edit| edit.new_text.chars());
    let (visible, blank): (Vec<char>, Vec<char>) = new.partition(|letter| !letter.is_whitespace());
    match (visible.len(), blank.len()) {
        // What is taken out twice is gone as it is once.
        (0, 0) => 0,
        (0..=TYPED_ALIKE, _) => SAYS_LITTLE,
        _ => SAYS_MUCH,
    }
}

impl Document {
    /// An edit of this weight stands in the text, and the editor says that it has not made it. Whether the
    /// text is to be believed.
    pub(super) fn is_belied(&mut self, weight: u32, effects: &mut Vec<Effect>) -> bool {
        let denials = &mut self.denials;
        denials.doubt += weight;
        if weight > 0 && denials.doubt >= CERTAIN && !denials.are_false {
            denials.are_false = true;
            self.dialect.has_lied();
            effects.push(Effect::Tell {
                message:
                    "This editor makes changes and answers that it has not made them. Its answers \
                          are not believed any more; what has just come in may stand there twice."
                        .into(),
            });
        }
        weight > 0 && denials.are_false
    }

    /// The edit that was turned down last, if this report shows that it was made. An editor that is known is
    /// suspected only if it shows just that.
    pub(super) fn denied_and_made(
        &mut self,
        replayed: &Replayed,
        effects: &mut Vec<Effect>,
    ) -> Option<Flight> {
        let (mut denied, shown) = self.denials.denied.take()?;
        // A byte-order mark that others have taken away is gone from what is shown, too.
        let is_other = !shown.is_instance(&self.shown);
        if is_other || self.flight.is_some() || replayed.patches.is_empty() {
            return None;
        }
        let weight = weight(&denied);
        denied.accepted = true;
        let is_made = replayed.exactly(&denied.edit).is_some()
            || (weight == SAYS_MUCH && self.dialect.learns || self.denials.are_false) && {
                let expected = Expected {
                    certain: false,
                    ..self.expected(&denied, false)
                };
                let explanation =
                    explain(&self.shown, &replayed.text, &expected, self.form.encoding());
                matches!(explanation, Explanation::Ours { .. })
            };
        if !is_made {
            self.denials.has_agreed();
        }
        (is_made && self.is_belied(weight, effects)).then_some(denied)
    }
}
