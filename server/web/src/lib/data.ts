/** Files that are no texts: how they are shown, and where their contents are. */

/** Pictures that every browser shows, by their extension. */
const PICTURES: Record<string, string> = {
  avif: 'image/avif',
  bmp: 'image/bmp',
  gif: 'image/gif',
  ico: 'image/x-icon',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
};

/** A larger picture is fetched only when it is asked for. */
export const PICTURE_MAX_BYTES = 20 * 1024 * 1024;

/** The media type of a picture; `undefined` for anything else. */
export function pictureType(path: string): string | undefined {
  const extension = /\.([^./]+)$/.exec(path)?.[1]?.toLowerCase();
  return extension === undefined ? undefined : PICTURES[extension];
}

/** A size for people: 980 bytes, 1.4 KiB, 12 MiB. */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return bytes === 1 ? '1 byte' : `${bytes} bytes`;
  let size = bytes;
  let unit = '';
  for (const next of ['KiB', 'MiB', 'GiB']) {
    if (size < 1024) break;
    size /= 1024;
    unit = next;
  }
  return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${unit}`;
}

/** Fetches a content. The promise is rejected with a sentence for the person. */
export async function fetchContent(project: string, token: string, sha256: string, get: typeof fetch): Promise<Blob> {
  const answer = await get(`/api/projects/${project}/blobs/${sha256}`, {
    headers: { authorization: `Bearer ${token}` },
  }).catch(() => {
    throw new Error('The server does not answer. Check the connection and try again.');
  });
  if (answer.ok) return answer.blob();
  const problem: unknown = await answer.json().catch(() => undefined);
  const detail = typeof problem === 'object' && problem && 'detail' in problem ? problem.detail : undefined;
  throw new Error(typeof detail === 'string' ? detail : `The server answers ${answer.status}.`);
}
