import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { KEY, startService } from './service.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const foxing = await startService();

test('the packed package, installed in an empty folder, runs the first example', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'foxing-pack-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], { cwd: root });
  await writeFile(join(folder, 'package.json'), '{"type": "module"}');
  await run('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefer-offline', './foxing-memory-0.1.0.tgz'], { cwd: folder });
  await copyFile(join(root, 'examples', 'first.js'), join(folder, 'first.js'));
  const { stdout } = await run('node', ['first.js', foxing.baseUrl, KEY], { cwd: folder });
  assert.equal(stdout, 'We ship Titan on 14 March.\n');
});
