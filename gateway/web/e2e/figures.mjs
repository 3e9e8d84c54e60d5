// node e2e/figures.mjs: how fast the pages are, in Debian's Chromium; one JSON line a figure.
//
// KEYPORTAL_URL, KEYPORTAL_PEOPLE as for pages.mjs; KEYPORTAL_NODE as for journeys.mjs; KEYPORTAL_RECORDS: how many records the
// ledger holds; KEYPORTAL_SCROLL: where e2e/scroll was built to. What is not given is not measured.
import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, normalize } from 'node:path';
import { base, open, until } from './watched.mjs';

const records = Number(process.env.KEYPORTAL_RECORDS ?? 0);
const say = (bench, value, unit, n, more = {}) => console.log(JSON.stringify({ bench, value: Math.round(value * 100) / 100, unit, n, ...more }));
const at = (samples, share) => [...samples].sort((a, b) => a - b)[Math.min(samples.length - 1, Math.floor(share * samples.length))];
const browser = await open(['--disable-background-timer-throttling', '--disable-renderer-backgrounding']);

async function signedIn(person) {
  const context = await browser.newContext();
  const me = await (await context.request.get(`${base}/api/v1/session`)).json();
  await context.request.post(`${base}/api/v1/session`, { data: person, headers: { 'X-CSRF-Token': me.csrf } });
  const state = await context.storageState();
  await context.close();
  return state;
}

/// The moment at which `selector` was painted.
const paintedWhen = (page, selector) =>
  page.evaluate((wanted) => new Promise((done) => {
    const check = () => {
      if (document.querySelector(wanted)) requestAnimationFrame(() => setTimeout(() => done(performance.timeOrigin + performance.now())));
      else requestAnimationFrame(check);
    };
    check();
  }), selector);

/// What the first view fetches of scripts, and when it can be used, each time by a browser that has nothing of it yet.
async function firstView(storageState, rounds) {
  const took = [];
  let script = 0;
  let charts = 0;
  for (let round = 0; round < rounds; round += 1) {
    const context = await browser.newContext({ storageState, viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    const wire = await context.newCDPSession(page);
    await wire.send('Network.enable');
    const asked = new Map();
    let bytes = 0;
    wire.on('Network.responseReceived', ({ requestId, response }) => asked.set(requestId, response.url));
    wire.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
      const url = asked.get(requestId) ?? '';
      if (/\.js$/.test(url) && !/ChartCanvas/.test(url)) bytes += encodedDataLength; // charts come after what is first seen
      else if (/\.js$/.test(url)) charts = encodedDataLength;
    });
    await page.goto(`${base}/overview`, { waitUntil: 'commit' });
    const [began, shown] = [await page.evaluate(() => performance.timeOrigin), await paintedWhen(page, '.overview-cards')];
    took.push(shown - began);
    await page.waitForTimeout(500);
    script = Math.max(script, bytes);
    await context.close();
  }
  say('pages.first_script', script / 1000, 'kB', rounds, { charts: Math.round(charts / 1000) });
  say('pages.usable', at(took, 0.99), 'ms', rounds, { median: Math.round(at(took, 0.5)), records });
}

/// From a click to the answer being painted.
async function interactions(storageState, rounds, name = 'overview') {
  const context = await browser.newContext({ storageState, viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const chips = ['7 days', 'All', '24 hours', '30 days'];
  await page.goto(`${base}/${name}?range=all`);
  await until(() => page.evaluate(() => !!document.querySelector('[aria-busy=false]')), `${name} is there`, 60_000);
  await page.waitForTimeout(1500);
  const took = [];
  const marked = [];
  for (let round = 0; round < rounds; round += 1) {
    const [click, answer] = await page.evaluate((chip) => new Promise((done) => {
      const button = [...document.querySelectorAll('.page-bar button')].find((one) => one.textContent === chip);
      const began = performance.now();
      let first = 0;
      button.click();
      const check = () => {
        const now = performance.now();
        if (!first) first = now - began; // the chip is shown as chosen
        // An answer that is kept comes at once; one that is asked for is awaited.
        if (document.querySelector('.page [aria-busy=false]') && !document.querySelector('.page .loading')) setTimeout(() => done([first, performance.now() - began]));
        else if (now - began > 5000) done([first, 5000]); // longer is not told apart
        else requestAnimationFrame(check);
      };
      requestAnimationFrame(() => requestAnimationFrame(check));
    }), chips[round % chips.length]);
    marked.push(click);
    took.push(answer);
    await page.waitForTimeout(60);
  }
  say(`pages.interaction.${name}.p99`, at(took, 0.99), 'ms', rounds, { median: Math.round(at(took, 0.5)), shown_as_chosen: Math.round(at(marked, 0.99)), records });
  await context.close();
}

/// From a request at the node to its figure being painted.
async function updates(storageState, node, rounds) {
  const context = await browser.newContext({ storageState, viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  await page.goto(`${base}/status`);
  await page.locator('.stat, .cards').first().waitFor();
  await page.waitForTimeout(3000);
  await page.evaluate(() => {
    globalThis.changed = [];
    new MutationObserver(() => requestAnimationFrame(() => setTimeout(() => globalThis.changed.push(performance.timeOrigin + performance.now()))))
      .observe(document.querySelector('main'), { subtree: true, childList: true, characterData: true });
  });
  const took = [];
  for (let round = 0; round < rounds; round += 1) {
    await page.waitForTimeout(400 + Math.random() * 200);
    await page.evaluate(() => { globalThis.changed.length = 0; });
    const began = Date.now();
    await fetch(`${node.control}/records?count=1`, { method: 'POST' });
    const seen = await until(() => page.evaluate((since) => globalThis.changed.find((one) => one > since), began), 'the figure changes', 10_000);
    took.push(seen - began);
  }
  say('pages.update.p99', at(took, 0.99), 'ms', rounds, { median: Math.round(at(took, 0.5)) });
  await context.close();
}

/// Frames a second of a million rows that are scrolled through.
async function scrolling(folder, rounds) {
  const kinds = { html: 'text/html', js: 'text/javascript', css: 'text/css' };
  const server = createServer((request, response) => {
    const path = join(folder, normalize(request.url === '/' ? '/index.html' : request.url.split('?')[0]));
    if (!path.startsWith(folder) || !existsSync(path)) return response.writeHead(404).end();
    response.writeHead(200, { 'Content-Type': kinds[path.split('.').pop()] ?? 'text/plain' });
    createReadStream(path).pipe(response);
  });
  await new Promise((go) => server.listen(0, '127.0.0.1', go));
  const measure = async (hash) => {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    await page.goto(`http://127.0.0.1:${server.address().port}/${hash}`);
    await page.locator('.table-virtual').waitFor({ timeout: 120_000 });
    await page.waitForTimeout(1500);
    const told = await page.evaluate(() => new Promise((done) => {
      const box = document.querySelector('.table-virtual');
      const frames = [];
      let before = performance.now();
      const end = before + 4000;
      const step = () => {
        const now = performance.now();
        frames.push(now - before);
        before = now;
            box.scrollTop += 130; // as fast as a wheel that is turned fast: 200 rows a second
        if (now < end) requestAnimationFrame(step);
        else done({ rate: (frames.length * 1000) / (now - end + 4000), slow: frames.filter((one) => one > 25).length / frames.length });
      };
      requestAnimationFrame(step);
    }));
    await page.evaluate(() => { const box = document.querySelector('.table-virtual'); box.scrollTop = box.scrollHeight; });
    await page.waitForTimeout(500);
    const last = await page.locator('.table-virtual').innerText();
    await page.close();
    return { ...told, last };
  };
  const table = [];
  const plain = [];
  for (let round = 0; round < rounds; round += 1) { // in turn, so that what else goes on meets both
    plain.push(await measure('#plain'));
    table.push(await measure(''));
  }
  server.close();
  const rate = (some) => at(some.map((one) => one.rate), 0.5);
  say('pages.scroll', rate(table), 'frames/s', 1_000_000, { ratio: { to: 'a plain virtual list', value: Math.round((rate(table) / rate(plain)) * 1000) / 1000 } });
  say('pages.scroll.plain', rate(plain), 'frames/s', 1_000_000);
  say('pages.scroll.late', at(table.map((one) => one.slow), 0.5) * 100, '% of frames later than 25 ms', 1_000_000, { plain: Math.round(at(plain.map((one) => one.slow), 0.5) * 1000) / 10 });
  if (!table.every((one) => /model-39/.test(one.last))) throw new Error(`the last row is not reached: ${table[0].last.slice(-300)}`);
}

if (process.env.KEYPORTAL_SCROLL) await scrolling(process.env.KEYPORTAL_SCROLL, 3);
if (base) {
  const state = await signedIn(JSON.parse(process.env.KEYPORTAL_PEOPLE).admin);
  await firstView(state, 10);
  await interactions(state, 40);
  if (process.env.KEYPORTAL_NODE) await updates(state, JSON.parse(process.env.KEYPORTAL_NODE), 100);
  await interactions(state, 12, 'analysis');
}
await browser.close();
