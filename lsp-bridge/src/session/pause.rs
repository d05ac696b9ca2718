//! The mirror while `.tutti` is not there: what it is given to do with files waits.
//!
//! What editors have open goes on between them and the server. Files that are closed are neither read nor written, and
//! none passes for deleted. `git stash -u` takes `.tutti` away for a moment and brings it back: then all goes on.

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

use super::disk::{News, Task};
use super::project::Project;
use crate::lsp::Severity;
use crate::mirror::{Changes, Standing};

/// What is back sooner nobody needs to hear of.
const TOLD_AFTER: Duration = Duration::from_secs(2);

/// Whether the mirror pauses, and what waits for its end.
#[derive(Default)]
pub(super) struct Pause {
    since: Option<Instant>,
    /// What the session was told of last.
    told: Option<Standing>,
    waiting: VecDeque<Task>,
}

impl Pause {
    /// What is to be done now that `task` was given, and what to tell of the pause.
    pub(super) fn admit(&mut self, task: Task, standing: Standing) -> (Vec<Task>, Option<News>) {
        if standing == Standing::There {
            let news = self.since.take().map(|_| News::Back);
            self.told = None;
            let mut tasks: Vec<Task> = self.waiting.drain(..).collect();
            tasks.push(task);
            return (tasks, news);
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        let is_news = since.elapsed() >= TOLD_AFTER && self.told != Some(standing);
        let news = is_news.then(|| {
            self.told = Some(standing);
            News::Away(standing)
        });
        (self.while_away(task, standing), news)
    }

    fn while_away(&mut self, task: Task, standing: Standing) -> Vec<Task> {
        match task {
            // What is typed is stored as long as there is a place for it; after that, when it is back.
            Task::Persist { .. } | Task::Recover { .. } if standing == Standing::Unnamed => {
                return vec![task];
            }
            Task::Persist { .. } => {}
            // All of them are looked at when it is back.
            Task::FilesChanged(_) | Task::TakeOver | Task::LookAfterGuests => {}
            task => {
                self.waiting.retain(|earlier| !supersedes(&task, earlier));
                self.waiting.push_back(task);
            }
        }
        Vec::new()
    }
}

/// Whether nothing is left to do of `earlier` where `task` is done, so that what waits stays little.
fn supersedes(task: &Task, earlier: &Task) -> bool {
    match (task, earlier) {
        (Task::IndexChanged { .. }, Task::IndexChanged { .. })
        | (Task::Connected(_), Task::Connected(_))
        | (Task::Transfers, Task::Transfers) => true,
        (Task::EditorSaved(one, _), Task::EditorSaved(other, _))
        | (Task::Beneath(one, _), Task::Beneath(other, _)) => one == other,
        _ => false,
    }
}

impl Project {
    /// The mirror has stopped, and may go on.
    pub(super) fn mirror_pauses(&mut self, standing: Standing) {
        self.tell_once(Severity::Warning, &what_to_do(&self.root, standing));
    }

    /// The mirror goes on: what it missed is made up for.
    pub(super) fn mirror_goes_on(&mut self) {
        for standing in [Standing::Unnamed, Standing::Gone, Standing::Replaced] {
            if self.told.remove(&what_to_do(&self.root, standing)) {
                let text = format!("{}/.tutti is back: all goes on", self.root.display());
                self.client.show(Severity::Info, &text);
            }
        }
        let now = self.clock.now();
        for room in self.rooms.values_mut() {
            room.store_by(now);
        }
        self.store_index();
        if self.owner && self.mirror_has_index {
            self.disk.give(Task::FilesChanged(Changes::everything()));
        }
        self.enqueue_all();
    }

    /// Whether `.tutti` was taken away, so that nothing can be written there.
    pub(super) fn is_without_private(&self) -> bool {
        !self.root.join(crate::project::PRIVATE_DIR).is_dir()
    }
}

fn what_to_do(root: &Path, standing: Standing) -> String {
    let root = root.display();
    match standing {
        Standing::There | Standing::Unnamed => format!(
            "{root}/.tutti/project.toml is not there any more: what you have open goes on, but other files are neither \
             read nor written, and none that you open is shared, until you put it back"
        ),
        Standing::Gone => format!(
            "{root}/.tutti is not there any more, which made this a shared directory: what you have open goes on, but \
             other files are neither read nor written, and none that you open is shared, until you run `tutti join \
             LINK . --merge` there and then restart your editor"
        ),
        Standing::Replaced => format!(
            "{root} was joined anew: restart your editor, so that files that it has not open are read and written again"
        ),
    }
}
