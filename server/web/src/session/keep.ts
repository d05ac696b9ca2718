import * as Y from 'yjs';
import { randomId } from '../lib/person';

/**
 * Edits that the server has not acknowledged, kept by the browser: a phone
 * throws pages away as it likes. The next page that opens the project sends
 * them again; Yjs takes an update twice without harm.
 */
export class Keep {
  readonly #store: KeepStore;
  /** Tells this page's records from those of other pages on the same room. */
  readonly #page = randomId();
  readonly #left = new Map<string, KeptRecord[]>();
  readonly #held = new Map<string, Held>();

  constructor(store: KeepStore, left: readonly KeptRecord[]) {
    this.#store = store;
    for (const record of left) this.#left.set(record.room, [...(this.#left.get(record.room) ?? []), record]);
  }

  /** Rooms for which an earlier page left edits behind. */
  get rooms(): string[] {
    return [...this.#left.keys()];
  }

  /** The edits that were left behind for a room; from now on they are this page's to send. */
  take(room: string): Uint8Array[] {
    const records = this.#left.get(room) ?? [];
    this.#left.delete(room);
    if (records.length > 0) this.#of(room).others.push(...records.map((record) => record.key));
    return records.map((record) => record.update);
  }

  /** Holds an edit; it is written down where it is not released soon. */
  hold(room: string, update: Uint8Array): void {
    const held = this.#of(room);
    held.updates.push(update);
    held.timer ??= setTimeout(() => this.#write(room, held), WRITE_AFTER_MS);
  }

  /** Everything of this room is durable on the server. */
  release(room: string): void {
    const held = this.#held.get(room);
    if (!held) return;
    this.#held.delete(room);
    clearTimeout(held.timer);
    if (held.written) this.#store.remove(this.#key(room));
    for (const key of held.others) this.#store.remove(key);
  }

  /** Writes everything down at once: the page may be gone in a moment. */
  flush(): void {
    for (const [room, held] of this.#held) {
      if (held.timer !== undefined) this.#write(room, held);
    }
  }

  /** Forgets everything that is not saved. */
  async discard(): Promise<void> {
    for (const room of [...this.#held.keys()]) this.release(room);
    await this.#store.settled();
  }

  #write(room: string, held: Held): void {
    clearTimeout(held.timer);
    held.timer = undefined;
    held.written = true;
    held.updates = [Y.mergeUpdates(held.updates)];
    this.#store.put({ key: this.#key(room), room, update: held.updates[0] as Uint8Array });
  }

  #key(room: string): string {
    return `${room} ${this.#page}`;
  }

  #of(room: string): Held {
    let held = this.#held.get(room);
    if (!held) {
      held = { updates: [], others: [], written: false, timer: undefined };
      this.#held.set(room, held);
    }
    return held;
  }
}

export interface KeptRecord {
  /** `ROOM PAGE`, so that a project's records lie side by side. */
  key: string;
  room: string;
  update: Uint8Array;
}

/** Where records outlive the page. Writes take effect in their order. */
export interface KeepStore {
  put(record: KeptRecord): void;
  remove(key: string): void;
  /** Until all writes so far have taken effect. */
  settled(): Promise<void>;
}

interface Held {
  updates: Uint8Array[];
  /** Records of earlier pages that this page has taken over. */
  others: string[];
  written: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** A server that answers at all answers sooner, so that nothing is written in the normal course. */
const WRITE_AFTER_MS = 400;
