// Makes the texts in traditional Chinese, as written in Taiwan, of those in simplified Chinese.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Converter } from 'opencc-js/cn2t';

const from = new URL('../src/i18n/zh-CN/', import.meta.url);
const to = new URL('../src/i18n/zh-TW/', import.meta.url);
const convert = Converter({ from: 'cn', to: 'twp' });
rmSync(to, { recursive: true, force: true });
mkdirSync(to, { recursive: true });
for (const name of readdirSync(from))
  if (name.endsWith('.json')) writeFileSync(new URL(name, to), convert(readFileSync(new URL(name, from), 'utf8')));
