/** The models that test/fixtures/transformers/make.py saved with transformers, and the logits that it computed. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readF32 } from './nmse.js';

export const TRANSFORMERS_MODELS = fileURLToPath(new URL('../fixtures/transformers', import.meta.url));

export interface TransformersModel {
  readonly folder: string;
  /** Fed from position 0. */
  readonly tokens: readonly number[];
  /** [tokens.length, vocabulary], by transformers in float32. */
  readonly logits: Float32Array;
  readonly vocabSize: number;
}

export const TRANSFORMERS_NAMES: readonly string[] = readdirSync(TRANSFORMERS_MODELS).filter((name) =>
  existsSync(join(TRANSFORMERS_MODELS, name, 'logits.f32')),
);

export function readTransformersModel(name: string): TransformersModel {
  const folder = join(TRANSFORMERS_MODELS, name);
  const { tokens } = JSON.parse(readFileSync(join(folder, 'tokens.json'), 'utf8'));
  const logits = readF32(join(folder, 'logits.f32'));
  return { folder, tokens, logits, vocabSize: logits.length / tokens.length };
}

/** Contexts to plan for, where it is not the model's own: longrope's factors depend on it. */
export const CONTEXTS: Readonly<Record<string, number>> = { 'phi3-longrope-short': 32 };

/** What the refusal of a model says; undefined for those that are compiled. */
export function refusalOf(name: string): string | undefined {
  return name === 'gpt-oss' ? 'model type "gpt_oss" is not supported' : undefined;
}
