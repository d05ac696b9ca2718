import * as encoding from 'lib0/encoding';
import { describe, expect, it } from 'vitest';
import { readLedgerEvent } from './wire';

function frame(room: string, ...numbers: number[]): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarString(encoder, room);
  for (const number of numbers) encoding.writeVarUint(encoder, number);
  return encoding.toUint8Array(encoder);
}

describe('frames', () => {
  it('that carry edits', () => {
    expect(readLedgerEvent(frame('p/doc', 0, 0, 1, 0))).toEqual({ room: 'p/doc', kind: 'step1' });
    expect(readLedgerEvent(frame('p/doc', 0, 1, 2, 0, 0))).toEqual({ room: 'p/doc', kind: 'step2' });
    expect(readLedgerEvent(frame('p/doc', 0, 2, 2, 0, 0))).toEqual({ room: 'p/doc', kind: 'update' });
    expect(readLedgerEvent(frame('p/doc', 4, 1, 2, 0, 0))).toEqual({ room: 'p/doc', kind: 'step2' });
    expect(readLedgerEvent(frame('p/doc\0key', 0, 2, 0))).toEqual({ room: 'p/doc', kind: 'update' });
  });

  it('that acknowledge them', () => {
    expect(readLedgerEvent(frame('p/doc', 8, 1))).toEqual({ room: 'p/doc', kind: 'status', applied: true });
    expect(readLedgerEvent(frame('p/doc', 8, 0))).toEqual({ room: 'p/doc', kind: 'status', applied: false });
  });

  it.each([
    ['awareness', frame('p/doc', 1, 0)],
    ['the token', frame('p/doc', 2, 0)],
    ['a ping', Uint8Array.of(9)],
    ['nothing', Uint8Array.of()],
    ['garbage', Uint8Array.of(255, 255, 255, 255, 255)],
    ['a frame that ends early', frame('p/doc', 0)],
  ])('that are not of the ledger: %s', (_, bytes) => {
    expect(readLedgerEvent(bytes)).toBeUndefined();
  });
});
