/**
 * Who has deleted which file: they name it as `deleted` in the index's room
 * before they take its entry out. Who has one of them open may bring it back, which whoever has
 * deleted it is told.
 */
import { readUser } from './person';
import { ToldFiles } from './told';

/** Anybody may write what is read here: so much is remembered. */
const KNOWN = 1_000;

/** A file as the list has it. */
interface Listed {
  id: string;
  path: string;
}

/** What this person tells, and what the others have told. */
export class DeletedFiles {
  readonly #told = new ToldFiles();
  readonly #heard = new Set<string>();
  readonly #by = new Map<string, string>();
  readonly #mine = new Set<string>();

  /** The person deletes these. */
  deletes(ids: Iterable<string>, now: number): void {
    if (this.#mine.size >= KNOWN) this.#mine.clear();
    const all = [...ids];
    this.#told.add(all, now);
    for (const id of all) this.#mine.add(id);
  }

  /** The person has put this file back: nobody needs to tell them. */
  putBack(id: string): void {
    this.#mine.delete(id);
  }

  /** The paths of those that they had deleted and that are listed again, once. */
  back(files: readonly Listed[]): string[] {
    return files.filter(({ id }) => this.#mine.delete(id)).map(({ path }) => path);
  }

  /** The field of their state; `undefined` for none. */
  tells(now: number): Record<string, number> | undefined {
    return this.#told.tells(now);
  }

  /** What the states of others say. */
  hear(states: ReadonlyMap<number, unknown>): void {
    for (const [clientId, state] of states) {
      const by = readUser(state)?.name;
      const deleted = (state as { deleted?: unknown } | null)?.deleted;
      if (by === undefined || typeof deleted !== 'object' || deleted === null) continue;
      for (const [id, number] of Object.entries(deleted)) {
        const time = `${clientId} ${number} ${id}`;
        if (!Number.isSafeInteger(number) || this.#heard.has(time)) continue;
        if (this.#heard.size >= KNOWN) this.#heard.clear();
        if (this.#by.size >= KNOWN) this.#by.clear();
        this.#heard.add(time);
        this.#by.set(id, by);
      }
    }
  }

  /** Who has deleted a file, as far as they have told. */
  by(id: string): string | undefined {
    return this.#by.get(id);
  }
}

/** These files, as the start of a sentence: `a is`, `a and 2 other files are`. */
export function named(paths: readonly string[]): string {
  const [first, ...others] = paths;
  if (others.length === 0) return `${first} is`;
  return `${first} and ${others.length === 1 ? 'another file' : `${others.length} other files`} are`;
}
