/** attend/kernel.cuh: per-head norms, rope, KV append, attention and its gates. */

import { cFloat, unlike, variant } from '../fields.js';
import type { Kernel, Scratch } from '../kernel.js';
import { type AttendConfig, attendShared, keyBytes, partialSize } from './config.js';
import { headFields, ropeTables } from './heads.js';
import { type Attend, about, attentionFlops, check, reads, vectors, writes } from './operation.js';

export const attend: Kernel<Attend, AttendConfig> = {
  operation: 'attend',
  include: 'attend/kernel.cuh',
  body: 'attend',
  args: 'AttendArgs',
  reads,
  writes,
  check,
  about,
  vectors,
  readBytes: () => 0,
  flops: attentionFlops,
  kv: ({ cache, window }, contextLength) => ({
    rowBytes: 2 * keyBytes(cache),
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
    at.pageTable('page_table', op.cache),
    at.keys('keys', op.cache),
    at.values('values', op.cache),
    at.state('state', 'state'),
    at.state('counters', 'counters'),
    at.scratch('partial', splitsName(op)),
    at.value('output', op.output),
  ],
  base: 'AttendDefaults',
  fields: (c, name) => [
    ['int', { heads: c.heads, kv_heads: c.kvHeads, head_size: c.headSize }],
    ['int', { heads_per_block: c.headsPerBlock, splits: c.splits, warps: c.warps, stages: c.stages }],
    ['int', { min_split: c.minSplit, unsplit: c.unsplit }],
    ['int64_t', { page_stride: c.pageStride }],
    ['float', { scale: c.scale, ...unlike(0, { epsilon: c.epsilon }) }],
    ...headFields(c, name),
    ...variant('window', c.window > 0 && `Window<${c.window}>`),
    ...variant('cap', c.softCap > 0 && `SoftCap<${cFloat(c.softCap)}>`),
    ...variant('sinks', c.sinks && 'Sinks'),
    ...variant('gates', c.gates && (c.gates === 'heads' ? 'HeadGates' : 'ElementGates')),
  ],
  tables: ropeTables,
  asserts: (config, shape, sharedBytes) => [
    // A launch may ask for more than the kernel needs, and then only that can be told.
    `AttendShape<${shape}>::shared_bytes ${sharedBytes > config.leastShared ? '==' : '<='} ${sharedBytes}`,
  ],
  tuned: [
    ...(['heads', 'kvHeads', 'headSize', 'contextLength', 'window', 'softCap', 'ropeFactors', 'sinks'] as const),
    ...(['queryNorm', 'keyNorm', 'jointNorms', 'normTurned', 'gates'] as const),
  ],
};

const splitsName = ({ output }: Attend): string => `${output.name}.splits`;
