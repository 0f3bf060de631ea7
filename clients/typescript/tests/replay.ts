// Takes sessions through entries of the package into banks: each a line of JSON on stdin, answered with a line.
import { createInterface } from 'node:readline';
import { Foxing } from '../src/index.ts';
import { throughAiSdk, throughWrap, type RecordedSession } from './recorded.ts';

for await (const line of createInterface({ input: process.stdin })) {
  const { entry, url, bank, thread, calls } = JSON.parse(line) as { entry: 'wrap' | 'ai'; url: string; bank: string } & RecordedSession;
  const through = entry === 'ai' ? throughAiSdk : throughWrap;
  const isStored = await through({ calls }, { foxing: new Foxing({ baseUrl: url }), bank, thread, recall: false });
  console.log(isStored ? 'stored' : 'not stored');
}
