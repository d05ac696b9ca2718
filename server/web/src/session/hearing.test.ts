import { describe, expect, it } from 'vitest';
import { Hearing, SILENCE_MS } from './hearing';

const T = 1_000_000;

describe('hearing', () => {
  it('loses a server that is silent while edits wait, and not before', () => {
    const hearing = new Hearing();
    hearing.heard(T);
    hearing.check(T + SILENCE_MS - 1, SILENCE_MS - 1);
    expect(hearing.lost).toBe(false);
    hearing.check(T + SILENCE_MS, SILENCE_MS);
    expect(hearing.lost).toBe(true);
  });

  it('does not count the silence before the first edit', () => {
    const hearing = new Hearing();
    hearing.heard(T);
    hearing.check(T + 10 * SILENCE_MS, 0);
    hearing.check(T + 10 * SILENCE_MS + 500, 500);
    expect(hearing.lost).toBe(false);
  });

  it('keeps a server that talks but does not acknowledge', () => {
    const hearing = new Hearing();
    hearing.heard(T + 5 * SILENCE_MS);
    hearing.check(T + 5 * SILENCE_MS + 1, 5 * SILENCE_MS);
    expect(hearing.lost).toBe(false);
  });

  it('stays lost until the server is heard, whatever the clock says', () => {
    const hearing = new Hearing();
    hearing.check(T, SILENCE_MS);
    // The wait starts over with a new connection.
    hearing.check(T + 1, 0);
    expect(hearing.lost).toBe(true);
    expect(hearing.heard(T + 2)).toBe(true);
    expect(hearing.lost).toBe(false);
    expect(hearing.heard(T + 3)).toBe(false);
  });

  it('is lost at once when the network goes, until a message comes all the same', () => {
    const hearing = new Hearing();
    hearing.heard(T);
    hearing.networkGone();
    expect(hearing.lost).toBe(true);
    hearing.heard(T + 1);
    expect(hearing.lost).toBe(false);
  });
});
