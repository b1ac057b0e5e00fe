/** The architectures that this compiler supports. To add one, write a file like its neighbours and name it here. */
import { afmoe } from './afmoe.js';
import { arcee } from './arcee.js';
import type { Architecture } from './architecture.js';
import { bailingmoe } from './bailingmoe.js';
import { bailingmoe2 } from './bailingmoe2.js';
import { chatglm } from './chatglm.js';
import { codeshell } from './codeshell.js';
import { cohere2 } from './cohere2.js';
import { commandR } from './command_r.js';
import { deepseek } from './deepseek.js';
import { dots1 } from './dots1.js';
import { ernie4_5 } from './ernie4_5.js';
import { ernie4_5_moe } from './ernie4_5_moe.js';
import { exaone } from './exaone.js';
import { exaoneMoe } from './exaone_moe.js';
import { exaone4 } from './exaone4.js';
import { falcon } from './falcon.js';
import { gemma } from './gemma.js';
import { gemma2 } from './gemma2.js';
import { gemma3 } from './gemma3.js';
import { glm4 } from './glm4.js';
import { glm4moe } from './glm4moe.js';
import { gptOss } from './gpt_oss.js';
import { gptneox } from './gptneox.js';
import { granite } from './granite.js';
import { graniteSwa } from './granite_swa.js';
import { granitemoe } from './granitemoe.js';
import { hunyuanDense, hunyuanMoe, hunyuanVl } from './hunyuan.js';
import { internlm2 } from './internlm2.js';
import { jais2 } from './jais2.js';
import { llama } from './llama.js';
import { maincoder } from './maincoder.js';
import { mellum } from './mellum.js';
import { minicpm } from './minicpm.js';
import { minimaxM2 } from './minimax_m2.js';
import { mistral3 } from './mistral3.js';
import { nanbeige } from './nanbeige.js';
import { nemotron } from './nemotron.js';
import { olmo2 } from './olmo2.js';
import { olmoe } from './olmoe.js';
import { orion } from './orion.js';
import { paddleocr } from './paddleocr.js';
import { panguEmbedded } from './pangu_embedded.js';
import { phi2 } from './phi2.js';
import { phi3 } from './phi3.js';
import { plamo } from './plamo.js';
import { qwen2 } from './qwen2.js';
import { qwen2moe } from './qwen2moe.js';
import { qwen2vl } from './qwen2vl.js';
import { qwen3 } from './qwen3.js';
import { qwen3moe } from './qwen3moe.js';
import { qwen3vl, qwen3vlmoe } from './qwen3vl.js';
import { seedOss } from './seed_oss.js';
import { smollm3 } from './smollm3.js';
import { spark } from './spark.js';
import { stablelm } from './stablelm.js';
import { starcoder2 } from './starcoder2.js';
import { xverse } from './xverse.js';

const ALL = [
  llama,
  qwen2,
  qwen3,
  gemma,
  gemma2,
  gemma3,
  granite,
  olmo2,
  phi3,
  smollm3,
  stablelm,
  starcoder2,
  internlm2,
  exaone,
  exaone4,
  seedOss,
  glm4,
  chatglm,
  minicpm,
  mistral3,
  commandR,
  cohere2,
  gptneox,
  phi2,
  arcee,
  nemotron,
  ernie4_5,
  orion,
  panguEmbedded,
  xverse,
  qwen2vl,
  qwen3vl,
  qwen2moe,
  qwen3moe,
  qwen3vlmoe,
  granitemoe,
  olmoe,
  gptOss,
  deepseek,
  bailingmoe,
  dots1,
  ernie4_5_moe,
  minimaxM2,
  mellum,
  jais2,
  glm4moe,
  exaoneMoe,
  bailingmoe2,
  hunyuanDense,
  hunyuanMoe,
  maincoder,
  hunyuanVl,
  falcon,
  plamo,
  codeshell,
  nanbeige,
  paddleocr,
  graniteSwa,
  afmoe,
  spark,
];

export const ARCHITECTURES: ReadonlyMap<string, Architecture> = new Map(
  ALL.map((architecture) => [architecture.name, architecture]),
);
