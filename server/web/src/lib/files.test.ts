import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { addFile, readEntries, removeFiles, renameFiles, shownFiles } from './files';

interface Vector {
  claims: Record<string, string>;
  visible: Record<string, string>;
}

const table = new URL('../../../../protocol/testdata/visible.json', import.meta.url);
const vectors = JSON.parse(readFileSync(table, 'utf8')) as Vector[];

describe('shown paths', () => {
  it.each(vectors)('agree with the bridge and the server: $claims', ({ claims, visible }) => {
    const entries = Object.entries(claims).map(([id, path]) => ({ id, path }));
    const shown = shownFiles(entries).map(({ id, path }) => [id, path]);
    expect(Object.fromEntries(shown)).toEqual(visible);
  });

  it('do not depend on the order of the entries', () => {
    const entries = [
      { id: 'cccc', path: 'a.rs' },
      { id: 'bbbb', path: 'A.rs' },
      { id: 'aaaa', path: 'a.rs' },
    ];
    const inOrder = new Map(shownFiles(entries).map(({ id, path }) => [id, path]));
    const reversed = new Map(shownFiles([...entries].reverse()).map(({ id, path }) => [id, path]));
    expect(reversed).toEqual(inOrder);
    expect(inOrder.get('aaaa')).toBe('a.rs');
  });
});

describe('the index document', () => {
  it('keeps a file through a rename made elsewhere', () => {
    const here = new Y.Doc();
    const there = new Y.Doc();
    addFile(here, 'id1', 'old.rs', 'Ada', 1_790_000_000_000);
    Y.applyUpdate(there, Y.encodeStateAsUpdate(here));
    renameFiles(there, new Map([['id1', 'new.rs']]));
    addFile(here, 'id2', 'other.rs', 'Ada', 1_790_000_000_000);
    Y.applyUpdate(here, Y.encodeStateAsUpdate(there));
    expect(readEntries(here)).toEqual([
      { id: 'id1', path: 'new.rs' },
      { id: 'id2', path: 'other.rs' },
    ]);
    removeFiles(here, ['id1']);
    renameFiles(here, new Map([['id1', 'back.rs']]));
    expect(readEntries(here)).toEqual([{ id: 'id2', path: 'other.rs' }]);
  });

  it('lists what is no text, renames it, and keeps what was known of it when it is deleted', () => {
    const doc = new Y.Doc();
    const [now, before] = ['0a'.repeat(32), '0b'.repeat(32)];
    const content = { sha256: now, bytes: 5, replaces: [before] };
    doc.getMap('blobs').set('pic', new Y.Map<unknown>(Object.entries({ path: 'a.png', content })));
    doc.getMap('blobs').set('bad', new Y.Map<unknown>(Object.entries({ path: 'b.png', content: { sha256: '..' } })));
    renameFiles(doc, new Map([['pic', 'c.png']]));
    expect(shownFiles(readEntries(doc))).toEqual([
      { id: 'pic', path: 'c.png', claimed: 'c.png', blob: { sha256: now, bytes: 5 } },
    ]);
    removeFiles(doc, ['pic']);
    expect(readEntries(doc)).toEqual([]);
    const entry = doc.getMap('blobs').get('pic') as Y.Map<unknown>;
    expect(entry.get('content')).toEqual({ replaces: [now, before] });
  });

  it('leaves out what is no entry', () => {
    const doc = new Y.Doc();
    const files = doc.getMap('files');
    files.set('text', 'not a map');
    files.set('nopath', new Y.Map([['eol', 'lf']]));
    files.set('number', new Y.Map([['path', 7]]));
    addFile(doc, 'index', 'index.rs', 'Eve', 0);
    addFile(doc, 'bad id', 'x.rs', 'Eve', 0);
    expect(readEntries(doc)).toEqual([]);
  });
});
