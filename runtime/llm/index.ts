/**
 * Models that write text.
 *
 * ```js
 * await using model = await loadModel('generated/storyteller');
 * for await (const { text } of model.generate('Once upon a time', { maxTokens: 50 })) process.stdout.write(text);
 * ```
 */
export { ContextOverflowError } from './errors.js';
export { loadModel } from './load.js';
export type * from './types.js';
