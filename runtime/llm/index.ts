/**
 * Models that write text.
 *
 * ```js
 * const model = await loadModel('generated/storyteller');
 * for await (const { text } of model.generate('Once upon a time', { maxTokens: 50 })) process.stdout.write(text);
 * await model.close();
 * ```
 */
export { JsonNumber, parseJson } from '../text/exact_json.js';
export { ContextOverflowError } from './errors.js';
export { loadModel } from './load.js';
export type * from './types.js';
