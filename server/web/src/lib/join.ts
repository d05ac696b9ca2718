/**
 * Joining with a link for a limited number of people: the server exchanges its
 * token for a pass, once, and only the pass opens rooms. It is kept for this
 * browser, so that coming back uses nothing up.
 */

export type JoinAnswer =
  | { kind: 'pass'; token: string }
  /** The token is what it was; joining changes nothing. */
  | { kind: 'same' }
  /** Refused, with a sentence for the person. */
  | { kind: 'refused'; reason: string };

export async function join(project: string, token: string, ask: typeof fetch): Promise<JoinAnswer> {
  const answer = await ask(`/api/projects/${project}/join`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
  });
  const body = (await answer.json()) as { token?: unknown; detail?: unknown };
  if (!answer.ok) {
    const reason = typeof body.detail === 'string' ? body.detail : `The server answered ${answer.status}.`;
    return { kind: 'refused', reason };
  }
  return typeof body.token === 'string' && body.token !== token
    ? { kind: 'pass', token: body.token }
    : { kind: 'same' };
}

const passKey = (project: string) => `tutti.pass.${project}`;

/** The pass that `link`, a link's token, was exchanged for. */
export function recallPass(project: string, link: string, store: Storage): string | undefined {
  const [of, pass] = store.getItem(passKey(project))?.split(' ') ?? [];
  return of === link ? pass : undefined;
}

export function rememberPass(project: string, link: string, pass: string, store: Storage): void {
  store.setItem(passKey(project), `${link} ${pass}`);
}
