/** The models of test/fixtures/transformers, and their logits: what transformers computed, or make_mxfp4.py there. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { modelSpec } from '../../compiler/model/load.js';
import { readModel } from '../../runtime/files/read.js';
import { readF32 } from './nmse.js';
import { safetensorsFile, writeFolder } from './safetensors_writer.js';
import { temporaryFolder } from './tiny_models.js';

const TRANSFORMERS_MODELS = fileURLToPath(new URL('../fixtures/transformers', import.meta.url));

export interface TransformersModel {
  readonly folder: string;
  /** Fed from position 0. */
  readonly tokens: readonly number[];
  /** [tokens.length, vocabulary] */
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

export type Config = Record<string, unknown>;

export const configOf = (name: string): Config =>
  JSON.parse(readFileSync(join(TRANSFORMERS_MODELS, name, 'config.json'), 'utf8'));

/** All that config.json decides: weights lie elsewhere in a file whose config.json is longer. */
export function comparable(folder: string) {
  const spec = modelSpec(readModel(folder));
  const {
    file: _,
    name: __,
    tokenEmbedding,
    outputNorm: ___,
    outputNormBias: ____,
    outputBias: _____,
    output,
    layers,
    ...rest
  } = spec;
  return { ...rest, layers: layers.map(({ rope, window }) => ({ rope, window })), tied: output === tokenEmbedding };
}

/** What differs in transformers 4's spelling. */
export const old = (scaling?: Config, more: Config = {}): Config => ({
  rope_parameters: undefined,
  ...{ rope_theta: 10000, torch_dtype: 'bfloat16', dtype: undefined },
  ...(scaling && { rope_scaling: scaling }),
  ...more,
});

/** The model with another config.json; undefined takes a key out. */
export function withConfig(name: string, changes: Config): string {
  const copy = join(mkdtempSync(join(temporaryFolder, 'config-')), 'model');
  cpSync(readTransformersModel(name).folder, copy, { recursive: true });
  writeFileSync(join(copy, 'config.json'), JSON.stringify({ ...configOf(name), ...changes }));
  return copy;
}

/** The model with two more numbers under each of these names. */
export function withTensors(name: string, names: readonly string[]): string {
  const copy = withConfig(name, {});
  const path = join(copy, 'model.safetensors');
  const { header, data } = contentOf(path);
  const more = names.map((one, i) => [one, pairAt(data.length + 8 * i)]);
  const all = { ...header, ...Object.fromEntries(more) };
  writeFileSync(path, safetensorsFile(all, Buffer.concat([data, Buffer.alloc(8 * names.length)])));
  return copy;
}

function contentOf(path: string): { readonly header: Config; readonly data: Buffer } {
  const file = readFileSync(path);
  const end = 8 + Number(file.readBigUInt64LE());
  return { header: JSON.parse(file.toString('utf8', 8, end)), data: file.subarray(end) };
}

const pairAt = (offset: number) => ({ dtype: 'F32', shape: [2], data_offsets: [offset, offset + 8] });

/**
 * The gemma3 model as the text part of one with a vision part: `prefix` is how transformers 4 or 5 begins the names of
 * its tensors; changes of config.json, and of what it says of the text part. undefined takes a key out.
 */
export function withVision(prefix: string, changes: Config = {}, own: Config = {}): string {
  const { folder } = readTransformersModel('gemma3');
  const { architectures: _, dtype: __, transformers_version: ___, ...text } = configOf('gemma3');
  const config = {
    ...{ architectures: ['Gemma3ForConditionalGeneration'], model_type: 'gemma3', torch_dtype: 'bfloat16' },
    ...{ boi_token_index: 100, eoi_token_index: 101, image_token_index: 102, mm_tokens_per_image: 4 },
    ...{ vision_config: { model_type: 'siglip_vision_model', hidden_size: 32 }, text_config: { ...text, ...own } },
    ...changes,
  };
  const { header, data } = contentOf(join(folder, 'model.safetensors'));
  const renamed = Object.entries(header).map(([name, tensor]) => [name.replace(/^model\./, prefix), tensor]);
  const outer = prefix.startsWith('model.') ? 'model.' : '';
  return writeFolder(join(mkdtempSync(join(temporaryFolder, 'vision-')), 'model'), {
    'config.json': config,
    'model.safetensors': safetensorsFile(
      {
        ...Object.fromEntries(renamed),
        [`${outer}vision_tower.vision_model.post_layernorm.weight`]: pairAt(data.length),
        [`${outer}multi_modal_projector.mm_input_projection_weight`]: pairAt(data.length + 8),
      },
      Buffer.concat([data, Buffer.alloc(16)]),
    ),
  });
}
