// A service of Foxing in a process of its own, on a database in a temporary folder.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { after } from 'node:test';
import { Foxing, type Schemas } from '../src/index.ts';

const FOXING = fileURLToPath(new URL('../../../.venv/bin/foxing', import.meta.url));
export const KEY = 'k3y-of-the-tests';

/** Starts a service, which ends after the tests of the file. */
export async function startService(): Promise<Foxing> {
  const folder = await mkdtemp(join(tmpdir(), 'foxing-js-'));
  const env = {
    ...process.env,
    FOXING_DATABASE_URL: `sqlite:///${join(folder, 'bank.db')}`,
    FOXING_EMBEDDER: 'none',
    FOXING_AGEING_ENABLED: 'false',
    FOXING_TIME_TRAVEL: 'true',
    FOXING_API_KEY: KEY,
    HOME: folder,
    OMP_NUM_THREADS: '1',
  };
  const child = spawn(FOXING, ['serve', '--port', '0', '--json'], { env, cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.on('data', (text: Buffer) => (said += text.toString()));
  after(async () => {
    if (child.exitCode === null) {
      child.kill();
      await once(child, 'exit');
    }
    await rm(folder, { recursive: true, force: true });
  });
  const ended = once(child, 'exit').then(() => Promise.reject(new Error(`foxing serve has ended: ${said}`)));
  ended.catch(() => undefined);
  const text = await Promise.race([firstDocument(child.stdout), ended]);
  return new Foxing({ baseUrl: (JSON.parse(text) as { url: string }).url, key: KEY });
}

async function firstDocument(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const line of createInterface({ input: stream })) {
    text += line;
    try {
      JSON.parse(text);
      break;
    } catch {
      // goes on
    }
  }
  stream.resume();
  return text;
}

/** Returns the messages of a bank in time order. */
export async function messagesOf(foxing: Foxing, bank: string): Promise<Schemas['RecalledMessage'][]> {
  const spans: Schemas['RecalledMessage'][] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const part = await foxing.recall(bank, null, { limit: 500, ...(cursor && { cursor }) });
    spans.push(...part.spans);
    cursor = part.next_cursor;
  }
  return spans;
}

/** Returns who said what in a bank, in time order; the words of calls and results as they are typeset. */
export async function saidIn(foxing: Foxing, bank: string): Promise<string[]> {
  return (await messagesOf(foxing, bank)).map(({ role, text }) => `${role}: ${text}`);
}
