import { EditorView, ViewPlugin, type ViewUpdate } from '@codemirror/view';
import type { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import { readUser, samePerson, type User } from '../lib/person';
import { readCaret } from './presence';

/** Where `user`'s caret is in `text`, in UTF-16 code units; `undefined` where they show none here. */
export function caretOf(user: User, awareness: Awareness, text: Y.Text): number | undefined {
  const { doc } = text;
  if (!doc) return undefined;
  for (const [clientId, state] of awareness.getStates()) {
    if (clientId === awareness.clientID) continue;
    const theirs = readUser(state);
    if (!theirs || !samePerson(theirs, user)) continue;
    const caret = readCaret(state);
    const place = caret && Y.createAbsolutePositionFromRelativePosition(caret.head, doc);
    if (place?.type === text) return place.index;
  }
  return undefined;
}

/** Scrolls to where `user`'s caret is. */
export function showCaretOf(view: EditorView, user: User, awareness: Awareness, text: Y.Text): void {
  const at = caretOf(user, awareness, text);
  if (at === undefined || at > view.state.doc.length) return;
  view.dispatch({ effects: EditorView.scrollIntoView(at, { y: 'center' }) });
}

/** Calls `left` when the person at this page types, scrolls or clicks: then they go their own way. */
export function ownWay(left: () => void) {
  return [
    EditorView.domEventHandlers({
      wheel: left,
      touchmove: left,
      pointerdown: left,
      keydown: left,
    }),
    ViewPlugin.define(() => ({
      update(update: ViewUpdate) {
        if (update.transactions.some((tr) => tr.isUserEvent('input') || tr.isUserEvent('delete'))) left();
      },
    })),
  ];
}
