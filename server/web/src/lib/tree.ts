/** Rows of the file tree, built from the shown files. */
import type { ShownFile } from './files';

export interface FileRow {
  kind: 'file';
  path: string;
  name: string;
  level: number;
  id: string;
}

export interface FolderRow {
  kind: 'folder';
  path: string;
  name: string;
  level: number;
  open: boolean;
}

export type Row = FileRow | FolderRow;

interface Folder {
  folders: Map<string, Folder>;
  files: { name: string; file: ShownFile }[];
}

const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });
const inOrder = (a: string, b: string) => collator.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);

/** The visible rows: folders ahead of files, the contents of open folders only. */
export function treeRows(files: readonly ShownFile[], openFolders: ReadonlySet<string>): Row[] {
  const rows: Row[] = [];
  addRows(rows, nest(files), '', 1, openFolders);
  return rows;
}

/** Files whose path holds every word of `query`, the shortest path first, at most `limit`. */
export function filterRows(files: readonly ShownFile[], query: string, limit: number): FileRow[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return files
    .filter(({ path }) => {
      const lower = path.toLowerCase();
      return words.every((word) => lower.includes(word));
    })
    .sort((a, b) => a.path.length - b.path.length || inOrder(a.path, b.path))
    .slice(0, limit)
    .map((file) => ({ kind: 'file', path: file.path, name: file.path, level: 1, id: file.id }));
}

/** The folders that hold `path`, outermost first. */
export function foldersOf(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(0, -1).map((_, depth) => parts.slice(0, depth + 1).join('/'));
}

function nest(files: readonly ShownFile[]): Folder {
  const root: Folder = { folders: new Map(), files: [] };
  for (const file of files) {
    const parts = file.path.split('/');
    const name = parts.pop() ?? file.path;
    let folder = root;
    for (const part of parts) {
      let next = folder.folders.get(part);
      if (!next) {
        next = { folders: new Map(), files: [] };
        folder.folders.set(part, next);
      }
      folder = next;
    }
    folder.files.push({ name, file });
  }
  return root;
}

function addRows(
  rows: Row[],
  folder: Folder,
  prefix: string,
  level: number,
  openFolders: ReadonlySet<string>,
): void {
  for (const name of [...folder.folders.keys()].sort(inOrder)) {
    const path = prefix + name;
    const open = openFolders.has(path);
    rows.push({ kind: 'folder', path, name, level, open });
    const child = folder.folders.get(name);
    if (open && child) addRows(rows, child, `${path}/`, level + 1, openFolders);
  }
  for (const { name, file } of folder.files.sort((a, b) => inOrder(a.name, b.name))) {
    rows.push({ kind: 'file', path: file.path, name, level, id: file.id });
  }
}
