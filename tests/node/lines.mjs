// Serves requests that come as lines of JSON on standard input, one after the other, with one line for each.
// Request: {"id", "do", …}. Answer: {"id", "ok": value} or {"id", "error": text}. See tests/src/node.rs.

import { createInterface } from "node:readline";

/** How long anything may take on a slow machine, in milliseconds. */
export const LONG_MS = 60_000;

/**
 * Calls `actions[request.do](request)` for each request until standard input ends, then `close`.
 * @param {Record<string, (request: any) => unknown>} actions
 * @param {() => unknown} close
 */
export async function serve(actions, close) {
  // Standard output belongs to the answers; what libraries log goes to standard error.
  console.log = console.info = console.debug = console.error;
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    let answer;
    try {
      const action = actions[request.do];
      if (!action) throw new Error(`no action ${request.do}`);
      answer = { id: request.id, ok: (await action(request)) ?? null };
    } catch (error) {
      answer = { id: request.id, error: error.stack ?? String(error) };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
  await close();
  process.exit(0);
}
