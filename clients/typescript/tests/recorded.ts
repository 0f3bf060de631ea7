// The recorded sessions of the tests in Python, and what Python's wrap stores of them.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export interface RecordedSession {
  thread: string;
  calls: { path: string; body: Record<string, unknown>; answer: Record<string, unknown> }[];
  stored: [id: string, role: string, text: string][];
}

const PYTHON = fileURLToPath(new URL('../../../.venv/bin/python', import.meta.url));

export async function recordedSessions(): Promise<RecordedSession[]> {
  const env = { ...process.env, FOXING_EMBEDDER: 'none' };
  const { stdout } = await promisify(execFile)(PYTHON, [fileURLToPath(new URL('recorded.py', import.meta.url))], { env, maxBuffer: 64 << 20 });
  return JSON.parse(stdout) as RecordedSession[];
}
