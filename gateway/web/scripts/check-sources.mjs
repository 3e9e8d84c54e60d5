// Fails when a source does what the server's content security policy refuses, or could let a stranger's text become a page:
// HTML out of texts, code out of texts, styles as texts, data: addresses, another host.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

const web = fileURLToPath(new URL('../', import.meta.url));

const refused = [
  [/\bdangerouslySetInnerHTML\b/, 'makes HTML of a text'],
  [/\.(inner|outer)HTML\b|\binsertAdjacentHTML\b|\bcreateContextualFragment\b|\bdocument\.write(ln)?\b|\bDOMParser\b|\bsrcdoc\b/i, 'makes HTML of a text'],
  [/\beval\s*\(|\bnew\s+Function\b|\bset(Timeout|Interval)\(\s*['"`]/, 'makes code of a text'],
  [/\bstyle\s*=\s*["'`]|setAttribute\(\s*['"`](style|on\w+)['"`]|\.cssText\b/i, 'sets a style or a handler as a text, which the policy refuses'],
  [/["'`(]\s*javascript:/i, 'has an address that is code'],
  [/["'`(]data:\w+\/|url\(\s*['"]?data:/i, 'has a data: address, which the policy refuses'],
  [/@import\b|url\(\s*['"]?(https?:)?\/\//i, 'takes a style from elsewhere'],
  [/\b(local|session)Storage\.setItem\([^)]*(password|secret|token|invitation)/i, 'keeps a secret in the browser'],
];
/// Addresses that stand in a text or an example; none of them is ever asked.
const addresses = new Set([
  'http://127.0.0.1:8317', // where CLIProxyAPI listens unless it is told otherwise: what stands in the field at first
  'http://portal.invalid', // to take a path apart
  'https://proxy.example.com', // in place of an address that is not known yet
  'https://opencode.ai/config.json', // the name of a scheme in a settings file that people copy
  'http://www.w3.org/2000/svg', // the name of a language
]);
/// Links that people may follow to elsewhere, and why.
const links = new Set([]);

const walk = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((one) => (one.isDirectory() ? walk(join(folder, one.name)) : [join(folder, one.name)]));
const files = [join(web, 'index.html'), ...walk(join(web, 'src')), ...walk(join(web, 'public'))]
  .filter((file) => /\.(tsx?|css|html|svg|json)$/.test(file) && !/\.test\.tsx?$|\/test\/|\/api\/schema\.ts$/.test(file));

const faults = [];
for (const file of files) {
  const name = file.slice(web.length);
  readFileSync(file, 'utf8').split('\n').forEach((line, at) => {
    const text = /\.tsx?$/.test(file) ? line.replace(/(^|\s)\/\/.*$/, '') : line; // what is only remarked is not done
    for (const [pattern, what] of refused) if (pattern.test(text)) faults.push(`${name}:${at + 1} ${what}`);
    for (const [address] of text.matchAll(/\b(?:https?|wss?):\/\/[^\s"'`)<>\\$]+/g))
      if (!addresses.has(address) && !links.has(address)) faults.push(`${name}:${at + 1} names ${address}; list it in scripts/check-sources.mjs if it is no request`);
    if (/\.html$/.test(file) && /<script(?![^>]*\bsrc=)|<style|\son\w+=/i.test(text)) faults.push(`${name}:${at + 1} has something inline, which the policy refuses`);
  });
}
if (files.length < 50) faults.push('the sources were not found');
if (faults.length) {
  console.error(`The pages may not do this:\n  ${faults.join('\n  ')}`);
  process.exit(1);
}
console.log(`sources: ${files.length} files do nothing that the content security policy refuses`);
