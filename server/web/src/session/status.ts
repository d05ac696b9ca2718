/** What the page says about the safety of the person's edits. */

export type StatusState = 'saved' | 'saving' | 'viewing' | 'offline' | 'error';

export interface Status {
  state: StatusState;
  /** For people; also announced by screen readers. */
  text: string;
  /** Edits that only this page holds. */
  unsaved: number;
}

export interface StatusFacts {
  /** The socket is open, the server is heard on it, and the index room has let us in. */
  online: boolean;
  /** It has been online before. */
  wasOnline: boolean;
  /** The link lets its holder look, and not write. */
  readonly: boolean;
  /** Edits not acknowledged as durable, over all rooms. */
  unsaved: number;
  /** Why the server does not take edits, where it said so. */
  refusal?: string;
  /** For how long the oldest edit has been waiting, in milliseconds. */
  waitingMs: number;
}

/** After this long without an acknowledgement the page says that it waits. */
export const SLOW_SAVE_MS = 8_000;

export function statusOf(facts: StatusFacts): Status {
  const { online, wasOnline, readonly, unsaved, refusal, waitingMs } = facts;
  if (refusal !== undefined) {
    return { state: 'error', text: `${unsaved > 0 ? 'not saved' : 'not connected'}: ${refusal}`, unsaved };
  }
  if (!online) {
    if (unsaved > 0) {
      const changes = unsaved === 1 ? '1 change' : `${unsaved} changes`;
      return { state: 'offline', text: `offline: ${changes} kept here`, unsaved };
    }
    return { state: 'offline', text: wasOnline ? 'offline: reconnecting…' : 'connecting…', unsaved };
  }
  if (unsaved > 0) {
    const text =
      waitingMs < SLOW_SAVE_MS
        ? 'saving…'
        : `saving… the server has not confirmed for ${Math.floor(waitingMs / 1000)} s`;
    return { state: 'saving', text, unsaved };
  }
  if (readonly) return { state: 'viewing', text: 'view only', unsaved };
  return { state: 'saved', text: 'saved', unsaved };
}
