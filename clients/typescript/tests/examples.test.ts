import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { KEY, startService } from './service.ts';

const foxing = await startService();
const folder = new URL('../examples/', import.meta.url);

/** Entry of the package → its example, and what that prints at its end. */
const EXAMPLES: Record<string, [file: string, end: string]> = {
  '.': ['first.js', 'We ship Titan on 14 March.\n'],
  './ai': ['ai.js', 'assistant: No salmon for you, Mina: you do not eat fish.\n'],
  './wrap': ['wrap.js', 'assistant: No salmon for you, Mina: you do not eat fish.\n'],
  './langgraph': ['langgraph.js', 'assistant: You said: Mina does not eat fish.\n'],
  './mastra': ['mastra.js', 'assistant: No salmon for you, Mina: you do not eat fish.\n'],
};

test('each entry has an example, which imports it', async () => {
  const manifest = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf-8')) as { exports: object };
  assert.deepEqual(Object.keys(EXAMPLES).sort(), Object.keys(manifest.exports).sort());
  assert.deepEqual(Object.values(EXAMPLES).map(([file]) => file).sort(), (await readdir(folder)).sort());
  for (const [entry, [file]] of Object.entries(EXAMPLES)) assert.ok((await readFile(new URL(file, folder), 'utf-8')).includes(`'foxing-memory${entry.slice(1)}'`));
});

for (const [file, end] of Object.values(EXAMPLES)) {
  test(`the example ${file} runs`, async () => {
    const { OPENAI_API_KEY: _, ...env } = process.env;
    const { stdout, stderr } = await promisify(execFile)('node', [fileURLToPath(new URL(file, folder)), foxing.baseUrl, KEY], { env });
    assert.ok(stdout.endsWith(end), `${stdout}\n${stderr}`);
  });
}
