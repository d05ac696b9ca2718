/**
 * What of a room's local edits the server has acknowledged as durable.
 *
 * The server sends one SyncStatus for each Update and for one Step2 to each Step1
 * of ours, in their order, each once all that it got until then is durable. A
 * Step2 that it asks for on top, because it lacks what an Update builds on, goes
 * without. The provider's own counter starts over at one with every
 * reconnect, so that the first acknowledgement of a queue of offline edits makes
 * it zero while the others are still under way. This ledger counts the frames
 * that really went over the wire, and calls an edit saved only when a frame that
 * is known to hold it has been acknowledged.
 */
export class Ledger {
  /** Local edits made so far. */
  #made = 0;
  /** Of those, how many are durable (always a prefix). */
  #durable = 0;
  /** For each unacknowledged frame of this connection: the edits it proves durable. */
  #underWay: number[] = [];
  /** Whether Step2 has gone out on this connection; it holds every edit the server lacks. */
  #handedOver = false;
  #refused = false;
  /** Step2 frames that will still be acknowledged: one for each Step1 of ours. */
  #step2Due = 0;

  /** Edits that are not known to be durable. */
  get pending(): number {
    return this.#made - this.#durable;
  }

  /** Whether no frame waits for its acknowledgement. */
  get idle(): boolean {
    return this.#underWay.length === 0;
  }

  /** Whether the server refused an edit since the exchange began. */
  get refused(): boolean {
    return this.#refused;
  }

  edited(): void {
    this.#made += 1;
  }

  /**
   * The exchange starts anew: what was under way will never be answered, and the
   * coming Step2 holds every edit the server lacks, refused ones too.
   */
  connected(): void {
    this.#underWay = [];
    this.#handedOver = false;
    this.#refused = false;
    this.#step2Due = 0;
  }

  sentStep1(): void {
    this.#step2Due += 1;
  }

  /**
   * Which Step2 goes without an acknowledgement cannot be seen. The last ones are
   * taken for it: then a later acknowledgement may stand for an earlier frame,
   * which it proves durable just as well.
   */
  sentStep2(): void {
    this.#handedOver = true;
    if (this.#step2Due === 0) return;
    this.#step2Due -= 1;
    this.#underWay.push(this.#made);
  }

  /**
   * An update sent ahead of Step2 may be an old one out of the provider's queue:
   * it proves nothing. After Step2 every edit is sent as it is made.
   */
  sentUpdate(): void {
    this.#underWay.push(this.#handedOver ? this.#made : 0);
  }

  acknowledged(applied: boolean): void {
    const covered = this.#underWay.shift();
    if (covered === undefined) return;
    if (!applied) {
      this.#refused ||= this.pending > 0;
    } else if (!this.#refused) {
      this.#durable = Math.max(this.#durable, covered);
    }
  }
}
