/** Who the person at this page is to the others: name and colour. */

/** Awareness field `user`, as y-codemirror.next draws it. */
export interface User {
  name: string;
  color: string;
  colorLight: string;
  /** Random per tab; ties a person's states in several rooms together. */
  id?: string;
}

/** Someone in the project, as the index room's awareness tells it. */
export interface Peer {
  clientId: number;
  user: User;
  /** Document id of the file they have open. */
  file?: string;
  you: boolean;
}

/** Readable as a caret on both backgrounds and as a badge under white letters. */
const COLOURS = [
  '#d9480f', '#c2255c', '#9c36b5', '#5f3dc4', '#3b5bdb',
  '#1971c2', '#0c8599', '#087f5b', '#2b8a3e', '#a35200',
] as const;

const MOODS = ['Brisk', 'Calm', 'Merry', 'Quiet', 'Bright', 'Gentle', 'Nimble', 'Sunny'] as const;
const PLAYERS = ['Oboe', 'Cello', 'Viola', 'Flute', 'Horn', 'Harp', 'Lute', 'Piccolo'] as const;

const NAME_KEY = 'tutti.name';
const COLOUR_KEY = 'tutti.colour';
const GUEST_KEY = 'tutti.guest';

export const NAME_MAX_CHARS = 40;

/** A person's name with the blanks and control characters taken out; empty where nothing is left. */
export function cleanName(input: string): string {
  return Array.from(input.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ').replace(/\s+/g, ' ').trim())
    .slice(0, NAME_MAX_CHARS)
    .join('');
}

/** The stored identity; `named` tells whether the person chose the name. */
export function recallUser(store: Storage): { user: User; named: boolean } {
  const chosen = cleanName(store.getItem(NAME_KEY) ?? '');
  const name = chosen || keep(store, GUEST_KEY, () => `${pick(MOODS)} ${pick(PLAYERS)}`);
  const color = keep(store, COLOUR_KEY, () => pick(COLOURS));
  return {
    user: { name, color, colorLight: `${color}33`, id: randomId() },
    named: chosen !== '',
  };
}

export function rememberName(name: string, store: Storage): void {
  store.setItem(NAME_KEY, name);
}

/** One or two letters for an avatar. */
export function initials(name: string): string {
  const words = name.split(/[^\p{L}\p{N}\p{M}\p{Extended_Pictographic}]+/u).filter(Boolean);
  const first = Array.from(words[0] ?? '?')[0] ?? '?';
  const last = words.length > 1 ? (Array.from(words[words.length - 1] ?? '')[0] ?? '') : '';
  return (first + last).toUpperCase();
}

/** Reads an awareness state that anybody may have written; `undefined` where it names nobody. */
export function readUser(state: unknown): User | undefined {
  const user = (state as { user?: unknown } | null)?.user as Record<string, unknown> | undefined;
  if (typeof user?.name !== 'string') return undefined;
  const name = cleanName(user.name) || 'Somebody';
  const color = safeColour(user.color) ?? '#5c677d';
  return {
    name,
    color,
    colorLight: safeColour(user.colorLight) ?? `${color}33`,
    ...(typeof user.id === 'string' ? { id: user.id } : {}),
  };
}

/** Whether two awareness states belong to one person. */
export function samePerson(a: User, b: User): boolean {
  return a.id !== undefined && b.id !== undefined
    ? a.id === b.id
    : a.name === b.name && a.color === b.color;
}

/** An id as documents and projects have it: 16 characters of `[A-Za-z0-9_-]`, 96 random bits. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_');
}

/** A colour that nobody in `taken` has; `undefined` where all are in use. */
export function freeColour(taken: ReadonlySet<string>): string | undefined {
  return COLOURS.find((colour) => !taken.has(colour));
}

function safeColour(value: unknown): string | undefined {
  return typeof value === 'string' && /^(#[0-9a-f]{3,8}|(rgb|hsl)a?\([\d\s.,%/deg]+\)|[a-z]{3,20})$/i.test(value)
    ? value
    : undefined;
}

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)] as T;
}

function keep(store: Storage, key: string, make: () => string): string {
  const found = store.getItem(key);
  if (found) return found;
  const made = make();
  store.setItem(key, made);
  return made;
}
