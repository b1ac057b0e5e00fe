/** What a model of an unknown architecture would need, as far as its metadata keys and tensor names tell. */

import { quote, several } from '../../runtime/common/quote.js';
import type { GgufFile } from '../../runtime/files/gguf.js';
import { ARCHITECTURES } from './architectures/index.js';
import { isNeutral, refusedFeatures, takenKeys } from './refusals.js';

interface Sign {
  /** Metadata key without the architecture's prefix, or tensor name without "blk.0.". */
  readonly key?: RegExp;
  readonly tensor?: RegExp;
  readonly feature: string;
}

const SIGNS: readonly Sign[] = [
  { key: /^ssm\./, tensor: /^ssm_/, feature: 'state-space layers' },
  { key: /^wkv\./, tensor: /^time_mix_/, feature: 'RWKV time mixing' },
  { key: /^attention\.kv_lora_rank$/, tensor: /^attn_kv_a_mqa\./, feature: 'multi-head latent attention' },
  { key: /^shortconv\./, tensor: /^shortconv\./, feature: 'short convolutions' },
  { key: /^attention\.indexer\./, feature: 'sparse attention' },
  { tensor: /^(cross_attn|enc\.|dec\.)/, feature: 'an encoder beside the decoder' },
  { tensor: /^position_embd\./, feature: 'learned position embeddings' },
  { tensor: /^(per_layer_|laurel_|altup_)/, feature: 'per-layer embeddings' },
  { tensor: /^(nextn\.|eh_proj)/, feature: 'multi-token prediction' },
];

const INSIDE_LAYER = /^blk\.\d+\./;
/** Numbers beside a matrix; no description names them. */
const BESIDE_MATRIX = /\.(input_)?scale$/;
const MOST_NAMES = 3;

/** Tensors that no description here has, and no sign is of. */
function unknownTensors(names: readonly string[]): string[] {
  const rules = [...ARCHITECTURES.values()].flatMap(({ model, layer, experts }) =>
    [model, layer, experts?.layer, experts?.dense, experts?.shared?.layer].flatMap((group) =>
      Object.values(group ?? {}),
    ),
  );
  const known = new Set(rules.flatMap((rule) => [rule.name, rule.otherwise?.name]));
  const unknown = names.filter(
    (name) => !known.has(name) && !BESIDE_MATRIX.test(name) && !SIGNS.some(({ tensor }) => tensor?.test(name)),
  );
  return [...new Set(unknown)];
}

/** Features in plain words, each once; empty where only the description of the architecture is missing. */
export function missingFeatures(file: GgufFile, architecture: string): string[] {
  const prefix = `${architecture}.`;
  const keys = Array.from(file.metadata)
    // llama.cpp writes every key that it knows of into the files that it saves itself.
    .filter(([key, entry]) => key.startsWith(prefix) && !isNeutral(entry, [0, false]))
    .map(([key]) => key.slice(prefix.length));
  const tensors = file.tensors.map(({ name }) => name.replace(INSIDE_LAYER, ''));
  const seen = SIGNS.filter(
    ({ key, tensor }) => keys.some((name) => key?.test(name)) || tensors.some((name) => tensor?.test(name)),
  ).map(({ feature }) => feature);
  const gating = file.metadata.get(`${prefix}expert_gating_func`);
  if (gating && !isNeutral(gating, [0, 1, 2, 3])) seen.push('experts weighted by other than softmax or sigmoids');
  // What some other architecture's description takes, a description of this one could take too.
  const taken = [...ARCHITECTURES.values()].flatMap(takenKeys);
  const unknown = unknownTensors(tensors).map((name) => quote(name));
  const places = unknown.length > 0 ? [`a place for ${several(unknown, MOST_NAMES)}`] : [];
  return [...new Set([...seen, ...refusedFeatures(file, architecture, taken), ...places])];
}
