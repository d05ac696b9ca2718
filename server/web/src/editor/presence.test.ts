import { expect, it } from 'vitest';
import { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import { checkedAwareness, readCaret } from './presence';

const user = { name: 'Ada', color: '#ff0000', colorLight: '#ff000033' };
const item = { client: 7, clock: 3 };

it('reads carets of every Yjs client, with or without what may be left out', () => {
  for (const position of [
    { type: null, tname: 'content', item: null, assoc: 0 },
    { tname: 'content' },
    { item },
    { item, assoc: -1 },
    { type: { client: 7, clock: 0 }, tname: null, item, assoc: 0 },
  ]) {
    const caret = readCaret({ cursor: { anchor: position, head: position } });
    expect(caret?.head.assoc).toBe('assoc' in position ? position.assoc : 0);
  }
});

it.each([
  null, 7, 'x', [], {}, { item: 7 }, { item: { client: 'a', clock: 1 } }, { item: { client: 1, clock: -1 } },
  { tname: 'elsewhere' }, { tname: 'content', item: 'x' }, { item, type: 'x' }, { item, assoc: 'x' },
])('a position like %j is none', (position) => {
  const good = { tname: 'content' };
  expect(readCaret({ cursor: { anchor: good, head: position } })).toBeUndefined();
  expect(readCaret({ cursor: { anchor: position, head: good } })).toBeUndefined();
});

it('shows people only, and their carets only where they are sound', () => {
  const awareness = new Awareness(new Y.Doc());
  const caret = { anchor: { tname: 'content' }, head: { tname: 'content' } };
  awareness.states.set(1, { user, cursor: caret });
  awareness.states.set(2, { user, cursor: { anchor: 'x', head: 'y' } });
  awareness.states.set(3, { user: 'nobody', cursor: caret });
  const seen = checkedAwareness(awareness).getStates();
  expect([...seen.keys()]).toEqual([1, 2]);
  expect(seen.get(1)?.cursor?.head.tname).toBe('content');
  expect(seen.get(2)?.cursor).toBeNull();
  awareness.destroy();
});
