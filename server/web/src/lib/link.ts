/**
 * Share links: `http(s)://HOST/p/PROJECT#TOKEN`.
 *
 * The token lives in the fragment, which browsers never send to a server. The
 * page keeps it there, so that the address bar stays a link that can be copied.
 */

/** What the page's own address says. */
export interface Place {
  project?: string;
  token?: string;
  /** Path of the open file. */
  file?: string;
}

const ID = /^[A-Za-z0-9_-]{1,64}$/;

/** The address to go to for the share link that a person pasted; `undefined` where it is none. */
export function parseShareLink(input: string): string | undefined {
  let url: URL;
  try {
    url = new URL(input.trim());
  } catch {
    return undefined;
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
  // A server may live beneath a path, as in https://example.org/tutti/p/PROJECT#TOKEN.
  const project = url.pathname.match(/\/p\/([^/]+)\/?$/)?.[1];
  if (!project || !ID.test(project) || url.hash.length < 2) return undefined;
  return url.href;
}

/** Reads the page's address. A project id outside the rules counts as none. */
export function parsePlace(url: URL): Place {
  const [, head, project, ...rest] = url.pathname.split('/');
  if (head !== 'p' || !project || !ID.test(project) || rest.join('') !== '') return {};
  const token = decode(url.hash.slice(1));
  const file = url.searchParams.get('file');
  return {
    project,
    ...(token ? { token } : {}),
    ...(file ? { file } : {}),
  };
}

/** The address (path, query, fragment) of a file in a project. */
export function placeAddress(place: { project: string; token: string; file?: string }): string {
  const query = place.file
    ? `?file=${encodeURIComponent(place.file).replaceAll('%2F', '/')}`
    : '';
  return `/p/${place.project}${query}#${place.token}`;
}

/** Where `/collab` is for a page that was loaded from `page`. */
export function collabAddress(page: URL): string {
  return `${page.protocol === 'https:' ? 'wss:' : 'ws:'}//${page.host}/collab`;
}

const remembered = (project: string) => `tutti.token.${project}`;

/** The token of the address, else the one this tab used before for the project. */
export function recallToken(place: Place, store: Storage): string | undefined {
  if (!place.project) return undefined;
  if (place.token) {
    store.setItem(remembered(place.project), place.token);
    return place.token;
  }
  return store.getItem(remembered(place.project)) ?? undefined;
}

/** Forgets a token that turned out to be of no use. */
export function forgetToken(project: string, store: Storage): void {
  store.removeItem(remembered(project));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
