// One page in Chromium, driven by tests/src/browser.rs: what a person does and sees, nothing from inside the client.

import { readFile } from "node:fs/promises";

import { openPage } from "./chromium.mjs";
import { serve } from "./lines.mjs";

const EDITOR = ".cm-content";
let browser;
let page;

/** The element of the editor that shows the first line holding `text`. */
const line = (text) => page.locator(".cm-line", { hasText: text }).first();

const actions = {
  async open({ url, chromium: executablePath }) {
    ({ browser, page } = await openPage(url, executablePath));
  },

  async go({ url }) {
    // A link's token is in its fragment: a change of that alone would not load anything.
    await page.goto("about:blank");
    await page.goto(url);
  },

  async introduce({ name }) {
    const card = page.getByTestId("name-card");
    await card.getByRole("textbox").fill(name);
    await card.getByRole("button").click();
  },

  async openFile({ path }) {
    const names = path.split("/");
    for (let depth = 1; depth < names.length; depth++) {
      const folder = page.getByTestId(`folder:${names.slice(0, depth).join("/")}`);
      await folder.waitFor();
      if ((await folder.getAttribute("aria-expanded")) !== "true") await folder.click();
    }
    await page.getByTestId(`file:${path}`).click();
    await page.locator(`[data-testid=open-path][title="${path}"]`).waitFor();
    await page.locator(EDITOR).waitFor();
  },

  /** A file that is no text: its picture, once it is drawn, and how large it is said to be. */
  async picture({ path }) {
    await page.getByTestId(`file:${path}`).click();
    const pane = page.locator(`[data-testid=data][data-path="${path}"]`);
    const picture = pane.getByTestId("picture");
    await picture.waitFor();
    const size = await picture.evaluate(async (image) => {
      await image.decode();
      return [image.naturalWidth, image.naturalHeight];
    });
    return { size, says: await pane.innerText() };
  },

  /** What the person gets who downloads a file, as hexadecimal digits. */
  async download({ path }) {
    await page.getByTestId(`file:${path}`).click();
    const pane = page.locator(`[data-testid=data][data-path="${path}"]`);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      pane.getByTestId("download").click(),
    ]);
    const bytes = await readFile(await download.path());
    return { name: download.suggestedFilename(), hex: bytes.toString("hex"), says: await pane.innerText() };
  },

  async deleteFile({ path }) {
    await page.getByTestId(`file:${path}`).focus();
    await page.keyboard.press("Delete");
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.getByTestId(`file:${path}`).waitFor({ state: "detached" });
  },

  async status({ state }) {
    await page.locator(`[data-testid=status][data-state="${state}"]`).waitFor();
  },

  async message() {
    return await page.locator("[data-testid=message][role=alert]").innerText();
  },

  async shows({ text }) {
    await page.getByText(text).first().waitFor();
  },

  async typeBehind({ text }) {
    await line(text).click();
    await page.keyboard.press("End");
  },

  async type({ text, paceMs }) {
    await page.keyboard.type(text, { delay: paceMs });
  },

  async text() {
    // CodeMirror draws only the lines on the screen; what it copies is the document.
    await page.locator(EDITOR).focus();
    await page.keyboard.press("ControlOrMeta+a");
    await page.evaluate(() => navigator.clipboard.writeText(""));
    await page.keyboard.press("ControlOrMeta+c");
    return await page.evaluate(() => navigator.clipboard.readText());
  },

  async loadedBytes() {
    return await page.evaluate(() =>
      [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
        .map((entry) => entry.encodedBodySize)
        .reduce((sum, size) => sum + size, 0),
    );
  },

  async page() {
    return await page.locator("body").innerText();
  },
};

await serve(actions, () => browser?.close());
