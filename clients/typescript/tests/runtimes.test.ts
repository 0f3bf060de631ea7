// The package in other runtimes than Node, each where it is on PATH; all take the same bundle.
//
//     npm install --prefix FOLDER --allow-scripts=bun,deno,workerd bun deno workerd     # 350 MB
//     PATH=FOLDER/node_modules/.bin:$PATH node --import tsx --test tests/runtimes.test.ts
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { KEY, startService } from './service.ts';

const run = promisify(execFile);
const [foxing, folder] = await Promise.all([startService(), mkdtemp(join(tmpdir(), 'foxing-runtimes-'))]);
after(() => rm(folder, { recursive: true, force: true }));

const WANTED = {
  ...{ recalled: 'We ship Titan on 14 March.', image: true, imported: 'done', given: true, said: 'Aye.', stored: true },
  turns: ['assistant: Aye.', 'assistant: On 14 March.', 'user: Imported.', 'user: Sure?', 'user: We ship Titan on 14 March.', 'user: When do we ship Titan?'],
  ...{ problem: true, aborted: 'Error: enough' },
};
const PROGRAM = "import { use } from './portable.ts';\n";
const COMMAND = `${PROGRAM}const [url, key, bank] = globalThis.Deno?.args ?? process.argv.slice(2);\nconsole.log(JSON.stringify(await use(url, key, bank)));`;
const WORKER = `${PROGRAM}export default { async fetch(request) { const [url, key, bank] = await request.json(); return Response.json(await use(url, key, bank)); } };`;
const CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (modules = [(name = "worker.js", esModule = embed "worker.js")], compatibilityDate = "2026-01-01", globalOutbound = "net")),
    (name = "net", network = (allow = ["private", "public"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);`;

/** Writes a program with all that it imports, without anything of Node. */
async function bundle(contents: string, name: string): Promise<string> {
  const outfile = join(folder, name);
  await build({ stdin: { contents, resolveDir: fileURLToPath(new URL('.', import.meta.url)), loader: 'ts' }, bundle: true, format: 'esm', platform: 'browser', target: 'es2022', outfile });
  return outfile;
}

async function isThere(command: string): Promise<boolean> {
  const places = (process.env['PATH'] ?? '').split(delimiter).map((place) => access(join(place, command)));
  return Promise.any(places).then(() => true, () => false);
}

for (const [command, ...options] of [['node'], ['bun', 'run'], ['deno', 'run', '--allow-net=127.0.0.1', '--allow-env', '--allow-sys', '--no-prompt']] as const) {
  test(`the package in ${command}`, { skip: !(await isThere(command)) && `${command} is not on PATH` }, async () => {
    const program = await bundle(COMMAND, `${command}.mjs`);
    const { stdout } = await run(command, [...options, program, foxing.baseUrl, KEY, command], { cwd: folder });
    assert.deepEqual(JSON.parse(stdout), WANTED);
  });
}

test('the package in a worker', { skip: !(await isThere('workerd')) && 'workerd is not on PATH' }, async (t) => {
  await bundle(WORKER, 'worker.js');
  await writeFile(join(folder, 'config.capnp'), CONFIG);
  const child = spawn('workerd', ['serve', 'config.capnp', '--control-fd=1'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(async () => {
    child.kill();
    if (child.exitCode === null) await once(child, 'exit');
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const { event, port } = JSON.parse(line) as { event: string; port: number };
    if (event !== 'listen') continue;
    const response = await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body: JSON.stringify([foxing.baseUrl, KEY, 'worker']) });
    assert.deepEqual(await response.json(), WANTED);
    return;
  }
  assert.fail('workerd has ended');
});
