// node e2e/journeys.mjs NAME: what people do with the pages from beginning to end, as they do it, in Debian's Chromium.
//
// KEYPORTAL_URL, KEYPORTAL_PEOPLE as for pages.mjs; KEYPORTAL_NODE: {"url","control"} of the stand-in. Says one JSON line a
// fault, and last {"journey":NAME,"faults":N}.
import { base, open, shoot, until, watch } from './watched.mjs';

const people = JSON.parse(process.env.KEYPORTAL_PEOPLE);
const node = JSON.parse(process.env.KEYPORTAL_NODE);
const name = process.argv[2];
let faults = 0;
const fault = (what) => { faults += 1; console.log(JSON.stringify({ where: name, what: String(what).slice(0, 1500) })); };
const browser = await open();

/// A window of somebody's own.
async function window_(who, allowed) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: 'en' });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  watch(page, (what) => fault(`${who}: ${what}`), allowed);
  return page;
}

/// By the form, as people do.
async function signIn(page, person, goal = '/my-keys') {
  await page.goto(`${base}/login?return_to=${encodeURIComponent(goal)}`);
  await page.getByLabel('E-mail address').fill(person.email);
  await page.getByRole('textbox', { name: 'Password' }).fill(person.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.waitForURL(`**${goal}`);
  return page;
}
const signedIn = async (who, goal, allowed) => signIn(await window_(who, allowed), people[who], goal);

/// What the page asks the server itself, in its session: for what a journey needs and is not about.
const ask = (page, method, path, body) =>
  page.evaluate(async ([url, how, what]) => {
    const { csrf } = await (await fetch(url.replace(/\/api\/.*/, '/api/v1/session'))).json();
    const answer = await fetch(url, { method: how, headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': csrf }, body: what && JSON.stringify(what) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${how} ${url}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }, [base + path, method, body]);

/// One request with a key, as a tool makes it: the status.
const use = async (key) =>
  (await fetch(`${node.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ model: 'team-model', messages: [{ role: 'user', content: 'hello' }] }),
  })).status;
const works = (key) => until(async () => (await use(key)) === 200, 'the key is let in at the node');
const seen = (locator, ms = 30_000) => locator.first().waitFor({ timeout: ms });

/// Takes a key as its owner does; its text.
async function takeKey(page, label) {
  await page.getByRole('button', { name: 'Take a key' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('What it is for').fill(label);
  await dialog.getByRole('button', { name: 'Take it' }).click();
  await seen(dialog.getByText('shown this once'));
  await dialog.getByRole('button', { name: 'Show', exact: true }).click();
  return (await dialog.locator('.reveal-text').innerText()).trim();
}
const copied = (page) => page.getByRole('button', { name: 'I have copied it' }).click();
const card = (page, label) => page.locator('.card', { has: page.getByRole('heading', { name: label, exact: true }) });

const journeys = {
  async newcomer() {
    const admin = await signedIn('admin', '/admin/users');
    const page = await window_('newcomer');
    const eva = { email: 'eva@example.com', password: 'many words are a good password' };
    await page.goto(`${base}/register`);
    await seen(page.getByText('An administrator looks at each registration'));
    await page.getByLabel('E-mail address').fill(eva.email);
    await page.getByLabel('Name', { exact: true }).fill('Eva');
    await page.getByRole('textbox', { name: 'Password' }).fill(eva.password);
    await page.getByLabel('What do you need access for?').fill('For the team that writes the billing service.');
    await page.getByRole('button', { name: 'Register' }).click();
    await seen(page.getByText('You have registered.'));
    await shoot(page, 'journey-waits');
    // The admin sees it without loading anything anew, and approves.
    await admin.getByRole('cell', { name: eva.email }).click();
    await admin.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
    const sure = admin.getByRole('dialog', { name: /^Approve/ });
    await sure.getByRole('button', { name: 'Approve' }).click();
    await seen(admin.getByRole('dialog').getByText('Active'));

    await signIn(page, eva);
    await seen(page.getByText('You have no key yet.'));
    const key = await takeKey(page, 'laptop');
    await page.getByRole('link', { name: 'Set up a tool with it' }).click();
    await page.waitForURL(`${base}/`);
    const lines = async (text) => (await page.locator('.snippet pre').allInnerTexts()).some((one) => one.includes(text));
    await until(() => lines(key), 'the lines to copy have the key in them');
    await until(() => lines(node.url), 'the lines to copy have the address of the node in them');
    await page.getByPlaceholder('Paste a key').fill(key);
    await page.getByRole('button', { name: 'Test', exact: true }).click();
    await seen(page.getByText('This key works.'));
    await page.getByRole('link', { name: 'Request events' }).or(page.getByRole('link', { name: 'My requests' })).first().click();
    await page.waitForURL('**/records');
    await seen(page.getByText('No request fits.'));
    await works(key);
    await seen(page.getByRole('cell', { name: 'team-model' })); // nothing was loaded anew
    await shoot(page, 'journey-first-request');
    if ((await page.content()).includes(key)) fault('the key stands in a page where nobody asked for it');
  },

  async account() {
    // 400 and 409 are what the server says to an address that is none, or another login's.
    const page = await signedIn('user', '/accounts', (status) => [400, 401, 409].includes(status));
    await seen(page.getByText('There is no such account.'));
    await page.getByRole('button', { name: 'Contribute an account' }).first().click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Provider').selectOption('claude');
    await shoot(page, 'journey-account-begins');
    await dialog.getByRole('button', { name: 'Begin' }).click();
    const link = dialog.getByRole('link', { name: /^Open / });
    await seen(link);
    const asked = new URL(await link.getAttribute('href'));
    if ((await link.getAttribute('rel')) !== 'noopener noreferrer') fault('the page of the provider could reach back');
    const field = dialog.getByLabel('Address at which the browser ended');
    const handIn = async (text) => { await field.fill(text); await dialog.getByRole('button', { name: 'Hand it in' }).click(); };
    await handIn('https://example.com/somewhere/else');
    await seen(dialog.locator('.note').filter({ hasText: /address/ }));
    await handIn(`${asked.searchParams.get('redirect_uri')}?code=x&state=of-another-login`);
    await seen(dialog.locator('.note').filter({ hasText: /another|other/ }));
    await shoot(page, 'journey-account-wrong-address');
    await handIn(`${asked.searchParams.get('redirect_uri')}?code=journey-code&state=${asked.searchParams.get('state')}`);
    await seen(dialog.getByText('Thank you!'));
    await shoot(page, 'journey-account-thanks');
    await dialog.getByRole('button', { name: 'Close' }).last().click();
    await seen(page.getByRole('cell', { name: 'You', exact: true }));
    if ((await page.content()).includes('journey-code') || (await page.content()).includes('person1@')) fault('the page shows what it should not');
    await page.goto(`${base}/status`); // there everybody sees how it is
    await seen(page.getByRole('heading', { name: 'Accounts with providers' }));
    await seen(page.getByRole('cell', { name: 'You', exact: true }));
    await shoot(page, 'journey-account-status');
    if ((await page.content()).includes('person1@')) fault('the status shows an address');
    await page.goto(`${base}/accounts`);

    const admin = await signedIn('admin', '/accounts');
    await seen(admin.getByText('person1@example.com'));
    await admin.getByRole('cell', { name: /person1@/ }).first().click();
    const drawer = admin.getByRole('dialog');
    await drawer.getByRole('button', { name: 'Switch off' }).click();
    await seen(drawer.getByText('Switched off', { exact: true }));
    await seen(page.getByText('Switched off', { exact: true }));
    await shoot(admin, 'journey-account-off');
    await drawer.getByRole('button', { name: 'Switch on' }).click();
    await seen(drawer.getByText('Works', { exact: true }));
  },

  async restart() {
    const page = await signedIn('admin', '/status');
    await seen(page.getByText('No restart was noticed so far.'));
    await seen(page.getByText('The node works, and nothing is missing.'));
    await fetch(`${node.control}/restart?down_ms=4000&wait=1`, { method: 'POST' });
    await seen(page.getByText('Does not answer'));
    await seen(page.getByText('Not reachable at the moment: default.'));
    await shoot(page, 'journey-node-down');
    await seen(page.getByText('All is back'));
    const row = page.getByRole('row', { name: /All is back/ });
    if (!/300/.test(await row.innerText())) fault(`the restart does not say what was put back: ${await row.innerText()}`);
    await seen(page.getByText('The node works, and nothing is missing.'));
    await shoot(page, 'journey-restart');
    const held = await (await fetch(`${node.control}/state`)).json();
    if (JSON.stringify(held).length < 10) fault('the stand-in says nothing');
  },

  async renewal() {
    const admin = await signedIn('admin', '/admin/keys');
    const page = await signedIn('user');
    const me = (await ask(page, 'GET', '/api/v1/session')).user.id;
    const give = (label, lifetime_s) => ask(admin, 'POST', '/api/v1/keys', { owner: me, label, lifetime_s });
    const end = Date.now() + 25_000;
    const kept = (await give('kept', 25)).key;
    await seen(card(page, 'kept').getByText('This key ends today.')); // it was given while the page was open
    await card(page, 'kept').getByRole('button', { name: 'More' }).click();
    await page.getByRole('menuitem', { name: 'Let it end later' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Renew' }).click();
    await until(async () => /(29|30) days/.test(await card(page, 'kept').innerText()), 'the card says how long it lasts now');
    const lost = (await give('lost', 2)).key;
    await seen(page.getByText('1 key that has ended'));
    await until(async () => (await use(lost)) === 401, 'the node refuses the key that ended');
    await until(() => Date.now() > end + 1500, 'the moment at which it would have ended', 40_000);
    await works(kept);

    // Where the policy leaves it to an admin, he is asked, and his answer is seen.
    await ask(admin, 'PUT', '/api/v1/policies/default', { renewal: 'approval' });
    await give('asked', 3 * 86_400);
    await seen(card(page, 'asked').getByText('This key ends in 2 days.'));
    await card(page, 'asked').getByRole('button', { name: 'More' }).click();
    await page.getByRole('menuitem', { name: 'Let it end later' }).click();
    await dialog.getByLabel('How long').selectOption('90');
    await dialog.getByRole('button', { name: 'Renew' }).click();
    await dialog.getByLabel('Reason').fill('The project goes on until autumn.');
    await dialog.getByRole('button', { name: 'Ask an administrator' }).click();
    await seen(card(page, 'asked').getByText('An administrator was asked'));
    await admin.getByRole('button', { name: '1 asks for renewal' }).click();
    await admin.getByRole('cell', { name: 'asked sk-' }).click();
    await seen(admin.getByText('The project goes on until autumn.'));
    await shoot(admin, 'journey-renewal');
    await admin.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
    await until(async () => /(89|90) days/.test(await card(page, 'asked').innerText()), 'the owner sees the longer time');
  },

  async pool() {
    const admin = await signedIn('admin', '/admin/keys');
    const page = await signedIn('user', '/my-keys', (status) => [401, 403, 503].includes(status));
    await ask(admin, 'PUT', '/api/v1/policies/default', { keys_per_user: 10 });
    const fill = async (count) => {
      await admin.getByRole('button', { name: 'Fill the pool' }).first().click();
      const dialog = admin.getByRole('dialog');
      await dialog.getByLabel('How many').fill(String(count));
      await dialog.getByRole('button', { name: 'Fill the pool' }).click();
    };
    await seen(admin.getByText('The pool is low'));
    await fill(3);
    await seen(admin.getByText('3 keys in the pool'));
    await until(async () => !(await admin.getByText('The pool is low').count()), 'the warning goes');
    for (const label of ['one', 'two', 'three']) {
      await takeKey(page, label);
      await copied(page);
      if (label === 'one') await seen(admin.getByText('The pool is low'));
    }
    await seen(admin.getByText('0 keys in the pool'));
    await shoot(admin, 'journey-pool-low');
    await page.getByRole('button', { name: 'Take a key' }).first().click();
    await page.getByRole('dialog').getByRole('button', { name: 'Take it' }).click();
    await seen(page.getByRole('dialog').getByText('No key is left in the pool'));
    await fill(5);
    await seen(admin.getByText('5 keys in the pool'));
    await page.getByRole('dialog').getByRole('button', { name: 'Take it' }).click();
    await seen(page.getByRole('dialog').getByText('shown this once'));
  },

  async budget() {
    const admin = await signedIn('admin', '/admin/keys');
    const page = await signedIn('user');
    const key = await takeKey(page, 'batch');
    await copied(page);
    await works(key);
    const setBudget = async (amount) => {
      await admin.getByRole('cell', { name: 'batch sk-' }).click();
      const drawer = admin.getByRole('dialog');
      await drawer.getByText('Change name, nodes and budgets').click();
      if (!(await drawer.getByLabel('Amount').count())) await drawer.getByRole('button', { name: 'Add a budget' }).click();
      await drawer.getByLabel('Amount').fill(String(amount));
      await drawer.getByLabel('Of what').selectOption('requests');
      await drawer.getByLabel('In which time').selectOption('hour');
      await drawer.getByRole('button', { name: 'Save' }).click();
      await seen(admin.getByText('Done'));
      await drawer.getByRole('button', { name: 'Close' }).click();
    };
    await setBudget(8);
    await seen(card(page, 'batch').getByRole('meter'));
    for (let at = 0; at < 400 && (await use(key)) === 200; at += 1);
    await seen(card(page, 'batch').getByText('A budget is used up'));
    if ((await use(key)) !== 401) fault('the node lets in a key whose budget is used up');
    await shoot(page, 'journey-budget-reached');
    await setBudget(100_000);
    await works(key);
    await until(async () => !(await card(page, 'batch').getByText('A budget is used up').count()), 'the page says that it works again');
    await seen(card(page, 'batch').getByText('Works', { exact: true }));
  },
};

try {
  await journeys[name]();
} catch (error) {
  fault(error.stack);
  for (const [at, context] of browser.contexts().entries()) {
    const page = context.pages()[0];
    if (process.env.KEYPORTAL_FAULTS) await page.screenshot({ path: `${process.env.KEYPORTAL_FAULTS}/${name}-${at}.png`, fullPage: true });
    fault(`window ${at} at ${page.url()}: ${(await page.locator('body').innerText().catch(() => '')).slice(0, 1200)}`);
  }
}
console.log(JSON.stringify({ journey: name, faults }));
await browser.close();
process.exit(faults ? 1 : 0);
