// Generates src/schema.ts, the types of the HTTP reference, from docs/reference/openapi.json.
//
//     npm run generate                    write the file
//     node scripts/types.js --check       write nothing; exit with status 1 if the file is stale
import { readFile, writeFile } from 'node:fs/promises';
import openapiTS, { astToString } from 'openapi-typescript';
import ts from 'typescript';

const SOURCE = new URL('../../../docs/reference/openapi.json', import.meta.url);
const TARGET = new URL('../src/schema.ts', import.meta.url);
const HEAD = '// Generated from docs/reference/openapi.json by `npm run generate`; do not edit it.\n';
const BLOB = ts.factory.createTypeReferenceNode('Blob');

const document = JSON.parse(await readFile(SOURCE, 'utf-8'), (name, value) => (name === 'examples' ? undefined : value));
for (const operations of Object.values(document.paths)) {
  for (const { responses } of Object.values(operations)) {
    for (const status of Object.keys(responses)) if (!status.startsWith('2')) delete responses[status]; // they are thrown
  }
}
// what is no JSON comes and goes as bytes
const transform = (schema) => ('contentMediaType' in schema || schema.format === 'binary' ? BLOB : undefined);
const nodes = await openapiTS(document, { transform });
const made = HEAD + astToString(nodes);
if (!process.argv.includes('--check')) {
  await writeFile(TARGET, made);
} else if (made !== (await readFile(TARGET, 'utf-8').catch(() => ''))) {
  console.error('src/schema.ts is not what docs/reference/openapi.json says; run npm run generate');
  process.exit(1);
}
