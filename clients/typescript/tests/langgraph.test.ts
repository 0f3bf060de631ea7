import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InMemoryStore, type BaseStore, type Item } from '@langchain/langgraph-checkpoint';
import { Annotation, END, START, StateGraph, type LangGraphRunnableConfig } from '@langchain/langgraph';
import { InvalidInput } from '../src/index.ts';
import { FoxingStore } from '../src/langgraph.ts';
import { startService } from './service.ts';

const foxing = await startService();
const bare = (items: Item[]) => items.map(({ namespace, key, value }) => ({ namespace, key, value }));
const sorted = (items: Item[]) => bare(items).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

/** What a store answers to the calls that other stores of LangGraph are tested with. */
async function answers(store: BaseStore): Promise<unknown[]> {
  const docs = ['tenant', 'acme', 'docs'];
  await store.put(docs, 'a', { title: 'Titan', year: 2026, tags: ['x', 'y'], nested: { deep: null } });
  await store.put(docs, 'b', { title: 'Mina', year: 2024 });
  await store.put(['tenant', 'acme-corp', 'docs'], 'c', { title: 'Other', year: 2025 });
  await store.put(['tenant', 'acme'], 'd', { title: 'Root', year: 2023 });
  const first = await store.get(docs, 'b');
  await store.put(docs, 'b', { title: 'Mina', year: 2025 });
  const second = await store.get(docs, 'b');
  assert.ok(first && second && first.createdAt.getTime() === second.createdAt.getTime() && second.updatedAt >= first.updatedAt);
  const batch = await store.batch([
    { namespace: docs, key: 'a' },
    { namespace: docs, key: 'e', value: { title: 'New' } },
    { namespacePrefix: ['tenant', 'acme'], filter: { year: { $gte: 2025 } }, limit: 10, offset: 0 },
  ]);
  return [
    bare([second]),
    await store.get(docs, 'none'),
    bare([batch[0] as unknown as Item]),
    batch[1] ?? null, // others answer null to a put
    sorted(batch[2] as unknown as Item[]),
    sorted(await store.search(['tenant', 'acme'])),
    sorted(await store.search([], { filter: { title: 'Titan' } })),
    sorted(await store.search(['tenant'], { filter: { year: { $gt: 2023, $lt: 2026 } } })),
    sorted(await store.search(['tenant'], { filter: { year: { $ne: 2025 } } })),
    (await store.search(['tenant'], { limit: 2, offset: 1 })).length,
    (await store.search(['tenant'], { limit: 10, offset: 4 })).length,
    (await store.listNamespaces({ prefix: ['tenant'] })).sort(),
    (await store.listNamespaces({ suffix: ['docs'] })).sort(),
    (await store.listNamespaces({ prefix: ['tenant', '*', 'docs'] })).sort(),
    await store.listNamespaces({ maxDepth: 1 }),
    (await store.listNamespaces({ limit: 1, offset: 1 })).length,
    await store.delete(docs, 'a').then(() => store.get(docs, 'a')),
  ];
}

test('a store answers as the one of LangGraph', async () => {
  const store = new FoxingStore({ foxing, bank: 'store' });
  assert.equal(await store.get(['nothing'], 'x'), null);
  assert.deepEqual(await answers(store), await answers(new InMemoryStore()));
});

test('invalid calls are refused, and nothing is written', async () => {
  const store = new FoxingStore({ foxing, bank: 'refused' });
  await assert.rejects(store.put([], 'k', {}), /cannot be empty/);
  await assert.rejects(store.put(['langgraph'], 'k', {}), /langgraph/);
  await assert.rejects(store.search(['a'], { filter: { n: { $in: [1] } } }), InvalidInput);
  await assert.rejects(store.batch([{ namespace: ['a'], key: 'k', value: {} }, { namespace: [], key: 'k', value: {} }]), /cannot be empty/);
  assert.equal(await store.get(['a'], 'k'), null);
});

test('a query finds what was indexed, best first, and then the others', async () => {
  const store = new FoxingStore({ foxing, bank: 'search', index: ['text'] });
  await store.put(['a'], 'fish', { text: 'Mina does not eat fish.' });
  await store.put(['a'], 'title', { text: 'Nothing.', title: 'fish' });
  await store.put(['a'], 'none', { text: 'fish' }, false);
  const found = await store.search(['a'], { query: 'fish' });
  assert.deepEqual([found.length, found[0]?.key, typeof found[0]?.score, found[1]?.score], [3, 'fish', 'number', undefined]);
});

test('a graph reaches the store', async () => {
  const store = new FoxingStore({ foxing, bank: 'graph' });
  const State = Annotation.Root({ said: Annotation<string> });
  const graph = new StateGraph(State)
    .addNode('keep', async ({ said }, config: LangGraphRunnableConfig) => {
      await config.store?.put(['ana'], 'said', { said });
      return {};
    })
    .addEdge(START, 'keep')
    .addEdge('keep', END)
    .compile({ store });
  await graph.invoke({ said: 'We ship Titan on 14 March.' });
  assert.deepEqual((await store.get(['ana'], 'said'))?.value, { said: 'We ship Titan on 14 March.' });
});
