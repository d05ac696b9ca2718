// Chromium with one page, for the drivers.

import { chromium } from "playwright-core";
import { LONG_MS } from "./lines.mjs";

/** A fresh browser, and its page, which may use the clipboard. What the page logs goes to standard error. */
export async function openPage(url, executablePath) {
  // Tests run as root in containers, where Chromium's sandbox does not start.
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  const context = await browser.newContext({
    permissions: ["clipboard-read", "clipboard-write"],
    viewport: { width: 1400, height: 1000 },
  });
  context.setDefaultTimeout(LONG_MS);
  const page = await context.newPage();
  page.on("console", (message) => console.error(`page: ${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => console.error(`page: ${error.stack}`));
  await page.goto(url);
  return { browser, page };
}
