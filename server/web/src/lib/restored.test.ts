import { describe, expect, it } from 'vitest';
import { RestoredFiles } from './restored';

const state = (name: string, restored: unknown) => ({ user: { name }, restored });

describe('files whose deletion came to nothing', () => {
  it('are told of once each time', () => {
    const files = new RestoredFiles();
    const states = new Map<number, unknown>([[7, state('Bob', { a: 1 })]]);
    expect(files.news(states)).toEqual([{ id: 'a', by: 'Bob' }]);
    expect(files.news(states)).toEqual([]);
    expect(files.news(new Map())).toEqual([]);
    expect(files.news(states)).toEqual([]);
    states.set(7, state('Bob', { a: 2, b: 3 }));
    states.set(8, state('Cem', { a: 1 }));
    expect(files.news(states)).toEqual([
      { id: 'a', by: 'Bob' },
      { id: 'b', by: 'Bob' },
      { id: 'a', by: 'Cem' },
    ]);
  });

  it('are not told of to who has put them back', () => {
    const files = new RestoredFiles();
    files.putBack('a');
    expect(files.news(new Map([[7, state('Bob', { a: 1, b: 2 })]]))).toEqual([{ id: 'b', by: 'Bob' }]);
    expect(files.news(new Map([[7, state('Bob', { a: 3 })]]))).toEqual([{ id: 'a', by: 'Bob' }]);
  });

  it('may be anything', () => {
    const files = new RestoredFiles();
    const states = [null, 1, 'text', {}, { restored: { a: 1 } }, state('Bob', null), state('Bob', [1.5]), state('Bob', { a: '1' })];
    expect(files.news(new Map(states.map((state, client) => [client, state])))).toEqual([]);
    const many = Object.fromEntries(Array.from({ length: 2_000 }, (_, n) => [`d${n}`, n]));
    expect(files.news(new Map([[1, state('Bob', many)]])).length).toBe(1_000);
    expect(files.news(new Map([[2, state('Bob', { a: 1 })]]))).toEqual([]);
  });
});
