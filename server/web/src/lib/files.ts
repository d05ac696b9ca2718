/**
 * The project index: a Y.Doc whose root map `files` holds, for each document id,
 * a Y.Map `{ path, eol, executable, created_at, created_by }`. Files that are no
 * texts stand in the root map `blobs`, where `content` takes the place of `eol`:
 * `{ sha256, bytes, replaces }`, without `sha256` once the file was deleted.
 */
import * as Y from 'yjs';
import { checkPath, foldPath } from './path';

/** A file as the index claims it. */
export interface FileEntry {
  id: string;
  path: string;
  blob?: Blob;
}

/** The content of a file that is no text. */
export interface Blob {
  sha256: string;
  bytes: number;
}

/** A file as people see it. */
export interface ShownFile {
  id: string;
  /** The path it is shown under; unlike any other's. */
  path: string;
  /** The path its entry claims; differs from `path` where another entry claims it too. */
  claimed: string;
  blob?: Blob;
}

export const FILES_ROOT = 'files';
export const BLOBS_ROOT = 'blobs';

/** The most earlier contents that an entry names. */
const REPLACES_MAX = 16;

const INDEX_ID = 'index';

/** The entries of an index document that have an id and a path; anyone may have written the others. */
export function readEntries(doc: Y.Doc): FileEntry[] {
  const entries = new Map<string, FileEntry>();
  for (const root of [BLOBS_ROOT, FILES_ROOT]) {
    for (const [id, value] of doc.getMap(root)) {
      if (!(value instanceof Y.Map) || id === INDEX_ID || !/^[A-Za-z0-9_-]{1,64}$/.test(id)) continue;
      const path: unknown = value.get('path');
      if (typeof path !== 'string') continue;
      if (root === FILES_ROOT) entries.set(id, { id, path });
      else {
        const blob = readBlob(value.get('content'));
        if (blob) entries.set(id, { id, path, blob });
      }
    }
  }
  return [...entries.values()];
}

/** What an entry says of its content; `undefined` where the file was deleted. */
function readBlob(content: unknown): Blob | undefined {
  const { sha256, bytes } = fieldsOf(content);
  if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) return undefined;
  return { sha256, bytes: typeof bytes === 'number' ? bytes : 0 };
}

function fieldsOf(content: unknown): Record<string, unknown> {
  return typeof content === 'object' && content !== null ? { ...content } : {};
}

/**
 * Which file shows under which path, as `protocol/src/index.rs` has it (both run
 * `protocol/testdata/visible.json`): of several entries that claim one path the
 * smallest id keeps it, the others get ` (ID)` ahead of the extension, ID being
 * as much of their id as makes the name free. Refused paths are left out.
 */
export function shownFiles(entries: readonly FileEntry[]): ShownFile[] {
  const taken = new Set<string>();
  const shown: ShownFile[] = [];
  const losers: FileEntry[] = [];
  const show = ({ id, path: claimed, blob }: FileEntry, path: string) =>
    shown.push({ id, path, claimed, ...(blob ? { blob } : {}) });
  const byId = [...entries].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  for (const entry of byId) {
    const { path } = entry;
    if (checkPath(path) !== undefined) continue;
    const key = foldPath(path);
    if (taken.has(key)) {
      losers.push(entry);
    } else {
      taken.add(key);
      show(entry, path);
    }
  }
  // Where to go on counting, by the name with the whole id: thousands of ids may look alike.
  const next = new Map<string, number>();
  for (const entry of losers) {
    const { id, path: claimed } = entry;
    for (const mark of marks(id, foldPath(withMark(claimed, id)), next)) {
      const path = withMark(claimed, mark);
      if (checkPath(path) !== undefined) break;
      const key = foldPath(path);
      if (taken.has(key)) continue;
      taken.add(key);
      show(entry, path);
      break;
    }
  }
  return shown;
}

function* marks(id: string, whole: string, next: Map<string, number>): Generator<string> {
  for (let end = Math.min(4, id.length); end <= id.length; end += 1) yield id.slice(0, end);
  for (let count = next.get(whole) ?? 2; ; count += 1) {
    next.set(whole, count + 1);
    yield `${id} ${count}`;
  }
}

function withMark(path: string, mark: string): string {
  const name = path.lastIndexOf('/') + 1;
  const dot = path.lastIndexOf('.');
  // A leading dot starts a hidden file's name, not an extension.
  return dot > name ? `${path.slice(0, dot)} (${mark})${path.slice(dot)}` : `${path} (${mark})`;
}

export function addFile(doc: Y.Doc, id: string, path: string, by: string, nowMs: number): void {
  const entry = new Y.Map<unknown>(
    Object.entries({ path, eol: 'lf', executable: false, created_at: nowMs, created_by: by }),
  );
  doc.getMap(FILES_ROOT).set(id, entry);
}

/** Gives entries new paths, in one step for the others. */
export function renameFiles(doc: Y.Doc, paths: ReadonlyMap<string, string>): void {
  doc.transact(() => {
    for (const [id, path] of paths) {
      const entry = doc.getMap(FILES_ROOT).get(id) ?? doc.getMap(BLOBS_ROOT).get(id);
      if (entry instanceof Y.Map) entry.set('path', path);
    }
  });
}

/**
 * Takes entries out of the index, in one step for the others; their texts stay on the server. What
 * is no text stays listed as deleted, with what was known of it: somebody may be changing it.
 */
export function removeFiles(doc: Y.Doc, ids: Iterable<string>): void {
  const files = doc.getMap(FILES_ROOT);
  doc.transact(() => {
    for (const id of ids) {
      files.delete(id);
      const entry = doc.getMap(BLOBS_ROOT).get(id);
      if (entry instanceof Y.Map) entry.set('content', deletion(entry.get('content')));
    }
  });
}

function deletion(content: unknown): { replaces: string[] } {
  const { sha256, replaces } = fieldsOf(content);
  const before = [sha256, ...(Array.isArray(replaces) ? replaces : [])];
  return { replaces: before.filter((hash) => typeof hash === 'string').slice(0, REPLACES_MAX) };
}
