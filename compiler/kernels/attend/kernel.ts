/** attend.cuh: per-head norms, rope, KV append, attention and its gates. */
import { ropeFrequencies } from '../../model/rope.js';
import type { Kernel, Scratch } from '../kernel.js';
import { type AttendConfig, attendShared, kvRow, partialSize } from './config.js';
import { type Attend, about, check, reads, vectors, writes } from './operation.js';

export const attend: Kernel<Attend, AttendConfig> = {
  operation: 'attend',
  include: 'attend.cuh',
  body: 'attend',
  args: 'AttendArgs',
  reads,
  writes,
  check,
  about,
  vectors,
  readBytes: () => 0,
  // A key and a value of each head.
  kv: ({ headCountKv, headSize, window }, contextLength) => ({
    rowBytes: 2 * headCountKv * kvRow(headSize) * 2,
    positions: Math.min(window ?? contextLength, contextLength),
  }),
  launch: (config) => ({
    blocks: config.blocks,
    threads: config.warps * 32,
    sharedBytes: Math.max(config.leastShared, attendShared(config)),
  }),
  scratch: (op, configs): Scratch[] => {
    const bytes = Math.max(...configs.map((config) => 4 * partialSize(config)));
    return bytes > 0
      ? [
          { region: 'state', part: 'counters' },
          { region: 'arena', name: splitsName(op), bytes },
        ]
      : [];
  },
  arguments: (op, at) => [
    at.value('qkv', op.qkv),
    at.vector('query_norm', op.queryNorm?.weight),
    at.vector('key_norm', op.keyNorm?.weight),
    at.vector('rope_factors', op.rope?.factors),
    at.vector('sinks', op.sinks),
    at.kv('keys', op.layer),
    at.kv('values', op.layer),
    at.state('state', 'state'),
    at.state('counters', 'counters'),
    at.scratch('partial', splitsName(op)),
    at.value('output', op.output),
  ],
  fields: (c, name) => [
    ['int', { heads: c.heads, kv_heads: c.kvHeads, head_size: c.headSize, heads_per_block: c.headsPerBlock }],
    ['int', { splits: c.splits, min_split: c.minSplit, whole: c.whole, ring: c.ring, warps: c.warps }],
    ['int', { n_ctx: c.contextLength, window: c.window, rope_dims: c.rope?.dimensions ?? 0 }],
    ['bool', { rope_adjacent: c.rope?.pairing === 'adjacent', rope_factors: c.ropeFactors }],
    ['bool', { query_norm: c.queryNorm, key_norm: c.keyNorm, norm_turned: c.normTurned ?? false }],
    ['bool', { sinks: c.sinks }],
    `static constexpr Gates gates = Gates::${c.gates ?? 'none'};`,
    ['int', { whole_norms: c.wholeNorms }],
    ['float', { scale: c.scale, soft_cap: c.softCap, epsilon: c.epsilon }],
    ['float', { rope_magnitude: c.rope?.scaling?.magnitude ?? 1 }],
    `static DEVICE float inverse_frequency(int pair) { return ${c.rope ? `${ropeTableName(name)}[pair]` : '0'}; }`,
  ],
  tables: ({ rope }, name) => (rope ? [{ name: ropeTableName(name), values: ropeFrequencies(rope) }] : []),
  asserts: (config, shape, sharedBytes) => [
    // A launch may ask for more than the kernel needs, and then only that can be told.
    `AttendShape<${shape}>::shared_bytes ${sharedBytes > config.leastShared ? '==' : '<='} ${sharedBytes}`,
  ],
  tuned: [
    ...(['heads', 'kvHeads', 'headSize', 'contextLength', 'window', 'softCap', 'ropeFactors', 'sinks'] as const),
    ...(['queryNorm', 'keyNorm', 'wholeNorms', 'normTurned', 'gates'] as const),
  ],
};

const splitsName = ({ output }: Attend): string => `${output.name}.splits`;

const ropeTableName = (kernel: string): string => `${kernel}_inverse_frequency`;
