/** Models that write text. */
import type { LanguageModel, LoadOptions } from './types.js';

export { ContextOverflowError } from './errors.js';
export type * from './types.js';

/**
 * Loads the model whose artifact `realizar-compile` wrote to a directory: vocabulary, weights, sessions.
 * Rejects with a RealizarError: the artifact is missing or of another version, the GGUF file is not the one that was compiled,
 * there is no driver or device, memory is short, the vocabulary is of a kind that is not supported.
 */
export type LoadModel = (artifactDir: string | URL, options?: LoadOptions) => Promise<LanguageModel>;
