/**
 * Deletions that came to nothing: who deleted a file that somebody had changed
 * meanwhile finds it there again, and names it as `restored` in the index's
 * room, `{ DOCUMENT: NUMBER }` with another number each time.
 */
import { readUser } from './person';

/** A file that is there again. */
export interface Restored {
  id: string;
  /** Who had deleted it. */
  by: string;
}

/** Anybody may write what is read here: so many are told of, and no more. */
const TOLD = 1_000;

/** Which of them are news. */
export class RestoredFiles {
  readonly #known = new Set<string>();
  readonly #mine = new Set<string>();

  /** The person has put this file back: nobody needs to tell them. */
  putBack(id: string): void {
    this.#mine.add(id);
  }

  /** What the states of others say that they did not say before. */
  news(states: ReadonlyMap<number, unknown>): Restored[] {
    const news: Restored[] = [];
    for (const [clientId, state] of states) {
      const by = readUser(state)?.name;
      const restored = (state as { restored?: unknown } | null)?.restored;
      if (by === undefined || typeof restored !== 'object' || restored === null) continue;
      for (const [id, number] of Object.entries(restored)) {
        const time = `${clientId} ${number}`;
        if (!Number.isSafeInteger(number) || this.#known.has(time) || this.#known.size >= TOLD) continue;
        this.#known.add(time);
        if (!this.#mine.delete(id)) news.push({ id, by });
      }
    }
    return news;
  }
}
