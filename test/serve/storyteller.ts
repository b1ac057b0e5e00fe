/** The bundled model on the host target, loaded for a test file. */
import { fileURLToPath } from 'node:url';
import { type LanguageModel, type LoadOptions, loadModel } from '../../runtime/index.js';
import { buildAddon } from '../addon/support.js';
import { hostArtifact } from '../support/artifacts.js';

const STORYTELLER = fileURLToPath(new URL('../../examples/storyteller-q8_0.gguf', import.meta.url));

/** The artifact's folder. `name` belongs to one test file. */
export function storytellerArtifact(name: string): Promise<string> {
  buildAddon();
  return hostArtifact(`serve-${name}`, STORYTELLER);
}

export const loadStoryteller = async (name: string, options: LoadOptions = {}): Promise<LanguageModel> =>
  loadModel(await storytellerArtifact(name), options);
