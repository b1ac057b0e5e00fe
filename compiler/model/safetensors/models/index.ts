/** The model types of config.json that are compiled. To add one, describe it in a file of its family and name it here. */
import { gemma, gemma2, gemma3 } from './gemma.js';
import { gptOss } from './gpt_oss.js';
import { granite, granitemoe } from './granite.js';
import { stablelm, starcoder2 } from './layer_norm.js';
import { llama, mistral, mixtral, smollm3 } from './llama.js';
import type { ModelType } from './model_type.js';
import { olmo2, olmo3, olmoe } from './olmo.js';
import { phi3 } from './phi.js';
import { qwen2, qwen2moe, qwen3, qwen3moe } from './qwen.js';

/** By model_type. */
const MODEL_TYPES = new Map<string, ModelType>(
  Object.entries({
    ...{ llama, mistral, qwen2, qwen3, gemma, gemma2, gemma3_text: gemma3, phi3, granite, olmo2, olmo3, smollm3 },
    ...{ stablelm, starcoder2 },
    ...{ mixtral, qwen2_moe: qwen2moe, qwen3_moe: qwen3moe, olmoe, granitemoe, gpt_oss: gptOss },
  }),
);

export const modelType = (name: string): ModelType | undefined => MODEL_TYPES.get(name);

export const MODEL_TYPE_NAMES: readonly string[] = [...MODEL_TYPES.keys()];
