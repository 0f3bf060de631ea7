import type { components } from './schema.ts';

/** A problem document (RFC 9457) of the service. */
export type Problem = components['schemas']['Problem'];

/** Base class of the errors of this package. The message says what to do. */
export class FoxingError extends Error {
  /** The problem document of the service; undefined if there was no response of one. */
  readonly problem: Problem | undefined;
  /** HTTP status; 0 without a response. */
  readonly status: number;
  /** Whether the same call may succeed another time: never, later, or after `retryAfterMs`. */
  readonly retry: 'never' | 'later' | 'after';
  /** Milliseconds before which the same call does not succeed. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: { problem?: Problem; status?: number; retry?: FoxingError['retry']; retryAfterMs?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = new.target.name;
    this.problem = options.problem;
    this.status = options.status ?? 0;
    this.retry = options.retry ?? 'never';
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The request is invalid; nothing was stored. */
export class InvalidInput extends FoxingError {}
/** The key is missing or wrong, or a setting forbids the call. */
export class Refused extends FoxingError {}
/** The bank, page or message does not exist. */
export class NotFound extends FoxingError {}
/** The id or the idempotency key was used for something else. */
export class Conflict extends FoxingError {}
/** The memory no longer holds what was asked for. */
export class Forgotten extends FoxingError {}
/** The service failed; see its log. */
export class ServiceFailed extends FoxingError {}
/** The service cannot be reached, is busy, or lacks a part that it needs. */
export class Unavailable extends FoxingError {}

const BY_STATUS: Record<number, typeof FoxingError> = {
  401: Refused,
  403: Refused,
  404: NotFound,
  408: Unavailable,
  409: Conflict,
  410: Forgotten,
  421: Refused,
  429: Unavailable,
  502: Unavailable,
  503: Unavailable,
  504: Unavailable,
};

/** Returns the error of a failed response. Its promise about another try is that of the problem document. */
export async function errorOf(response: Response): Promise<FoxingError> {
  const { status } = response;
  const kind = BY_STATUS[status] ?? (status >= 500 ? ServiceFailed : InvalidInput);
  const text = await response.text().catch(() => '');
  let problem: Problem | undefined;
  try {
    problem = JSON.parse(text) as Problem;
  } catch {
    // not of the service
  }
  if (!problem?.type?.startsWith('urn:foxing:problem:')) {
    const said = `the server responded with status ${status} and without a problem document of Foxing: ${text.slice(0, 200)}; check baseUrl`;
    const pause = Number(response.headers.get('Retry-After') ?? NaN);
    return new kind(said, { status, retry: 'later', ...(pause >= 0 && { retryAfterMs: pause * 1000 }) });
  }
  const pause = problem.retry_after_s;
  return new kind(problem.detail, { problem, status, retry: problem.retry ?? 'never', ...(pause != null && { retryAfterMs: pause * 1000 }) });
}
