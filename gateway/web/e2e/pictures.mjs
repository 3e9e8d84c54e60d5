// node e2e/pictures.mjs: a picture of each page for docs/pages.md, in both languages and themes and on a phone.
//
// KEYPORTAL_URL, KEYPORTAL_PEOPLE as for pages.mjs; KEYPORTAL_SHOTS: the folder they go to.
import { base, open, shoot, until, watch } from './watched.mjs';

const people = JSON.parse(process.env.KEYPORTAL_PEOPLE);
let faults = 0;
const fault = (what) => { faults += 1; console.log(JSON.stringify({ where: 'pictures', what })); };
const desk = [1280, 800];
const phone = [390, 844];

/// Name of the picture, whose, path, language, theme, size; what is done before it is taken.
const rows = [
  ['home', 'user', '/', 'en', 'light', desk],
  ['login', null, '/login', 'zh-CN', 'light', desk],
  ['register', null, '/register', 'en', 'dark', desk],
  ['reset', null, '/reset', 'en', 'light', phone],
  ['setup', 'admin', '/setup', 'en', 'light', desk],
  ['overview', 'admin', '/overview?range=30d', 'en', 'light', desk],
  ['overview-zh-dark', 'admin', '/overview?range=30d', 'zh-CN', 'dark', desk],
  ['overview-phone', 'admin', '/overview?range=30d', 'en', 'dark', phone],
  ['analysis', 'admin', '/analysis?range=30d', 'en', 'dark', desk],
  ['records', 'admin', '/records?range=30d', 'en', 'light', desk],
  ['records-one', 'admin', '/records?range=30d', 'zh-CN', 'dark', desk, async (page) => page.getByRole('row').nth(2).click()],
  ['status', 'user', '/status', 'zh-CN', 'light', desk],
  ['nodes', 'admin', '/nodes', 'en', 'light', desk],
  ['my-keys', 'user', '/my-keys', 'en', 'light', desk],
  ['my-keys-phone', 'user', '/my-keys', 'zh-CN', 'light', phone],
  ['account', 'user', '/account', 'en', 'dark', desk],
  ['admin-users', 'admin', '/admin/users', 'en', 'light', desk],
  ['admin-keys', 'admin', '/admin/keys', 'en', 'light', desk],
  ['admin-policies', 'admin', '/admin/policies', 'zh-CN', 'dark', desk],
  ['admin-prices', 'admin', '/admin/prices', 'en', 'light', desk],
  ['admin-audit', 'auditor', '/admin/audit', 'en', 'light', desk],
  ['admin-jobs', 'admin', '/admin/jobs', 'en', 'light', desk],
  ['admin-settings', 'admin', '/admin/settings', 'en', 'dark', desk],
  ['no-right', 'user', '/admin/users', 'en', 'light', desk],
];

const browser = await open();
const states = new Map([[null, undefined]]);
for (const [who, person] of Object.entries(people)) {
  const context = await browser.newContext();
  const me = await (await context.request.get(`${base}/api/v1/session`)).json();
  await context.request.post(`${base}/api/v1/session`, { data: person, headers: { 'X-CSRF-Token': me.csrf } });
  states.set(who, await context.storageState());
  await context.close();
}
const wanted = process.argv.slice(2);
for (const [name, who, path, language, theme, [width, height], then] of rows.filter(([one]) => !wanted.length || wanted.includes(one))) {
  const context = await browser.newContext({ storageState: states.get(who), viewport: { width, height }, locale: language, timezoneId: 'Asia/Shanghai' });
  await context.addInitScript(([l, t]) => { localStorage.setItem('kp.language', l); localStorage.setItem('kp.theme', t); }, [language, theme]);
  const page = await context.newPage();
  watch(page, (what) => fault(`${name}: ${what}`));
  try {
    await page.goto(base + path, { waitUntil: 'networkidle' }).catch(() => undefined); // live pages are never quite idle
    await until(() => page.evaluate(() => !!document.querySelector('h1') && !document.querySelector('.loading')), `${name} has loaded`);
    if (then) await then(page);
    await page.waitForTimeout(1200); // charts are drawn
    await shoot(page, name);
  } catch (error) {
    fault(`${name}: ${error.message}`);
  }
  await context.close();
}
console.log(JSON.stringify({ pictures: rows.length, faults }));
await browser.close();
process.exit(faults ? 1 : 0);
