/** What the server says about saving, in a Stateless message of the room. */
export interface Remark {
  /** Why it cannot save, as part of a sentence; `undefined` where it can again. */
  failing: string | undefined;
}

/** Reads `{"saved":false,"reason":"…"}` and `{"saved":true}`; other texts are no remark about saving. */
export function readRemark(payload: string): Remark | undefined {
  let remark: unknown;
  try {
    remark = JSON.parse(payload);
  } catch {
    return undefined;
  }
  if (typeof remark !== 'object' || remark === null || !('saved' in remark)) return undefined;
  if (remark.saved === true) return { failing: undefined };
  const said = 'reason' in remark && typeof remark.reason === 'string' ? remark.reason : '';
  return { failing: said || 'the server cannot save at the moment' };
}
