//! What engines hear, what they make of it, and what of that is as good as the truth.

use tutti_engine::{Document, Effect, Event, Millis};

use crate::editor::ToServer;
use crate::story::{Story, Verdict};
use crate::world::World;

impl World {
    pub(crate) fn engine_hears(&mut self, number: usize, message: ToServer) {
        let user = &mut self.users[number];
        let event = match message {
            ToServer::Changed {
                version,
                changes,
                story,
            } => {
                user.stories.push((version, story));
                Event::Changed { version, changes }
            }
            ToServer::Flushed { is_sure } => Event::Flushed { is_sure },
            ToServer::Answered { edit, answer } => Event::Answered { edit, answer },
            ToServer::Saved { text } => {
                let text = Some(text);
                self.document_hears(number, Event::Saved { text });
                let user = &mut self.users[number];
                user.base = user.document.as_ref().expect("open").shown_state();
                return;
            }
            ToServer::Closed => {
                self.document_hears(number, Event::Closing);
                let user = &mut self.users[number];
                user.closed = user.document.take().map(Document::close);
                user.stories.clear();
                return;
            }
            ToServer::Opened { text } => {
                let effects = user.open(number, text, self.crlf, self.now);
                self.witnessed(number, &effects);
                return self.perform(number, effects);
            }
        };
        self.document_hears(number, event);
    }

    pub(crate) fn document_hears(&mut self, number: usize, event: Event) {
        let user = &mut self.users[number];
        if let Some(document) = &mut user.document {
            let shared = document.main().text();
            let hidden = match self.proves {
                true => self.witness.gone_from(&document.shown_state()),
                false => String::new(),
            };
            let effects = document.handle(event, Millis(self.now));
            // A report may have to wait for its turn, or for an answer.
            let version = document.version();
            let told = user.stories.extract_if(.., |(of, _)| *of <= version);
            let told: Vec<_> = told.collect();
            // What others have taken out, wherever they are, cannot be taken out once more.
            let everyones = self.witness.text();
            let (gone, new) = self.witnessed(number, &effects);
            self.note_story(number, &told, &gone, &new);
            for (_, story) in &told {
                let mut alike = story.typed_alike();
                if told.len() == 1 {
                    alike.extend(story.put_beside_alike(&new));
                }
                self.mistaken += self.ledger.may_be_mistaken(number, &alike);
            }
            if let [(_, story)] = &*told
                && let Some(verdict) =
                    self.verdict(story, &gone, &new, [&shared, &everyones], &hidden)
            {
                self.ledger.believes(number, &verdict);
            }
            self.perform(number, effects);
        } else if let (Some(closed), Event::Answered { edit, answer }) = (&mut user.closed, event) {
            closed.answered(edit, &answer);
        }
    }

    /// Whether an engine's story is as good as the true one.
    fn verdict(
        &mut self,
        story: &Story,
        gone: &str,
        new: &str,
        shared: [&str; 2],
        hidden: &str,
    ) -> Option<Verdict> {
        let shorter = story
            .is_mixed()
            .then(|| story.or_else(gone, new, hidden, shared));
        shorter.flatten().or_else(|| {
            let verdict = story.proven(story.told.as_ref()?, gone, new, hidden, shared)?;
            self.proven += 1;
            Some(verdict)
        })
    }

    /// Where an engine's story differs from the true one, the trace tells both.
    fn note_story(&mut self, number: usize, told: &[(i32, Story)], gone: &str, new: &str) {
        let true_gone: String = told.iter().map(|(_, story)| story.gone.as_str()).collect();
        let true_new: String = told.iter().map(|(_, story)| story.new.as_str()).collect();
        if self.is_traced && (gone, new) != (&true_gone, &true_new) {
            self.trace.push_back(format!(
                "{:>6} {number} its person took out {true_gone:?} and put in {true_new:?}, its engine says \
                 {gone:?} and {new:?}",
                self.now
            ));
        }
    }

    /// What an engine has written as done by its person: what they took out, and what they put in.
    fn witnessed(&mut self, number: usize, effects: &[Effect]) -> (String, String) {
        let (mut gone, mut new) = (String::new(), String::new());
        for effect in effects {
            if let Effect::Send { update } = effect {
                let (less, more) = self.witness.sees(number, update);
                gone.push_str(&less);
                new.push_str(&more);
            }
        }
        (gone, new)
    }
}
