// `puppeteer.mjs ENDPOINT SITE FOLDER`: what a person does with puppeteer-core; writes FOLDER/results.json.
// Nothing here knows of Podium; the endpoint is a URL like any other.

import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import puppeteer from "puppeteer-core";

const [endpoint, site, folder] = process.argv.slice(2);
const FOUR_MEGABYTES = 4 * 1024 * 1024;
const CONNECTS = 20;

const connect = () => puppeteer.connect({ browserWSEndpoint: endpoint, defaultViewport: null });
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const text = async (page, selector) =>
  (await page.waitForSelector(`${selector}:not(:empty)`)).evaluate((element) => element.textContent);

/** Navigate, click, type, choose. */
async function fillForm(page) {
  const response = await page.goto(`${site}/form.html`);
  await page.click("#name");
  await page.keyboard.type("Zoë Ünal");
  await page.type("#notes", "two\nlines 日本");
  await page.click("#agree");
  await page.select("#color", "blue");
  await page.click("#greet");
  return {
    status: response.status(),
    title: await page.title(),
    greeting: await text(page, "#greeting"),
    noticed: await page.evaluate("noticed"),
  };
}

/** Three kinds of link; `bytes` is what the client itself can read: nothing if the browser is on another machine. */
async function download(browser, page) {
  const devtools = await browser.target().createCDPSession();
  await devtools.send("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: folder, eventsEnabled: true });
  await page.goto(`${site}/files.html`);
  const found = [];
  for (const link of ["#report", "#attribute", "#blob"]) {
    const begun = new Promise((resolve) => devtools.once("Browser.downloadWillBegin", resolve));
    const ended = new Promise((resolve) => {
      devtools.on("Browser.downloadProgress", (progress) => progress.state !== "inProgress" && resolve(progress));
    });
    await page.click(link);
    const { suggestedFilename, url } = await begun;
    const { state, totalBytes } = await ended;
    devtools.removeAllListeners();
    const path = join(folder, suggestedFilename);
    found.push({
      name: suggestedFilename,
      url: url.startsWith("blob:") ? "blob" : url,
      state,
      totalBytes,
      bytes: existsSync(path) ? sha256(readFileSync(path)) : null,
    });
  }
  await devtools.detach();
  return found;
}

/** Two tabs typed into in turns keep their own values. */
async function twoTabs(browser) {
  const tabs = [await browser.newPage(), await browser.newPage()];
  for (const tab of tabs) await tab.goto(`${site}/form.html`);
  for (const number of [0, 1, 2]) {
    for (const [index, tab] of tabs.entries()) {
      await tab.bringToFront();
      await tab.type("#name", `${"ab"[index]}${number}`);
    }
  }
  const values = [];
  for (const tab of tabs) {
    values.push(await tab.$eval("#name", (input) => input.value));
    await tab.close();
  }
  return { values, closed: tabs.map((tab) => tab.isClosed()) };
}

/** With an opener and without one. */
async function popups(browser, page) {
  await page.bringToFront();
  await page.goto(`${site}/parts.html`);
  const found = [];
  for (const button of ["#opener", "#noopener"]) {
    const query = `?${button.slice(1)}`;
    const opened = browser.waitForTarget((target) => target.type() === "page" && target.url().endsWith(query));
    await page.click(button);
    const target = await opened;
    const popup = await target.page();
    found.push({ url: popup.url(), says: await text(popup, "#opener"), opener: target.opener() === page.target() });
    await popup.close();
  }
  return found;
}

/** Each kind is answered by a handler; the page writes down what it got. */
async function dialogs(browser) {
  const page = await browser.newPage();
  await page.goto(`${site}/dialogs.html`);
  const asked = [];
  const answers = [[true], [true], [false], [true, "Zoë"], [false], [true]];
  page.on("dialog", async (dialog) => {
    asked.push([dialog.type(), dialog.message(), dialog.defaultValue()]);
    const [accept, words] = answers.shift();
    await (accept ? dialog.accept(words) : dialog.dismiss());
  });
  for (const button of ["alert", "confirm", "confirm", "prompt", "prompt"]) await page.click(`#${button}`);
  const said = await page.$$eval("#said li", (lines) => lines.map((line) => line.textContent));
  await page.click("#hold");
  await page.goto(`${site}/form.html`);
  const leftFor = page.url();
  await page.close();
  return { asked, said, leftFor };
}

/** One request goes through, one is answered here, one is aborted. */
async function intercept(page) {
  await page.bringToFront();
  await page.goto(`${site}/fetching.html`);
  await page.setRequestInterception(true);
  const answer = (request) => {
    if (request.url().endsWith("/data/fulfilled"))
      return request.respond({ contentType: "application/json", body: '{"from": "client"}' });
    return request.url().endsWith("/data/aborted") ? request.abort() : request.continue();
  };
  page.on("request", answer);
  await page.click("#fetch");
  const answers = await text(page, "#answers");
  page.off("request", answer);
  await page.setRequestInterception(false);
  return JSON.parse(answers);
}

/** Four megabytes in one message each way. */
async function largeMessages(page) {
  const sent = await page.evaluate(`'${"x".repeat(FOUR_MEGABYTES)}'.length`);
  const received = await page.evaluate(`'0123456789abcdef'.repeat(${FOUR_MEGABYTES / 16})`);
  return { sent, received: received.length, sha256: sha256(received) };
}

/** The whole tall page; the picture goes to `screenshot.png`. */
async function screenshot(page) {
  await page.setViewport({ width: 1000, height: 700 });
  await page.goto(`${site}/tall.html`);
  const picture = Buffer.from(await page.screenshot({ fullPage: true, path: join(folder, "screenshot.png") }));
  return [picture.readUInt32BE(16), picture.readUInt32BE(20)];
}

/** Come and go; each time the browser and its tabs are there. */
async function connects() {
  const seen = [];
  for (let time = 0; time < CONNECTS; time++) {
    const browser = await connect();
    const pages = await browser.pages();
    const titles = await Promise.all(pages.map((page) => page.title()));
    seen.push([titles.sort(), await pages[0].evaluate("1 + 1")]);
    await browser.disconnect();
  }
  return seen;
}

const browser = await connect();
const page = await browser.newPage();
const results = {
  form: await fillForm(page),
  downloads: await download(browser, page),
  tabs: await twoTabs(browser),
  popups: await popups(browser, page),
  dialogs: await dialogs(browser),
  route: await intercept(page),
  large: await largeMessages(page),
  screenshot: await screenshot(page),
};
await browser.disconnect();
results.connects = await connects();
writeFileSync(join(folder, "results.json"), JSON.stringify(results));
