import { describe, expect, it } from 'vitest';
import type { ShownFile } from './files';
import { filterRows, foldersOf, treeRows } from './tree';

const files = (...paths: string[]): ShownFile[] =>
  paths.map((path, at) => ({ id: `id${at}`, path, claimed: path }));

/** The tree as people see it: folders end in `/` (open) or `/…` (closed). */
const drawn = (paths: string[], ...open: string[]) =>
  treeRows(files(...paths), new Set(open)).map(
    (row) => '  '.repeat(row.level - 1) + row.name + (row.kind === 'folder' ? (row.open ? '/' : '/…') : ''),
  );

describe('the tree', () => {
  const paths = ['b.rs', 'src/main.rs', 'src/room/mod.rs', 'A.md', 'docs/x.md', 'file10', 'file9'];

  it('shows closed folders first, then files, in natural order', () => {
    expect(drawn(paths)).toEqual(['docs/…', 'src/…', 'A.md', 'b.rs', 'file9', 'file10']);
  });

  it('shows what open folders hold', () => {
    expect(drawn(paths, 'src')).toEqual([
      'docs/…', 'src/', '  room/…', '  main.rs', 'A.md', 'b.rs', 'file9', 'file10',
    ]);
    expect(drawn(paths, 'src', 'src/room').slice(1, 4)).toEqual(['src/', '  room/', '    mod.rs']);
  });

  it('shows a file and a folder that share a name', () => {
    expect(drawn(['a', 'a/b'], 'a')).toEqual(['a/', '  b', 'a']);
  });

  it('is fast with ten thousand files', () => {
    const many = Array.from({ length: 10_000 }, (_, at) => `dir${at % 100}/sub${at % 7}/file${at}.rs`);
    expect(drawn(many)).toHaveLength(100);
  });
});

describe('the filter', () => {
  const all = files('src/room/mod.rs', 'src/main.rs', 'README.md', 'tests/Main_room.rs');
  const found = (query: string, limit = 10) => filterRows(all, query, limit).map((row) => row.path);

  it('wants every word, in any case and order', () => {
    expect(found('room')).toEqual(['src/room/mod.rs', 'tests/Main_room.rs']);
    expect(found('ROOM main')).toEqual(['tests/Main_room.rs']);
    expect(found('nothing')).toEqual([]);
  });

  it('stops at its limit', () => {
    expect(found('r', 2)).toHaveLength(2);
  });
});

it('knows the folders on the way to a file', () => {
  expect(foldersOf('a/b/c.rs')).toEqual(['a', 'a/b']);
  expect(foldersOf('c.rs')).toEqual([]);
});
