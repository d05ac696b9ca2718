/**
 * What a person tells the others of files, in the index's room:
 * `{ DOCUMENT: NUMBER }` with another number each time, before they change the
 * list by it.
 */

/** So many files are told of at a time: a state must not grow too long. */
const TOLD = 40;
/** For so long: who is there has heard of it by then. */
export const TOLD_MS = 30_000;

export class ToldFiles {
  #told: { id: string; number: number; until: number }[] = [];
  #number = 0;

  /** They tell of these. */
  add(ids: Iterable<string>, now: number): void {
    for (const id of ids) {
      this.#told.push({ id, number: ++this.#number, until: now + TOLD_MS });
    }
    this.#told = this.#told.slice(0, TOLD);
  }

  /** The field of their state; `undefined` for none. */
  tells(now: number): Record<string, number> | undefined {
    this.#told = this.#told.filter(({ until }) => until > now);
    if (this.#told.length === 0) return undefined;
    return Object.fromEntries(this.#told.map(({ id, number }) => [id, number]));
  }
}
