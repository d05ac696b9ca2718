import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as Y from 'yjs';
import { Keep, type KeepStore, type KeptRecord } from './keep';

class MemoryStore implements KeepStore {
  readonly records = new Map<string, KeptRecord>();
  put = (record: KeptRecord) => void this.records.set(record.key, record);
  remove = (key: string) => void this.records.delete(key);
  settled = () => Promise.resolve();
}

let store: MemoryStore;
/** A page that opens now. */
const page = () => new Keep(store, [...store.records.values()]);

/** The updates of typing `texts`, one after the other. */
function typed(...texts: string[]): Uint8Array[] {
  const doc = new Y.Doc();
  const updates: Uint8Array[] = [];
  doc.on('update', (update: Uint8Array) => updates.push(update));
  for (const text of texts) doc.getText('content').insert(doc.getText('content').length, text);
  return updates;
}

function textOf(updates: Uint8Array[]): string {
  const doc = new Y.Doc();
  for (const update of updates) Y.applyUpdate(doc, update);
  return doc.getText('content').toString();
}

beforeEach(() => {
  store = new MemoryStore();
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

describe('unsaved edits', () => {
  it('that are saved soon are written nowhere', () => {
    const keep = page();
    for (const update of typed('a', 'b')) keep.hold('p/doc', update);
    keep.release('p/doc');
    vi.runAllTimers();
    expect(store.records.size).toBe(0);
  });

  it('come back on the next page, and go when they are saved', () => {
    const first = page();
    const [a, b, c] = typed('a', 'b', 'c') as [Uint8Array, Uint8Array, Uint8Array];
    first.hold('p/doc', a);
    first.hold('p/doc', b);
    vi.runAllTimers();
    first.hold('p/doc', c);
    vi.runAllTimers();
    expect(store.records.size).toBe(1);

    const second = page();
    expect(second.rooms).toEqual(['p/doc']);
    expect(textOf(second.take('p/doc'))).toBe('abc');
    expect(second.take('p/doc')).toEqual([]);
    expect(store.records.size).toBe(1);
    second.release('p/doc');
    expect(store.records.size).toBe(0);
  });

  it('of two pages on one room do not overwrite each other', () => {
    const pages = [page(), page()];
    pages.forEach((keep, at) => keep.hold('p/doc', typed(`page ${at}`)[0] as Uint8Array));
    vi.runAllTimers();
    const later = page();
    expect(later.take('p/doc')).toHaveLength(2);
    pages[0]?.release('p/doc');
    expect(store.records.size).toBe(1);
  });

  it('are written at once when the page may go', () => {
    const keep = page();
    keep.hold('p/doc', typed('x')[0] as Uint8Array);
    keep.flush();
    expect(textOf(page().take('p/doc'))).toBe('x');
  });

  it('can be discarded, those of earlier pages too', async () => {
    const first = page();
    first.hold('p/a', typed('x')[0] as Uint8Array);
    first.flush();
    const second = page();
    second.take('p/a');
    second.hold('p/b', typed('y')[0] as Uint8Array);
    second.flush();
    await second.discard();
    expect(store.records.size).toBe(0);
  });
});
