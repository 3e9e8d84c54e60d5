// A browser whose pages are watched: what goes wrong in any of them is told as a fault.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { small } from './palette.mjs';

export const base = process.env.KEYPORTAL_URL?.replace(/\/$/, '') ?? '';
export const origin = base && new URL(base).origin;
const shots = process.env.KEYPORTAL_SHOTS;

export const open = (args = []) =>
  chromium.launch({ executablePath: process.env.KEYPORTAL_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', ...args] });

/// Tells `fault` of errors, of requests to another host, and of answers that went wrong but for those that `allowed` names.
export function watch(page, fault, allowed = (status) => status === 401 || status === 403) {
  page.on('pageerror', (error) => fault(error.message));
  page.on('console', (message) => {
    // What is refused is told by the page; Chromium says so besides, and the answer itself is looked at below.
    if (message.type() === 'error' && !/status of [45]\d\d/.test(message.text())) fault(message.text());
  });
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !url.startsWith('blob:') && !url.startsWith(origin.replace('http', 'ws'))) fault(`asks ${url}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400 && !allowed(response.status(), response.url())) fault(`${response.status()} for ${response.url()}`);
  });
}

/// A picture for the documentation, where a folder for them is named; of 256 colours, since these are many.
export async function shoot(page, name, more = {}) {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  writeFileSync(join(shots, `${name}.png`), small(await page.screenshot({ animations: 'disabled', caret: 'hide', ...more })));
}

/// Polls until `look` gives something true. Not page.waitForFunction: it needs eval, which the server does not allow.
export async function until(look, what, ms = 30_000) {
  for (const end = Date.now() + ms; ; await new Promise((go) => setTimeout(go, 40))) {
    const got = await look();
    if (got) return got;
    if (Date.now() > end) throw new Error(`not within ${ms / 1000} s: ${what}`);
  }
}
