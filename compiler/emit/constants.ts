/** What a compiled model says of itself: one list, of which the binding, model.h and the runtime's Artifact are made. */

import { libraryFile } from '../../runtime/artifact_folder/names.js';
import type { StatePart } from '../kernels/kernel.js';
import type { Plan } from '../plan/plan.js';
import { cString } from './names.js';

type Value = string | number | readonly string[];

interface Constant {
  readonly value: (plan: Plan) => Value;
  /** In the binding, and what it means to its user. */
  readonly js?: readonly [name: string, docs: string];
  /** In model.h; a field of Artifact too, but for `n_ff`. */
  readonly c?: readonly [name: string, type: 'char' | 'uint32_t' | 'uint64_t', about: string];
}

const stateOffset = ({ state }: Plan, part: StatePart): number => state.find((one) => one.part === part)!.offset;

/** In the order of Artifact's fields. */
const CONSTANTS: readonly Constant[] = [
  {
    value: ({ model }) => model.name,
    js: ['name', "The model file's stem."],
    c: ['name', 'char', "the model file's stem"],
  },
  {
    value: ({ model }) => model.architecture,
    js: ['architecture', 'general.architecture of the model file.'],
    c: ['architecture', 'char', 'general.architecture'],
  },
  { value: ({ target }) => target.kind, js: ['target', 'What the model was compiled for.'] },
  {
    value: ({ target }) => target.archs,
    js: ['gpuArchs', 'GPU architectures with machine code in the library; none for the host target.'],
  },
  { value: ({ compilerVersion }) => compilerVersion, js: ['compilerVersion', 'Version of realizar-compile.'] },
  { value: ({ model }) => libraryFile(model.name), js: ['library', 'File name of the library.'] },
  {
    value: ({ model }) => model.vocabSize,
    js: ['vocabSize', 'Tokens of the vocabulary; logits of a step.'],
    c: ['n_vocab', 'uint32_t', 'tokens in the vocabulary'],
  },
  {
    value: ({ model }) => model.contextLength,
    js: ['contextLength', 'Positions of a session.'],
    c: ['n_ctx', 'uint32_t', 'positions of the KV cache'],
  },
  {
    value: ({ model }) => model.embeddingLength,
    js: ['embeddingLength', 'Elements of the residual stream.'],
    c: ['n_embd', 'uint32_t', 'width of the residual stream'],
  },
  { value: ({ model }) => model.feedForwardLength, c: ['n_ff', 'uint32_t', 'width of the feed-forward layer'] },
  {
    value: ({ model }) => model.layerCount,
    js: ['layerCount', 'Transformer blocks.'],
    c: ['n_layer', 'uint32_t', 'layers'],
  },
  {
    value: ({ model }) => model.headCount,
    js: ['headCount', 'Query heads of a layer.'],
    c: ['n_head', 'uint32_t', 'query heads'],
  },
  {
    value: ({ model }) => model.headCountKv,
    js: ['headCountKv', 'Key and value heads of a layer.'],
    c: ['n_head_kv', 'uint32_t', 'key and value heads'],
  },
  {
    value: ({ model }) => model.headSize,
    js: ['headSize', 'Elements of a head.'],
    c: ['head_size', 'uint32_t', 'elements of a head'],
  },
  { value: ({ programs }) => programs[0].nodes.length, js: ['nodeCount', "Kernel nodes in one token's graph."] },
  {
    value: ({ model }) => model.fileBytes,
    js: ['fileBytes', 'Size of the GGUF file.'],
    c: ['file_bytes', 'uint64_t', 'of the GGUF file'],
  },
  {
    value: ({ model }) => model.headerBytes,
    c: ['header_bytes', 'uint64_t', 'of the GGUF file before its tensor data'],
  },
  {
    value: ({ model }) => model.headerSha256,
    js: ['headerSha256', "SHA-256 of the GGUF file's bytes before its tensor data."],
    c: ['header_sha256', 'char', 'of those bytes'],
  },
  {
    value: ({ memory }) => memory.weightsBytes,
    js: ['weightsBytes', 'Device memory for the weights.'],
    c: ['weights_bytes', 'uint64_t', 'device memory of the model'],
  },
  {
    value: ({ memory }) => memory.arenaBytes,
    js: ['arenaBytes', "Device memory for one session's activations."],
    c: ['arena_bytes', 'uint64_t', 'device memory of a session'],
  },
  {
    value: ({ memory }) => memory.kvCacheBytes,
    js: ['kvCacheBytes', "Device memory for one session's KV cache."],
    c: ['kv_cache_bytes', 'uint64_t', 'device memory of a session'],
  },
  { value: ({ pages }) => pages[0].bytes, c: ['page_bytes', 'uint64_t', 'KV cache of 64 positions'] },
  {
    value: ({ pages }) => pages[1].bytes,
    c: ['window_page_bytes', 'uint64_t', 'the same of layers that see the newest positions only'],
  },
  { value: ({ pages }) => pages[1].window, c: ['window', 'uint32_t', 'which are so many'] },
  { value: ({ memory }) => memory.stateBytes, c: ['state_bytes', 'uint64_t', 'device memory of a session'] },
  { value: ({ memory }) => memory.slotBytes, c: ['slot_bytes', 'uint64_t', 'of each of its slots'] },
  {
    value: (plan) => stateOffset(plan, 'history'),
    c: ['history_offset', 'uint64_t', 'in a slot: int32[n_ctx]'],
  },
  {
    value: (plan) => stateOffset(plan, 'fed'),
    c: ['fed_offset', 'uint64_t', 'in a slot: int32[n_ctx]'],
  },
  {
    value: (plan) => stateOffset(plan, 'pages'),
    c: ['page_table_offset', 'uint64_t', 'in a slot: u32, one for each 64 positions'],
  },
  {
    value: (plan) => stateOffset(plan, 'window_pages'),
    c: ['window_page_table_offset', 'uint64_t', 'in a slot: likewise'],
  },
  { value: ({ programs }) => programs[0].logitsOffset, c: ['logits_offset', 'uint64_t', 'in the arena: f32[n_vocab]'] },
  {
    value: ({ memory }) => memory.tokenReadBytes,
    c: ['token_read_bytes', 'uint64_t', 'weights that one token reads'],
  },
  {
    value: ({ memory }) => memory.kvRowBytes,
    c: ['kv_row_bytes', 'uint64_t', 'KV cache of one position, all layers'],
  },
];

export interface BindingConstant {
  readonly name: string;
  readonly docs: string;
  readonly value: Value;
}

export const bindingConstants = (plan: Plan): BindingConstant[] =>
  CONSTANTS.flatMap(({ js, value }) => (js ? [{ name: js[0], docs: js[1], value: value(plan) }] : []));

export interface HeaderConstant {
  readonly name: string;
  readonly declarator: string;
  readonly type: string;
  readonly value: string | number;
  readonly about: string;
  /** It is one of Artifact's. */
  readonly isField: boolean;
}

export const headerConstants = (plan: Plan): HeaderConstant[] =>
  CONSTANTS.flatMap(({ c, value }) => {
    if (!c) return [];
    const [name, type, about] = c;
    const own = value(plan);
    const declarator = type === 'char' ? `${name}[]` : name;
    return [
      {
        ...{ name, declarator, type, about, isField: name !== 'n_ff' },
        value: typeof own === 'number' ? own : cString(own as string),
      },
    ];
  });
