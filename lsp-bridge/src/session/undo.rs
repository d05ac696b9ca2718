//! `tutti.undo` and `tutti.redo`: the person's own edits of one document, whatever the others have
//! written since.

use serde::Deserialize;
use serde_json::{Value, json};
use tower_lsp::jsonrpc::Result as RpcResult;
use tutti_engine::{Effect, Event};
use tutti_protocol::ids::DocumentId;
use tutti_protocol::role::Role;

use super::Session;
use super::commands::{UNDO_TAKES, failed, read_argument};
use super::link_events::STORE_MS;
use super::project::Project;

/// Which way.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    Undo,
    Redo,
}

/// The argument; without one, the document in which the person wrote last is meant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    uri: Option<String>,
}

impl Session {
    /// Answers a command or a request.
    pub(super) fn undo(&mut self, way: Way, argument: Option<Value>) -> RpcResult<Value> {
        let which: Option<Which> = read_argument(argument, UNDO_TAKES)?;
        let Some(project) = &mut self.project else {
            return Err(failed("this is no shared project".to_owned()));
        };
        let is_done = project
            .undo(way, which.and_then(|which| which.uri).as_deref())
            .map_err(failed)?;
        Ok(match way {
            Way::Undo => json!({ "undone": is_done }),
            Way::Redo => json!({ "redone": is_done }),
        })
    }
}

impl Project {
    /// Whether there was anything to undo, or to redo.
    fn undo(&mut self, way: Way, uri: Option<&str>) -> Result<bool, String> {
        if self.role == Role::Viewer {
            return Err("your link is view-only: nothing here is yours to undo".to_owned());
        }
        let document = match uri {
            None => self.written_last.clone(),
            Some(uri) => {
                let named = self.document_named(uri);
                Some(named.ok_or_else(|| format!("{uri} is no open file of this project"))?)
            }
        };
        Ok(document.is_some_and(|document| self.undo_in(&document, way)))
    }

    fn undo_in(&mut self, document: &DocumentId, way: Way) -> bool {
        let (now, store_at) = (self.clock.now(), self.clock.after(STORE_MS));
        let Some(room) = self.rooms.get_mut(document) else {
            return false;
        };
        let Some(open) = room.open_mut() else {
            return false;
        };
        let event = match way {
            Way::Undo => Event::Undo,
            Way::Redo => Event::Redo,
        };
        let effects = open.document.handle(event, now);
        let is_done = effects
            .iter()
            .any(|effect| matches!(effect, Effect::Send { .. }));
        if is_done {
            room.store_by(store_at);
        }
        self.perform(document, effects);
        if is_done {
            self.caret_moved(document);
            self.hints_changed();
        }
        is_done
    }
}
