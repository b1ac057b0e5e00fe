/** The bundled model compiled for the host target, and what tests of the text API share. */
import { join } from 'node:path';
import { beforeAll } from 'vitest';
import type { LoadOptions, Piece } from '../../runtime/index.js';
import { openLanguageModel } from '../../runtime/llm/load.js';
import type { LoadedModel } from '../../runtime/llm/model.js';
import { buildAddon } from '../addon/support.js';
import { hostArtifact, ROOT } from '../support/artifacts.js';

export const STORYTELLER = join(ROOT, 'examples/storyteller-q8_0.gguf');

/** Compiles it before the tests of a file, whose name for the artifact nobody else has; a function that loads it, closed after. */
export function storyteller(name: string, options: { context?: number } = {}) {
  let folder = '';
  const loaded: LoadedModel[] = [];
  beforeAll(async () => {
    buildAddon();
    folder = await hostArtifact(`llm/${name}`, STORYTELLER, options);
    return async () => {
      for (const model of loaded) await model.close();
    };
  });
  return {
    get folder() {
      return folder;
    },
    async load(options: LoadOptions = {}): Promise<LoadedModel> {
      const model = await openLanguageModel(folder, options);
      loaded.push(model);
      return model;
    },
  };
}

export async function collect(pieces: AsyncIterable<Piece>): Promise<Piece[]> {
  const all: Piece[] = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}

export const joined = (pieces: readonly Piece[]): string => pieces.map(({ text }) => text).join('');
