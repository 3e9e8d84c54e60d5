// Makes src/api/schema.ts of the contract, so that the pages are checked against it.
import { readFileSync, writeFileSync, existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import openapiTS, { astToString } from 'openapi-typescript';

const contract = new URL('../../openapi.yaml', import.meta.url);
const out = fileURLToPath(new URL('../src/api/schema.ts', import.meta.url));
const text = `// Made of gateway/openapi.yaml by scripts/generate-schema.mjs.\n${astToString(await openapiTS(contract))}`;
if (!existsSync(out) || readFileSync(out, 'utf8') !== text) writeFileSync(out, text);
