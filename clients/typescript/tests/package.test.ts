import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { build } from 'esbuild';

const MOST_BYTES = 15_000;

async function sizeOf(...entries: string[]): Promise<number> {
  const contents = entries.map((name) => `export * from './${name}.ts';`).join('\n');
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL('../src', import.meta.url)) },
    ...{ bundle: true, minify: true, format: 'esm', write: false, target: 'es2022' },
    external: ['ai', '@langchain/langgraph-checkpoint', '@mastra/core'],
  });
  return outputFiles[0]?.contents.length ?? 0;
}

test('foxing-memory is at most 15 kB minified, with its dependency', async (t) => {
  const size = await sizeOf('index');
  t.diagnostic(`foxing-memory: ${size} bytes; with all entries: ${await sizeOf('index', 'ai', 'wrap', 'langgraph', 'mastra')} bytes`);
  assert.ok(size > 1_000 && size <= MOST_BYTES, `${size} bytes`);
});
