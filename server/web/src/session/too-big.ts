/** What happens when the server closes the connection because a message was too long for it. */

/** Before the first try again, and the longest wait. */
const FIRST_MS = 2_000;
const LONGEST_MS = 30_000;
/** After another edit, which may have made it shorter. */
const EDITED_MS = 1_000;

/**
 * Sending the same again at once would only close the connection again, with everything else on it. So there is a
 * pause, the longer the more often it happens, and as long as something is not saved the page says why.
 */
export class TooBig {
  #reason = '';
  #pauseMs = FIRST_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly connect: () => void) {}

  /** Why what was put in is not saved; empty where nothing is known to be too long. */
  get reason(): string {
    return this.#reason && `what you put in is more than the server takes at once (${this.#reason}): take it out and reload this page`;
  }

  /** The connection was closed, with the server's words. */
  closed(said: string): void {
    this.#reason = said;
    this.#connectIn(this.#pauseMs);
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_MS);
  }

  edited(): void {
    if (this.#timer !== undefined) this.#connectIn(EDITED_MS);
  }

  /** Everything is saved. */
  saved(): void {
    this.#reason = '';
    this.#pauseMs = FIRST_MS;
  }

  destroy(): void {
    clearTimeout(this.#timer);
  }

  #connectIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.connect();
    }, ms);
  }
}
