// node e2e/pages.mjs: every page of src/routes.tsx in Debian's Chromium, as whoever may see it and as who may not.
//
// KEYPORTAL_URL: where the program is reached, with its base path. KEYPORTAL_PEOPLE: {"admin":{"email","password"},…}.
// KEYPORTAL_ALL=1: every language, theme and size for each page; else each page once in turn with another of them.
// KEYPORTAL_ONLY: only these paths, with commas between.
// Says one JSON line a fault, and last {"pages":N,"faults":M}.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { base, open, watch } from './watched.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const people = JSON.parse(process.env.KEYPORTAL_PEOPLE);
const axe = readFileSync(join(here, '../node_modules/axe-core/axe.min.js'), 'utf8');
const only = process.env.KEYPORTAL_ONLY?.split(',');
const paths = [...readFileSync(join(here, '../src/routes.tsx'), 'utf8').matchAll(/\{ path: '([^']+)'/g)].map((one) => one[1]).filter((one) => !only || only.includes(one));

const looks = ['en', 'zh-CN'].flatMap((language) => ['light', 'dark'].flatMap((theme) => [[1440, 900], [390, 844]].map((size) => ({ language, theme, size }))));
let faults = 0;
let pages = 0;
const fault = (where, what) => { faults += 1; console.log(JSON.stringify({ where, what: String(what).slice(0, 600) })); };

const browser = await open();

async function stateOf(person) {
  const context = await browser.newContext();
  if (person) {
    const me = await (await context.request.get(`${base}/api/v1/session`)).json();
    const answer = await context.request.post(`${base}/api/v1/session`, { data: person, headers: { 'X-CSRF-Token': me.csrf } });
    if (answer.status() !== 201) fault('signing in', await answer.text());
  }
  const state = await context.storageState();
  await context.close();
  return state;
}

/// Whether the page came to show what it has to show. Not page.waitForFunction: it needs eval, which the server does not allow.
async function loaded(page) {
  for (const end = Date.now() + 30_000; Date.now() < end; await page.waitForTimeout(50))
    if (await page.evaluate(() => !document.querySelector('.loading'))) return true;
  return false;
}

async function look(who, storageState, path, { language, theme, size: [width, height] }) {
  const where = `${who} ${path} ${language} ${theme} ${width}`;
  const context = await browser.newContext({ storageState, viewport: { width, height }, locale: language });
  await context.addInitScript(([l, t]) => { localStorage.setItem('kp.language', l); localStorage.setItem('kp.theme', t); }, [language, theme]);
  const page = await context.newPage();
  watch(page, (what) => fault(where, what));
  try {
    await page.goto(base + path, { waitUntil: 'load' });
    await page.locator('main').getByText(/\S/).first().waitFor({ timeout: 30_000 });
    if (!(await loaded(page))) fault(where, 'goes on loading');
    await page.waitForTimeout(300); // charts draw themselves
    if (!(await page.title())) fault(where, 'has no title');
    const text = await page.locator('body').innerText();
    if (/\b[a-z_]+\.[a-z_]+\.[a-z_]+\b/.test(text) && /missing key/i.test(text)) fault(where, 'shows the name of a text');
    if (text.trim().length < 20) fault(where, 'is empty');
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (wide > 0) fault(where, `is ${wide} px wider than the window`);
    await page.evaluate(axe);
    const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }));
    for (const one of found.violations)
      if (one.impact === 'serious' || one.impact === 'critical') fault(where, `${one.id}: ${one.nodes.slice(0, 3).map((node) => `${node.target} ${node.any[0]?.message ?? ''}`).join('; ')}`);
  } catch (error) {
    fault(where, error.message);
  }
  pages += 1;
  await context.close();
}

for (const [who, person] of [['admin', people.admin], ['auditor', people.auditor], ['user', people.user], ['signed out', null]]) {
  const state = await stateOf(person);
  const all = who === 'admin' && process.env.KEYPORTAL_ALL;
  for (const [at, path] of paths.entries())
    for (const one of all ? looks : [looks[(at * 3 + who.length) % looks.length]]) await look(who, state, path, one);
}
console.log(JSON.stringify({ pages, faults }));
await browser.close();
process.exit(faults ? 1 : 0);
