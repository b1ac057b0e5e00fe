/** The models that test/fixtures/transformers/make.py saved with transformers, and the logits that it computed. */
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readF32 } from './nmse.js';
import { safetensorsFile, writeFolder } from './safetensors_writer.js';
import { temporaryFolder } from './tiny_models.js';

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

type Config = Record<string, unknown>;

/**
 * The gemma3 model as the text part of one with a vision part: `prefix` is how transformers 4 or 5 begins the names of
 * its tensors; changes of config.json, and of what it says of the text part. undefined takes a key out.
 */
export function withVision(prefix: string, changes: Config = {}, own: Config = {}): string {
  const { folder } = readTransformersModel('gemma3');
  const alone = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Config;
  const { architectures: _, dtype: __, transformers_version: ___, ...text } = alone;
  const config = {
    ...{ architectures: ['Gemma3ForConditionalGeneration'], model_type: 'gemma3', torch_dtype: 'bfloat16' },
    ...{ boi_token_index: 100, eoi_token_index: 101, image_token_index: 102, mm_tokens_per_image: 4 },
    ...{ vision_config: { model_type: 'siglip_vision_model', hidden_size: 32 }, text_config: { ...text, ...own } },
    ...changes,
  };
  const file = readFileSync(join(folder, 'model.safetensors'));
  const end = 8 + Number(file.readBigUInt64LE());
  const data = file.subarray(end);
  const header = JSON.parse(file.toString('utf8', 8, end)) as Config;
  const renamed = Object.entries(header).map(([name, tensor]) => [name.replace(/^model\./, prefix), tensor]);
  const outer = prefix.startsWith('model.') ? 'model.' : '';
  const pair = (at: number) => ({ dtype: 'F32', shape: [2], data_offsets: [data.length + at, data.length + at + 8] });
  return writeFolder(join(mkdtempSync(join(temporaryFolder, 'vision-')), 'model'), {
    'config.json': config,
    'model.safetensors': safetensorsFile(
      {
        ...Object.fromEntries(renamed),
        [`${outer}vision_tower.vision_model.post_layernorm.weight`]: pair(0),
        [`${outer}multi_modal_projector.mm_input_projection_weight`]: pair(8),
      },
      Buffer.concat([data, Buffer.alloc(16)]),
    ),
  });
}
