import { beforeEach, describe, expect, it } from 'vitest';
import { collabAddress, forgetToken, parsePlace, parseShareLink, placeAddress, recallToken } from './link';

class MemoryStorage implements Storage {
  readonly #items = new Map<string, string>();
  get length() {
    return this.#items.size;
  }
  clear = () => this.#items.clear();
  getItem = (key: string) => this.#items.get(key) ?? null;
  key = (index: number) => [...this.#items.keys()][index] ?? null;
  removeItem = (key: string) => void this.#items.delete(key);
  setItem = (key: string, value: string) => void this.#items.set(key, value);
}

describe('a pasted link', () => {
  it.each([
    ['http://127.0.0.1:4400/p/abc#T0ken_-', 'http://127.0.0.1:4400/p/abc#T0ken_-'],
    ['  https://h/p/abc#T\n', 'https://h/p/abc#T'],
    ['https://example.org/tutti/p/abc#T', 'https://example.org/tutti/p/abc#T'],
    ['http://h/p/abc?file=a.rs#T', 'http://h/p/abc?file=a.rs#T'],
    ['http://h/p/abc/#T', 'http://h/p/abc/#T'],
  ])('%j opens', (text, address) => {
    expect(parseShareLink(text)).toBe(address);
  });

  it.each([
    '', 'abc', 'http://h/p/abc', 'http://h/p/abc#', 'ftp://h/p/a#t', 'http://h/x#t', 'http://h/p/a/b#t',
    'javascript:alert(1)//p/a#t', `http://h/p/${'a'.repeat(65)}#t`, 'http://h/p/a%20b#t',
  ])('%j is none', (text) => {
    expect(parseShareLink(text)).toBeUndefined();
  });
});

describe('the address of the page', () => {
  const place = (path: string) => parsePlace(new URL(path, 'http://h'));

  it('names project, token and file', () => {
    expect(place('/p/abc?file=src/a%20b.rs#T')).toEqual({ project: 'abc', token: 'T', file: 'src/a b.rs' });
    expect(place('/p/abc')).toEqual({ project: 'abc' });
    expect(place('/p/abc/')).toEqual({ project: 'abc' });
  });

  it.each(['/', '/p/', '/q/abc#T', '/p/a/b#T', '/p/a.b#T'])('%s names none', (path) => {
    expect(place(path)).toEqual({});
  });

  it.each(['src/main.rs', 'a b&c=d#e%.txt', 'naïve/ファイル.txt', 'a+b.c'])('comes back for the file %s', (file) => {
    expect(place(placeAddress({ project: 'abc', token: 'T_-', file }))).toEqual({ project: 'abc', token: 'T_-', file });
  });

  it('leads to the socket', () => {
    expect(collabAddress(new URL('https://h:8443/p/abc?file=x#T'))).toBe('wss://h:8443/collab');
    expect(collabAddress(new URL('http://h/p/abc'))).toBe('ws://h/collab');
  });
});

describe('the token', () => {
  let store: Storage;
  beforeEach(() => (store = new MemoryStorage()));

  it('outlives a reload without the fragment, for its project alone', () => {
    expect(recallToken({ project: 'a', token: 'T' }, store)).toBe('T');
    expect(recallToken({ project: 'a' }, store)).toBe('T');
    expect(recallToken({ project: 'b' }, store)).toBeUndefined();
    expect(recallToken({}, store)).toBeUndefined();
  });

  it('gives way to a newer one, and can be forgotten', () => {
    recallToken({ project: 'a', token: 'old' }, store);
    expect(recallToken({ project: 'a', token: 'new' }, store)).toBe('new');
    expect(recallToken({ project: 'a' }, store)).toBe('new');
    forgetToken('a', store);
    expect(recallToken({ project: 'a' }, store)).toBeUndefined();
  });
});
