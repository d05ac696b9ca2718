/**
 * Others' carets out of awareness states, which anybody may have written.
 *
 * y-codemirror.next believes what it reads: a malformed state would end its
 * plugin, and a position without `assoc`, as some Yjs clients write it, would be
 * drawn one character off. So it sees the states through {@link checkedAwareness}.
 */
import type { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import { readUser, type User } from '../lib/person';

export interface Caret {
  anchor: Y.RelativePosition;
  head: Y.RelativePosition;
}

/** The root of a file's text. */
export const CONTENT = 'content';

/** The parts of Awareness that y-codemirror.next uses. */
export interface AwarenessView {
  doc: Y.Doc;
  on: Awareness['on'];
  off: Awareness['off'];
  getLocalState: Awareness['getLocalState'];
  setLocalStateField: Awareness['setLocalStateField'];
  getStates(): Map<number, { user: User; cursor: Caret | null }>;
}

/** `awareness` as y-codemirror.next may see it: only states of people, with sound carets. */
export function checkedAwareness(awareness: Awareness): AwarenessView {
  return {
    doc: awareness.doc,
    on: awareness.on.bind(awareness),
    off: awareness.off.bind(awareness),
    getLocalState: () => awareness.getLocalState(),
    setLocalStateField: (field, value) => awareness.setLocalStateField(field, value),
    getStates() {
      const checked = new Map<number, { user: User; cursor: Caret | null }>();
      for (const [clientId, state] of awareness.getStates()) {
        const user = readUser(state);
        if (user) checked.set(clientId, { user, cursor: readCaret(state) ?? null });
      }
      return checked;
    },
  };
}

/** The caret of a state; `undefined` where it shows none in the text. */
export function readCaret(state: unknown): Caret | undefined {
  const cursor = (state as { cursor?: unknown } | null)?.cursor as Record<string, unknown> | null | undefined;
  const anchor = readPosition(cursor?.anchor);
  const head = readPosition(cursor?.head);
  return anchor && head ? { anchor, head } : undefined;
}

function readPosition(json: unknown): Y.RelativePosition | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  const { type, tname, item, assoc } = json as Record<string, unknown>;
  const known = (item != null && isId(item)) || tname === CONTENT;
  const sound =
    (item == null || isId(item)) &&
    (type == null || isId(type)) &&
    (tname == null || tname === CONTENT) &&
    (assoc == null || Number.isInteger(assoc));
  return known && sound ? Y.createRelativePositionFromJSON(json) : undefined;
}

function isId(value: unknown): boolean {
  const { client, clock } = Object(value) as Record<string, unknown>;
  return Number.isSafeInteger(client) && Number.isSafeInteger(clock) && Number(clock) >= 0;
}
