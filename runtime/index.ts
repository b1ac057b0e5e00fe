/**
 * Models that write text, and below them sessions that are stepped token by token. `docs/api.md` is the guide; this page is made
 * from the doc comments by `make docs`.
 *
 * @module
 */
export * from './addon/index.js';
export * from './llm/index.js';
