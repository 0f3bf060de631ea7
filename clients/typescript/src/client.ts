import createClient, { type Client, type MaybeOptionalInit } from 'openapi-fetch';
import { errorOf, FoxingError, InvalidInput, type Problem, Unavailable } from './errors.ts';
import type { components, paths } from './schema.ts';

/** The values of the HTTP reference, by name. */
export type Schemas = components['schemas'];

const FIRST_PAUSE_MS = 100; // doubles with every retry
const LONGEST_PAUSE_MS = 2_000;
/** What takes longer than other calls: it encodes pages, reads a file, or waits for one. */
const LONG = /\/(?:age|seal|context|fold|undo|reencode|import(?:\/[^/]+)?)$/;
const LONG_MS = 900_000;
/** Status of a call that goes on as a job, and the seconds for which a request waits for the end of one. */
const ACCEPTED = 202;
const JOB_WAIT_S = 30;
/** Calls that a key makes safe to repeat. */
const KEYED = /\/(?:messages|records)$/;

export interface FoxingOptions {
  /** URL of the service. Default: http://127.0.0.1:8765. */
  baseUrl?: string;
  /** API key of the service, if one is set. */
  key?: string;
  /** Timeout of a request. Sealing, ageing, context and imports have a longer one. Default: 60,000. */
  timeoutMs?: number;
  /** Time for which calls that failed are repeated, if the service says that this may help. Default: 20,000. */
  retryForMs?: number;
  /** Default: that of the platform. */
  fetch?: typeof fetch;
}

/** Options of a call. */
export interface CallOptions {
  signal?: AbortSignal;
}

/** A message to store, or one of a provider. */
export type Message = Schemas['NewMessage'];

/** Fields of `remember` beside the messages. */
export type RememberOptions = Omit<Schemas['StoreRequest'], 'messages'> & CallOptions & { idempotencyKey?: string };

type Method = 'get' | 'put' | 'post' | 'patch' | 'delete';
type PathsWith<M extends Method> = { [P in keyof paths]: paths[P] extends { [K in M]: object } ? P : never }[keyof paths];
type Init<P extends keyof paths, M extends Method> = MaybeOptionalInit<paths[P], M>;
type Arguments<P extends keyof paths, M extends Method> = undefined extends Init<P, M> ? [options?: Init<P, M>] : [options: Init<P, M>];
type Content<R> = R extends { content: infer C } ? C[keyof C] : never;
/** What a call answers; one that is answered with a job (202) is followed to its end. */
type Answer<P extends keyof paths, M extends Method> = paths[P][M] extends { responses: infer R } ? Content<R[Exclude<keyof R, 202>]> : never;
/** A job of a bank, as far as it is followed. */
type FollowedJob = { state: string; done: number; error: Problem | null; result: unknown };

/**
 * Client of a Foxing service. Methods throw a `FoxingError`.
 *
 * `get`, `post`, `put`, `patch` and `delete` call any operation of the HTTP reference by its path; the other methods are
 * those that most programs need.
 */
export class Foxing {
  readonly baseUrl: string;
  readonly #http: Client<paths>;

  constructor(options: FoxingOptions = {}) {
    const { baseUrl = 'http://127.0.0.1:8765', key, timeoutMs = 60_000, retryForMs = 20_000, fetch: send = globalThis.fetch } = options;
    if (!/^https?:\/\/[^/]/.test(baseUrl)) throw new InvalidInput(`'${baseUrl}' is not the URL of a service; write it like http://127.0.0.1:8765`);
    this.baseUrl = baseUrl.replace(/\/+$/, '');
    this.#http = createClient<paths>({
      baseUrl: this.baseUrl,
      headers: { Accept: 'application/json', ...(key !== undefined && { Authorization: `Bearer ${key}` }) },
      fetch: (request) => sendWithRetries(request, send, timeoutMs, retryForMs),
    });
  }

  /** Calls an operation and returns its answer. */
  get<P extends PathsWith<'get'>>(path: P, ...options: Arguments<P, 'get'>): Promise<Answer<P, 'get'>> {
    return this.#call('GET', path, options[0]);
  }

  /** Calls an operation and returns its answer. */
  post<P extends PathsWith<'post'>>(path: P, ...options: Arguments<P, 'post'>): Promise<Answer<P, 'post'>> {
    return this.#call('POST', path, options[0]);
  }

  /** Calls an operation and returns its answer. */
  put<P extends PathsWith<'put'>>(path: P, ...options: Arguments<P, 'put'>): Promise<Answer<P, 'put'>> {
    return this.#call('PUT', path, options[0]);
  }

  /** Calls an operation and returns its answer. */
  patch<P extends PathsWith<'patch'>>(path: P, ...options: Arguments<P, 'patch'>): Promise<Answer<P, 'patch'>> {
    return this.#call('PATCH', path, options[0]);
  }

  /** Calls an operation and returns its answer. */
  delete<P extends PathsWith<'delete'>>(path: P, ...options: Arguments<P, 'delete'>): Promise<Answer<P, 'delete'>> {
    return this.#call('DELETE', path, options[0]);
  }

  /** Stores messages, all or none, and creates the bank if it does not exist. */
  remember(bank: string, messages: readonly Message[], options: RememberOptions = {}): Promise<Schemas['StoreResult']> {
    const { signal, idempotencyKey, ...fields } = options;
    const header = idempotencyKey === undefined ? {} : { 'Idempotency-Key': idempotencyKey };
    return this.post('/v1/banks/{bank}/messages', { params: { path: { bank }, header }, body: { ...fields, messages: [...messages] }, ...given(signal) });
  }

  /** Returns the messages that match a query, best first; without a query, those of the time window in time order. */
  async recall(bank: string, query?: string | null, fields: Omit<Schemas['RecallRequest'], 'query' | 'format'> & CallOptions = {}): Promise<Schemas['RecallResult']> {
    const { signal, ...rest } = fields;
    const body = { ...rest, query: query ?? null, format: 'text' as const };
    return (await this.post('/v1/banks/{bank}/recall', { params: { path: { bank } }, body, ...given(signal) })) as Schemas['RecallResult'];
  }

  /** Returns images of the pages with the messages that match a query, laid out for a reader. */
  async recallImages(bank: string, query: string, fields: Omit<Schemas['RecallRequest'], 'query' | 'format'> & CallOptions = {}): Promise<Schemas['RecalledImages']> {
    const { signal, ...rest } = fields;
    const body = { ...rest, query, format: 'images' as const };
    return (await this.post('/v1/banks/{bank}/recall', { params: { path: { bank } }, body, ...given(signal) })) as Schemas['RecalledImages'];
  }

  /** Returns the next prompt for a reader, within a budget in its tokens. */
  context(bank: string, request: Schemas['ContextRequest'], { signal }: CallOptions = {}): Promise<Schemas['ContextResult']> {
    return this.post('/v1/banks/{bank}/context', { params: { path: { bank } }, body: request, ...given(signal) });
  }

  /** Returns the complete messages of one or several references, such as those on page images. */
  fetch(bank: string, refs: string | readonly string[], { signal }: CallOptions = {}): Promise<Schemas['FetchResult']> {
    const ref = typeof refs === 'string' ? [refs] : [...refs];
    return this.get('/v1/banks/{bank}/fetch', { params: { path: { bank }, query: { ref } }, ...given(signal) });
  }

  /** Erases a message for good. */
  forget(bank: string, messageId: string, { signal }: CallOptions = {}): Promise<Schemas['ErasureReport']> {
    return this.delete('/v1/banks/{bank}/messages/{message_id}', { params: { path: { bank, message_id: messageId } }, ...given(signal) });
  }

  /** Keeps a page at its tier, or lets it age again. */
  pin(bank: string, pageId: string, { signal, pinned = true }: CallOptions & { pinned?: boolean } = {}): Promise<Schemas['PageInfo']> {
    const options = { params: { path: { bank, page_id: pageId } }, ...given(signal) };
    return pinned ? this.put('/v1/banks/{bank}/pages/{page_id}/pin', options) : this.delete('/v1/banks/{bank}/pages/{page_id}/pin', options);
  }

  async #call(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, options: object = {}): Promise<never> {
    const request = this.#http.request as (method: string, path: string, options: object) => Promise<{ response: Response }>;
    const body = 'body' in options ? options.body : undefined;
    const raw = body instanceof Blob || body instanceof Uint8Array || body instanceof ArrayBuffer;
    const { response } = await request(method.toLowerCase(), path, {
      parseAs: 'stream',
      ...options,
      ...(raw && { bodySerializer: (bytes: unknown) => bytes, headers: { 'Content-Type': 'application/octet-stream', ...('headers' in options ? (options.headers as object) : {}) } }),
    });
    if (response.status === ACCEPTED) return (await this.#followed(response, options)) as never;
    const kind = response.headers.get('Content-Type') ?? '';
    if (/[/+]json\b/.test(kind)) return (await response.json()) as never;
    return (kind.startsWith('text/plain') ? await response.text() : await response.blob()) as never;
  }

  /** Follows a job to its end, and returns its result. */
  async #followed(response: Response, options: object): Promise<unknown> {
    const request = this.#http.request as (method: string, path: string, options: object) => Promise<{ response: Response }>;
    const path = `${response.headers.get('Location')}?wait=${JOB_WAIT_S}`;
    const signal = 'signal' in options ? { signal: options.signal } : {};
    let job = (await response.json()) as FollowedJob;
    while (job.state === 'waiting' || job.state === 'running') {
      job = (await (await request('get', path, { parseAs: 'stream', ...signal })).response.json()) as FollowedJob;
    }
    if (job.error) throw await errorOf(new Response(JSON.stringify(job.error), { status: job.error.status }));
    if (job.result === null) throw new FoxingError(`the job was ${job.state} after ${job.done}; call it again for the rest`);
    return job.result;
  }
}

function given(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

/** Sends a request until it succeeds, cannot succeed, or time is up. All calls are idempotent, with a key or without. */
async function sendWithRetries(request: Request, send: typeof fetch, timeoutMs: number, retryForMs: number): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (request.method === 'POST' && KEYED.test(pathname) && !request.headers.has('Idempotency-Key')) {
    request.headers.set('Idempotency-Key', randomKey());
  }
  const until = Date.now() + retryForMs;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    const failure = await sendOnce(request.clone(), send, LONG.test(pathname) ? LONG_MS : timeoutMs);
    if (failure instanceof Response) return failure;
    request.signal.throwIfAborted();
    const wait = failure.retryAfterMs ?? pause * (0.5 + Math.random());
    if (failure.retry === 'never' || Date.now() + wait >= until) throw failure;
    await sleep(wait, request.signal);
  }
}

async function sendOnce(request: Request, send: typeof fetch, timeoutMs: number): Promise<Response | FoxingError> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const origin = new URL(request.url).origin;
  try {
    const response = await send(new Request(request, { signal: AbortSignal.any([request.signal, timeout]) }));
    return response.ok ? response : await errorOf(response);
  } catch (cause) {
    const said = timeout.aborted ? `the service at ${origin} did not respond in time` : `there is no service at ${origin} (${reasonOf(cause)}); start it with 'foxing serve'`;
    return new Unavailable(said, { retry: 'later', cause });
  }
}

function reasonOf(error: unknown): string {
  const { cause, message } = error as { cause?: { message?: string }; message?: string };
  return cause?.message || message || String(error);
}

function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal.addEventListener('abort', stop, { once: true });
  });
}
