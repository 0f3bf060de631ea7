// What the package does where there is no Node: nothing here is of one runtime. `tests/runtimes.test.ts` bundles it.
import { generateText, wrapLanguageModel } from 'ai';
import OpenAI from 'openai';
import { foxingMiddleware } from '../src/ai.ts';
import { Foxing, NotFound } from '../src/index.ts';
import { flush, wrap } from '../src/wrap.ts';

/** Calls a service by every entry without a framework of Node's, and returns what came of it. */
export async function use(baseUrl: string, key: string, bank: string): Promise<Record<string, unknown>> {
  const foxing = new Foxing({ baseUrl, key });
  const path = { bank };
  await foxing.remember(bank, [{ role: 'user', content: 'We ship Titan on 14 March.', thread: 'before' }]);
  const { pages: [page = ''] } = await foxing.post('/v1/banks/{bank}/seal', { params: { path } });
  const image = await foxing.get('/v1/banks/{bank}/pages/{page_id}/image', { params: { path: { bank, page_id: page } } });
  const file = new Blob([JSON.stringify({ role: 'user', content: 'Imported.', created_at: '2026-01-01T09:00:00Z' })]);
  const job = await foxing.post('/v1/banks/{bank}/import', { params: { path, query: { filename: 'chat.jsonl' } }, body: file });
  const done = 'id' in job && (await foxing.get('/v1/banks/{bank}/import/{import_id}', { params: { path: { bank, import_id: job.id }, query: { wait: 30 } } }));

  let prompt = '';
  const model = {
    ...{ specificationVersion: 'v4' as const, provider: 'scripted', modelId: 'scripted', supportedUrls: {} },
    doGenerate: async (options: { prompt: unknown }) => {
      prompt = JSON.stringify(options.prompt);
      const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } };
      return { content: [{ type: 'text', text: 'On 14 March.' }], finishReason: { unified: 'stop' }, usage, warnings: [] };
    },
    doStream: () => Promise.reject(new Error('not used')),
  };
  const memory = foxingMiddleware({ foxing, bank, thread: 'ai', deadlineMs: 60_000 });
  await generateText({ model: wrapLanguageModel({ model: model as never, middleware: memory }), prompt: 'When do we ship Titan?' });

  const chunk = { id: 'c', object: 'chat.completion.chunk', choices: [{ index: 0, delta: { content: 'Aye.' }, finish_reason: 'stop' }] };
  const stream = () => Promise.resolve(new Response(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`, { headers: { 'content-type': 'text/event-stream' } }));
  const client = wrap(new OpenAI({ apiKey: 'none', fetch: stream, dangerouslyAllowBrowser: true }), { foxing, bank, thread: 'wrap', recall: false });
  let said = '';
  for await (const part of await client.chat.completions.create({ model: 'm', stream: true, messages: [{ role: 'user', content: 'Sure?' }] })) said += part.choices[0]?.delta.content ?? '';

  return {
    recalled: (await foxing.recall(bank, 'when do we ship Titan?', { limit: 1 })).spans[0]?.text,
    image: new Uint8Array(await image.arrayBuffer())[1] === 0x50,
    imported: done && done.state,
    given: prompt.includes('14 March'),
    said,
    stored: (await memory.flush()) && (await flush(client)),
    turns: (await foxing.recall(bank, null, { limit: 50 })).spans.map(({ role, text }) => `${role}: ${text}`).sort(),
    problem: await foxing.get('/v1/banks/{bank}', { params: { path: { bank: 'nobody' } } }).catch((error: unknown) => error instanceof NotFound),
    aborted: await foxing.get('/v1/banks', { signal: AbortSignal.abort(new Error('enough')) }).catch((error: unknown) => String(error)),
  };
}
