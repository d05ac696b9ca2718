import { expect, it } from 'vitest';
import { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import type { User } from '../lib/person';
import { caretOf } from './follow';

const ada: User = { name: 'Ada', color: '#ff0000', colorLight: '#ff000033' };

function room(content: string) {
  const doc = new Y.Doc();
  const text = doc.getText('content');
  text.insert(0, content);
  const awareness = new Awareness(doc);
  const claim = (client: number, state: Record<string, unknown>) => awareness.states.set(client, state);
  const at = (index: number) => Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(text, index));
  return { doc, text, awareness, claim, at, end: () => awareness.destroy() };
}

it('finds a caret, and moves it with the text', () => {
  const { text, awareness, claim, at, end } = room('fn main() {}');
  claim(1, { user: { ...ada, name: 'Bob' }, cursor: { anchor: at(0), head: at(0) } });
  claim(2, { user: ada, cursor: { anchor: at(3), head: at(3) } });
  expect(caretOf(ada, awareness, text)).toBe(3);
  text.insert(0, 'pub ');
  expect(caretOf(ada, awareness, text)).toBe(7);
  end();
});

it.each([
  ['no cursor', undefined],
  ['a cursor of null', null],
  ['a head that is no position', { anchor: 1, head: 'x' }],
  ['a position in no text', { anchor: {}, head: { tname: 'elsewhere', item: null } }],
])('is not misled by %s', (_, cursor) => {
  const { text, awareness, claim, end } = room('text');
  claim(2, { user: ada, cursor });
  expect(caretOf(ada, awareness, text)).toBeUndefined();
  end();
});
