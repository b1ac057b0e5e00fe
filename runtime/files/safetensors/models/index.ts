/** The model types of config.json that are compiled. To add one, describe it in a file of its family and name it here. */
import { cohere, cohere2 } from './cohere.js';
import { dots1 } from './dots1.js';
import { ernie4_5, ernie4_5_moe } from './ernie.js';
import { exaone4 } from './exaone.js';
import { gemma, gemma2, gemma3 } from './gemma.js';
import { glm4, glm4moe } from './glm.js';
import { gptNeox } from './gpt_neox.js';
import { gptOss } from './gpt_oss.js';
import { granite, granitemoe } from './granite.js';
import { hunyuanDense, hunyuanMoe } from './hunyuan.js';
import { nemotron, stablelm, starcoder2 } from './layer_norm.js';
import { arcee, llama, mistral, mixtral, seedOss, smollm3 } from './llama.js';
import { minimaxM2 } from './minimax.js';
import type { ModelType } from './model_type.js';
import { olmo2, olmo3, olmoe } from './olmo.js';
import { phi, phi3 } from './phi.js';
import { qwen2, qwen2moe, qwen3, qwen3moe } from './qwen.js';

/** By model_type. */
const MODEL_TYPES = new Map<string, ModelType>(
  Object.entries({
    ...{ llama, mistral, qwen2, qwen3, gemma, gemma2, gemma3_text: gemma3, phi3, granite, olmo2, olmo3, smollm3 },
    ...{ stablelm, starcoder2, cohere, cohere2, glm4, exaone4, seed_oss: seedOss, phi, gpt_neox: gptNeox },
    ...{ nemotron, arcee, ernie4_5, hunyuan_v1_dense: hunyuanDense },
    ...{ mixtral, qwen2_moe: qwen2moe, qwen3_moe: qwen3moe, olmoe, granitemoe, gpt_oss: gptOss },
    ...{ ernie4_5_moe, glm4_moe: glm4moe, hunyuan_v1_moe: hunyuanMoe, dots1, minimax_m2: minimaxM2 },
  }),
);

export const modelType = (name: string): ModelType | undefined => MODEL_TYPES.get(name);

export const MODEL_TYPE_NAMES: readonly string[] = [...MODEL_TYPES.keys()];
