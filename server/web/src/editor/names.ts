/** The names on others' carets: shown for a moment when a caret moves, and on hover. */
import { Transaction } from '@codemirror/state';
import { type EditorView, ViewPlugin, type ViewUpdate } from '@codemirror/view';
import * as Y from 'yjs';
import type { AwarenessView, Caret } from './presence';

const SHOWN_MS = 2_500;
const FADE: Keyframe[] = [{ opacity: 1 }, { opacity: 1, offset: 0.85 }, { opacity: 0 }];

/** Comes after y-codemirror.next, which draws the carets. */
export function caretNames(awareness: AwarenessView) {
  return ViewPlugin.define((view) => {
    const places = new Map<number, string>();

    /** Who has moved since the last look. */
    function moved(update?: ViewUpdate): Set<string> {
      const names = new Set<string>();
      const states = awareness.getStates();
      for (const clientId of places.keys()) if (!states.has(clientId)) places.delete(clientId);
      for (const [clientId, { user, cursor }] of states) {
        if (clientId === awareness.doc.clientID) continue;
        const place = JSON.stringify(cursor);
        const typed = update !== undefined && cursor !== null && writesAt(update, cursor, awareness.doc);
        if (cursor !== null && (places.get(clientId) !== place || typed)) names.add(user.name);
        places.set(clientId, place);
      }
      return names;
    }

    function show(names: Set<string>) {
      if (names.size === 0) return;
      // Once the carets are drawn.
      view.requestMeasure({ read: () => undefined, write: () => showNames(view, names) });
    }

    show(moved());
    return { update: (update) => show(moved(update)) };
  });
}

/**
 * Whether somebody else's edit ends at a caret. What a person types in front of
 * the text that their caret is bound to moves it without a new awareness state.
 */
function writesAt(update: ViewUpdate, caret: Caret, doc: Y.Doc): boolean {
  if (!update.docChanged || update.transactions.some((tr) => tr.annotation(Transaction.userEvent))) return false;
  const index = Y.createAbsolutePositionFromRelativePosition(caret.head, doc)?.index;
  let touched = false;
  update.changes.iterChanges((_fromA, _toA, _fromB, toB) => {
    touched ||= toB === index;
  });
  return touched;
}

function showNames(view: EditorView, names: ReadonlySet<string>) {
  for (const label of view.contentDOM.querySelectorAll('.cm-ySelectionInfo')) {
    if (!names.has(label.textContent ?? '')) continue;
    for (const running of label.getAnimations()) running.cancel();
    label.animate(FADE, SHOWN_MS);
  }
}
