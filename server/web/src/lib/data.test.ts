import { describe, expect, it } from 'vitest';
import { fetchContent, pictureType, sizeText } from './data';

describe('files that are no texts', () => {
  it.each([
    ['a/logo.PNG', 'image/png'],
    ['photo.jpeg', 'image/jpeg'],
    ['drawing.svg', undefined],
    ['a.png/data', undefined],
    ['png', undefined],
  ])('%s is shown as %s', (path, type) => expect(pictureType(path)).toBe(type));

  it.each([
    [0, '0 bytes'],
    [1, '1 byte'],
    [1023, '1023 bytes'],
    [1434, '1.4 KiB'],
    [12 * 1024 * 1024, '12 MiB'],
    [3 * 1024 ** 3, '3.0 GiB'],
  ])('%d bytes are %s', (bytes, text) => expect(sizeText(bytes)).toBe(text));

  it('are fetched with the token, and a refusal is told in the words of the server', async () => {
    const asked: unknown[] = [];
    const content = await fetchContent('p', 'T', 'aa', async (url, init) => {
      asked.push(url, init?.headers);
      return new Response('xyz');
    });
    expect(content.size).toBe(3);
    expect(asked).toEqual(['/api/projects/p/blobs/aa', { authorization: 'Bearer T' }]);
    const refuse = async () => Response.json({ detail: 'Not there.' }, { status: 404 });
    await expect(fetchContent('p', 'T', 'aa', refuse)).rejects.toThrow('Not there.');
    await expect(fetchContent('p', 'T', 'aa', () => Promise.reject(new TypeError()))).rejects.toThrow('connection');
  });
});
