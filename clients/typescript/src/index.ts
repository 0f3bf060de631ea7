export { Foxing } from './client.ts';
export type { CallOptions, FoxingOptions, Message, RememberOptions, Schemas } from './client.ts';
export { Conflict, Forgotten, FoxingError, InvalidInput, NotFound, Refused, ServiceFailed, Unavailable } from './errors.ts';
export type { Problem } from './errors.ts';
export type { components, operations, paths } from './schema.ts';
