import { beforeEach, describe, expect, it } from 'vitest';
import { Ledger } from './ledger';

let ledger: Ledger;

/** A connection whose first exchange is acknowledged. */
function join() {
  ledger.connected();
  ledger.sentStep1();
  ledger.sentStep2();
  ledger.acknowledged(true);
}

function type(edits = 1) {
  for (let edit = 0; edit < edits; edit += 1) {
    ledger.edited();
    ledger.sentUpdate();
  }
}

beforeEach(() => {
  ledger = new Ledger();
});

describe('online', () => {
  it('an edit is pending until its own acknowledgement', () => {
    join();
    type(2);
    expect(ledger.pending).toBe(2);
    ledger.acknowledged(true);
    expect(ledger.pending).toBe(1);
    expect(ledger.idle).toBe(false);
    ledger.acknowledged(true);
    expect(ledger.pending).toBe(0);
    expect(ledger.idle).toBe(true);
  });

  it('acknowledgements that nobody waits for change nothing', () => {
    join();
    ledger.acknowledged(true);
    type();
    expect(ledger.pending).toBe(1);
  });
});

describe('over a cut', () => {
  it('the queue of offline edits proves nothing, Step2 proves all of them', () => {
    join();
    for (let edit = 0; edit < 3; edit += 1) ledger.edited();
    ledger.connected();
    ledger.sentStep1();
    // The provider flushes its queue on the first message, ahead of its Step2.
    for (let queued = 0; queued < 3; queued += 1) ledger.sentUpdate();
    ledger.sentStep2();
    ledger.acknowledged(true);
    ledger.acknowledged(true);
    ledger.acknowledged(true);
    expect(ledger.pending).toBe(3);
    ledger.acknowledged(true);
    expect(ledger.pending).toBe(0);
  });

  it.each([
    ['before', 0],
    ['after', 1],
  ])('a Step2 that the server asks for on top is not waited for, %s the acknowledged one', (_, silent) => {
    join();
    ledger.edited();
    ledger.connected();
    ledger.sentStep1();
    ledger.sentUpdate();
    const answered: number[] = [];
    for (const step of [0, 1]) {
      ledger.sentStep2();
      if (step !== silent) answered.push(step);
      type();
    }
    // For the queued update, the one Step2, and the two edits.
    const acknowledgements = 1 + answered.length + 2;
    for (let at = 0; at < acknowledgements; at += 1) {
      expect(ledger.pending).toBeGreaterThan(0);
      ledger.acknowledged(true);
    }
    expect(ledger.pending).toBe(0);
    expect(ledger.idle).toBe(true);
  });

  it('an edit under way when the connection broke stays pending', () => {
    join();
    type();
    ledger.connected();
    expect(ledger.pending).toBe(1);
    ledger.sentStep1();
    ledger.sentStep2();
    type();
    ledger.acknowledged(true);
    expect(ledger.pending).toBe(1);
    ledger.acknowledged(true);
    expect(ledger.pending).toBe(0);
  });

  it('an edit made between connecting and Step2 is proved by Step2', () => {
    ledger.connected();
    ledger.sentStep1();
    type();
    ledger.sentStep2();
    ledger.acknowledged(true);
    expect(ledger.pending).toBe(1);
    ledger.acknowledged(true);
    expect(ledger.pending).toBe(0);
  });
});

describe('refused', () => {
  it('nothing counts as saved until a new exchange succeeds', () => {
    join();
    type(2);
    ledger.acknowledged(false);
    ledger.acknowledged(true);
    expect(ledger.refused).toBe(true);
    expect(ledger.pending).toBe(2);
    join();
    expect(ledger.refused).toBe(false);
    expect(ledger.pending).toBe(0);
  });

  it('a viewer who changed nothing is refused nothing', () => {
    ledger.connected();
    ledger.sentStep1();
    ledger.sentStep2();
    ledger.acknowledged(false);
    expect(ledger.refused).toBe(false);
  });
});
