// Fails when a text is missing in one language, differs in its {{places}}, or is used without being there.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

const src = fileURLToPath(new URL('../src/', import.meta.url));
const faults = [];

const flat = (value, at = '', into = new Map()) => {
  for (const [key, one] of Object.entries(value)) {
    const here = at ? `${at}.${key}` : key;
    if (typeof one === 'object' && one !== null) flat(one, here, into);
    else if (typeof one !== 'string' || one.trim() === '') faults.push(`${here} is no text`);
    else into.set(here, one);
  }
  return into;
};
const plural = (key) => key.replace(/_(zero|one|two|few|many|other)$/, '');
const places = (text) => [...new Set([...text.matchAll(/{{-?\s*([\w.]+)[^}]*}}/g)].map((m) => m[1]))].sort().join();
const texts = (language) =>
  new Map(
    readdirSync(join(src, 'i18n', language))
      .filter((name) => name.endsWith('.json'))
      .map((name) => [name.slice(0, -5), flat(JSON.parse(readFileSync(join(src, 'i18n', language, name), 'utf8')))]),
  );

const en = texts('en');
const zh = texts('zh-CN');
const bases = (map) => new Map([...map].map(([key, text]) => [plural(key), text]));
for (const name of new Set([...en.keys(), ...zh.keys()])) {
  const one = bases(en.get(name) ?? new Map());
  const other = bases(zh.get(name) ?? new Map());
  // What went wrong is said in English by the server itself: see below.
  if (name === 'errors') continue;
  for (const key of one.keys()) if (!other.has(key)) faults.push(`zh-CN/${name}.json lacks ${key}`);
  for (const key of other.keys()) if (!one.has(key)) faults.push(`en/${name}.json lacks ${key}`);
  for (const [key, text] of one)
    if (other.has(key) && places(text) !== places(other.get(key)))
      faults.push(`${name}: ${key} has {{${places(text)}}} in en and {{${places(other.get(key))}}} in zh-CN`);
}

// Every code of the contract has a sentence in Chinese, and no sentence is of a code that is no more.
const contract = readFileSync(fileURLToPath(new URL('../../openapi.yaml', import.meta.url)), 'utf8');
const codes = new Set([...contract.matchAll(/^ +- \{const: (\w+), description: "\d{3}: /gm)].map((m) => m[1]));
const ofThePages = ['unexpected', 'offline', 'unreachable'];
if (codes.size < 100) faults.push('the codes of errors were not found in gateway/openapi.yaml');
for (const code of [...codes, ...ofThePages])
  if (!zh.get('errors').has(code)) faults.push(`zh-CN/errors.json lacks ${code}`);
// What the server says of a command line helps nobody who looks at a page.
for (const [, code, sentence] of contract.matchAll(/^ +- \{const: (\w+), description: "\d{3}: (.*)"\}/gm))
  if (sentence.includes('`keyportal') && !en.get('errors').has(code)) faults.push(`en/errors.json lacks ${code}, which the server answers with a command line`);
for (const language of [en, zh])
  for (const code of language.get('errors').keys())
    if (!codes.has(code) && !ofThePages.includes(code)) faults.push(`errors.json has ${code}, which nothing answers`);
for (const code of ofThePages) if (!en.get('errors').has(code)) faults.push(`en/errors.json lacks ${code}`);

const known = (space, key) => bases(en.get(space) ?? new Map()).has(plural(key));
const walk = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((one) =>
    one.isDirectory() ? walk(join(folder, one.name)) : /\.tsx?$/.test(one.name) ? [join(folder, one.name)] : [],
  );
for (const file of walk(src)) {
  if (/\.test\.tsx?$/.test(file)) continue;
  const text = readFileSync(file, 'utf8');
  const spaces = [...text.matchAll(/useTranslation\(\s*['"]([\w-]+)['"]/g)].map((m) => m[1]);
  spaces.push('common'); // where i18next looks last
  for (const [, key] of text.matchAll(/(?<![\w.])t\(\s*['"]([^'"$]+)['"]/g)) {
    const [space, rest] = key.includes(':') ? key.split(':') : [null, key];
    if (!(space ? known(space, rest) : spaces.some((s) => known(s, rest))))
      faults.push(`${file.slice(src.length)} says ${key}, which is not in ${space ?? spaces.join(', ')}.json`);
  }
}

if (faults.length) {
  console.error(`Texts are missing:\n  ${faults.join('\n  ')}`);
  process.exit(1);
}
console.log(`texts: ${[...en.values()].reduce((n, map) => n + map.size, 0)} in each language`);
