// Takes calls of a session through an entry of the package into a bank: what is to be done comes as JSON on stdin.
import { text } from 'node:stream/consumers';
import { Foxing } from '../src/index.ts';
import { throughAiSdk, throughWrap, type RecordedSession } from './recorded.ts';

const { entry, url, bank, thread, calls } = JSON.parse(await text(process.stdin)) as { entry: 'wrap' | 'ai'; url: string; bank: string } & RecordedSession;
const through = entry === 'ai' ? throughAiSdk : throughWrap;
const isStored = await through({ calls }, { foxing: new Foxing({ baseUrl: url }), bank, thread, recall: false });
process.exitCode = isStored ? 0 : 1;
