// One window of VS Code in Chromium, driven by tests/src/vscode.rs: real keys, and nothing from inside of VS Code.

import { openPage } from "./chromium.mjs";
import { LONG_MS, serve } from "./lines.mjs";

let browser;
let page;

/** Searches until `text` is selected, as the status bar tells: as it opens, the search may put in a text of its own. */
async function find(text) {
  await page.keyboard.press("Control+f");
  const field = page.locator(".find-widget.visible .find-part textarea");
  const selected = page.locator(".statusbar-item", { hasText: `(${text.length} selected)` });
  for (const start = Date.now(); Date.now() - start < LONG_MS; ) {
    await field.fill("");
    await field.fill(text);
    const found = selected.waitFor({ timeout: 2_000 });
    if (await found.then(() => true, () => false)) return;
  }
  throw new Error(`\`${text}\` is not found in ${await page.locator("body").innerText()}`);
}

/**
 * Closes the search, and waits until keys go to the text again: what is typed before that goes elsewhere. A first Escape
 * may close something else that has opened over it.
 */
async function leaveFind() {
  const search = page.locator(".find-widget.visible");
  for (const start = Date.now(); Date.now() - start < LONG_MS; ) {
    await search.locator(".find-part textarea").press("Escape", { timeout: 2_000 }).catch(() => {});
    const closed = search.waitFor({ state: "detached", timeout: 2_000 });
    if (await closed.then(() => true, () => false)) break;
  }
  await page.waitForFunction(() => {
    const focused = document.activeElement;
    return focused?.closest(".monaco-editor") && !focused.closest(".find-widget");
  });
}

const actions = {
  async open({ url, file, chromium }) {
    ({ browser, page } = await openPage(url, chromium));
    await page.dblclick(`.explorer-folders-view .monaco-list-row[aria-label^="${file}"]`);
    await page.click(".monaco-editor .view-lines");
  },

  async shows({ text }) {
    await page.locator(".view-line", { hasText: text }).first().waitFor();
  },

  async typeBehind({ text }) {
    await page.keyboard.press("Control+Home");
    await find(text);
    await leaveFind();
    await page.keyboard.press("End");
  },

  async press({ key }) {
    await page.keyboard.press(key);
  },

  async type({ text, paceMs }) {
    await page.keyboard.type(text, { delay: paceMs });
  },

  async paste({ text }) {
    // The caret stands behind the last line then, so that is the one in sight.
    const last = text.slice(text.lastIndexOf("\n") + 1);
    const pasted = page.locator(".view-line", { hasText: last }).first();
    await page.evaluate((text) => navigator.clipboard.writeText(text), text);
    for (const start = Date.now(); Date.now() - start < LONG_MS; ) {
      await page.keyboard.press("Control+v");
      // While others type VS Code may drop a paste altogether; a person sees that and pastes again.
      const shown = pasted.waitFor({ timeout: 5_000 });
      if (await shown.then(() => true, () => false)) return;
    }
    throw new Error("nothing was pasted");
  },

  async page() {
    return await page.locator("body").innerText();
  },
};

await serve(actions, () => browser?.close());
