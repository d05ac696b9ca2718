import { describe, expect, it } from 'vitest';
import { join } from './join';

/** A server that gives one answer, and holds what it was asked. */
function server(status: number, body: unknown) {
  const asked: Request[] = [];
  const ask: typeof fetch = (input, init) => {
    asked.push(new Request(new URL(String(input), 'http://h'), init));
    return Promise.resolve(Response.json(body, { status }));
  };
  return { ask, asked };
}

describe('joining', () => {
  it('exchanges the token of a limited link for a pass', async () => {
    const { ask, asked } = server(200, { project: 'abc', token: 'pass', role: 'editor' });
    expect(await join('abc', 'link', ask)).toEqual({ kind: 'pass', token: 'pass' });
    expect(asked).toHaveLength(1);
    expect(asked[0]?.method).toBe('POST');
    expect(asked[0]?.url).toBe('http://h/api/projects/abc/join');
    expect(asked[0]?.headers.get('authorization')).toBe('Bearer link');
  });

  it('changes nothing for every other link', async () => {
    const { ask } = server(200, { project: 'abc', token: 'link', role: 'editor' });
    expect(await join('abc', 'link', ask)).toEqual({ kind: 'same' });
  });

  it('carries the sentence of a refusal', async () => {
    const { ask } = server(403, { status: 403, detail: 'This link has been used as often as it may be: ask for a new one.' });
    expect(await join('abc', 'link', ask)).toEqual({
      kind: 'refused',
      reason: 'This link has been used as often as it may be: ask for a new one.',
    });
    expect(await join('abc', 'link', server(502, {}).ask)).toEqual({
      kind: 'refused',
      reason: 'The server answered 502.',
    });
  });
});
