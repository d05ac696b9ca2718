/** Edits that wait this long while the server says nothing at all mean that it is not there. */
export const SILENCE_MS = 10_000;

/**
 * Whether the server is still to be heard on a connection that looks open.
 *
 * A server that hangs and a network that goes without a close leave the socket
 * open for minutes. Once the server counts as lost, only a message from it ends
 * that: a new connection alone proves nothing.
 */
export class Hearing {
  #heardAt = 0;
  #lost = false;

  get lost(): boolean {
    return this.#lost;
  }

  /** The server has said something. Tells whether it had been lost. */
  heard(now: number): boolean {
    const found = this.#lost;
    this.#heardAt = now;
    this.#lost = false;
    return found;
  }

  /** The browser says that there is no network. A server on this machine may still be heard. */
  networkGone(): void {
    this.#lost = true;
  }

  /** Looks at the clock; `waitingMs` is for how long edits have been waiting for an acknowledgement. */
  check(now: number, waitingMs: number): void {
    // Nothing is expected of the server while nothing waits: its silence before the first edit does not count.
    if (Math.min(waitingMs, now - this.#heardAt) >= SILENCE_MS) this.#lost = true;
  }
}
