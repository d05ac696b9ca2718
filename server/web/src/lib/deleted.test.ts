import { describe, expect, it } from 'vitest';
import { DeletedFiles, named } from './deleted';
import { TOLD_MS } from './told';

const state = (name: string, deleted: unknown) => ({ user: { name }, deleted });

describe('who has deleted a file', () => {
  it('is told for a while, each time under another number', () => {
    const files = new DeletedFiles();
    expect(files.tells(0)).toBeUndefined();
    files.deletes(['a', 'b'], 0);
    files.deletes(['a'], 10);
    expect(files.tells(10)).toEqual({ a: 3, b: 2 });
    expect(files.tells(TOLD_MS)).toEqual({ a: 3 });
    expect(files.tells(TOLD_MS + 10)).toBeUndefined();
    files.deletes(Array.from({ length: 1_000 }, (_, n) => `d${n}`), 0);
    expect(Object.keys(files.tells(0) ?? {}).length).toBe(40);
  });

  it('is told when one is brought back, once, and not by themselves', () => {
    const files = new DeletedFiles();
    const listed = (ids: string[]) => ids.map((id) => ({ id, path: `src/${id}` }));
    files.deletes(['a', 'b', 'c'], 0);
    expect(files.back(listed(['d']))).toEqual([]);
    files.putBack('b');
    expect(files.back(listed(['a', 'b', 'd']))).toEqual(['src/a']);
    expect(files.back(listed(['a', 'b', 'd']))).toEqual([]);
    expect([['a'], ['a', 'b'], ['a', 'b', 'c']].map(named)).toEqual(['a is', 'a and another file are', 'a and 2 other files are']);
  });

  it('is who has told so last', () => {
    const files = new DeletedFiles();
    const states = new Map<number, unknown>([[7, state('Bob', { a: 1 })]]);
    files.hear(states);
    expect([files.by('a'), files.by('b')]).toEqual(['Bob', undefined]);
    states.set(3, state('Cem', { a: 1 }));
    files.hear(states);
    files.hear(states);
    expect(files.by('a')).toBe('Cem');
    states.set(7, state('Bob', { a: 2 }));
    files.hear(states);
    expect(files.by('a')).toBe('Bob');
  });

  it('may be anything', () => {
    const files = new DeletedFiles();
    const states = [null, 1, 'text', {}, { deleted: { a: 1 } }, state('Bob', null), state('Bob', [1.5]), state('Bob', { a: '1' })];
    files.hear(new Map(states.map((state, client) => [client, state])));
    expect(files.by('a')).toBeUndefined();
    files.hear(new Map([[1, state('Bob', Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`d${n}`, n])))]]));
    expect(files.by('d4999')).toBe('Bob');
  });
});
