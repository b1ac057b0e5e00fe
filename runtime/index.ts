/** The package: models that write text (llm), and below them sessions that step token by token (addon). */
export * from './addon/index.js';
export * from './llm/index.js';
