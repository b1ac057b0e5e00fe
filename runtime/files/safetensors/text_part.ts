/** Models of several parts, text among them: what config.json says of that part, and how its tensors are called alone. */
import { UnsupportedError } from '../../common/errors.js';
import { quote } from '../../common/quote.js';
import type { JsonObject } from '../json.js';
import { ConfigReader } from './config_reader.js';

export interface TextPart {
  /** As config.json of the text model alone. */
  readonly values: JsonObject;
  /** The object in config.json that they are in; "": none. */
  readonly inside: string;
  /** What is around that object, to be finished. */
  readonly outer: readonly ConfigReader[];
  /** The tensor's name in the text model alone; undefined for those of other parts. */
  readonly nameOf: (tensor: string) => string | undefined;
}

/** By model_type, that of the text part. Without images such a model computes what its text part alone does. */
const TEXT_TYPES: Readonly<Record<string, string>> = { gemma3: 'gemma3_text' };

export const TEXT_TYPE_NAMES: readonly string[] = Object.keys(TEXT_TYPES);

/** What config.json says of the other parts, and of how they come in. */
const OTHER_PARTS = ['vision_config', 'mm_tokens_per_image', 'boi_token_index', 'eoi_token_index', 'image_token_index'];

const OTHER_TENSORS = /^(?:model\.)?(?:vision_tower|multi_modal_projector)\./;
/** transformers 4 and 5. */
const TEXT_TENSORS = /^(?:language_model\.model|model\.language_model)\./;

/** Errors: ModelFileError without text_config, UnsupportedError for a text part or a setting that is not known. */
export function textPart(path: string, values: JsonObject): TextPart {
  const config = new ConfigReader(path, values);
  const type = config.string('model_type');
  const expected = type !== undefined && Object.hasOwn(TEXT_TYPES, type) ? TEXT_TYPES[type]! : undefined;
  if (expected === undefined) return { values, inside: '', outer: [], nameOf: (tensor) => tensor };
  const text = config.require('text_config', config.object('text_config'));
  const found = text.string('model_type') ?? expected;
  if (found !== expected)
    throw new UnsupportedError(path, `a text part of the model type ${quote(found)}`, `${type} has ${expected}`);
  const tie_word_embeddings = config.bool('tie_word_embeddings');
  for (const key of OTHER_PARTS) config.get(key);
  return {
    values: {
      ...(tie_word_embeddings !== undefined && { tie_word_embeddings }),
      ...(config.get('text_config') as JsonObject),
      model_type: expected,
    },
    inside: 'text_config',
    outer: [config],
    nameOf: (tensor) =>
      OTHER_TENSORS.test(tensor)
        ? undefined
        : tensor.replace(TEXT_TENSORS, 'model.').replace(/^language_model\.lm_head\./, 'lm_head.'),
  };
}
