/** append.cuh: of each row, queries normed, turned and scaled, and keys and values into the pages of its slot. */
import { roundUp } from '../arithmetic.js';
import { cached, effects } from '../ir/effects.js';
import type { Cache, Value } from '../ir/ops.js';
import { type HeadConfig, headConfig, headFields, ropeTables } from './attend/heads.js';
import { type Attend, appendText, checkQkv } from './attend/operation.js';
import { unlike } from './fields.js';
import { type Kernel, pageStride } from './kernel.js';

/** Fused, of many rows: what attend does before it attends. Its output is the queries, times `scale`. */
export interface Append
  extends Pick<
    Attend,
    | 'qkv'
    | 'queryNorm'
    | 'keyNorm'
    | 'normTurned'
    | 'rope'
    | 'headCount'
    | 'headCountKv'
    | 'headSize'
    | 'scale'
    | 'gates'
  > {
  readonly kind: 'append';
  readonly cache: Cache;
  /** Queries are two halves each, the nearest one and what it leaves. */
  readonly rests?: true;
  /** f16; of each head as many elements as a row of the cache has, and with rests as many again. */
  readonly output: Value;
}

export interface AppendConfig extends HeadConfig {
  readonly kind: 'append';
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  /** From a row of qkv to the next. */
  readonly qkvCols: number;
  readonly slotBytes: number;
  /** f16 elements from a page to the next. */
  readonly pageStride: number;
  readonly rows: number;
  readonly warps: number;
  readonly scale: number;
  readonly rests: boolean;
}

/** Elements that a row of a head is filled up to, in the cache and in queries. */
export const HEAD_ALIGNMENT = 16;

/** f16 elements of a row's queries. */
export const queryCols = ({ headCount, headSize, rests }: Pick<Append, 'headCount' | 'headSize' | 'rests'>): number =>
  headCount * roundUp(headSize, HEAD_ALIGNMENT) * (rests ? 2 : 1);

export const append: Kernel<Append, AppendConfig> = {
  operation: 'append',
  include: 'append.cuh',
  body: 'append',
  args: 'AppendArgs',
  reads: ({ qkv }) => effects([qkv], 'step', 'state'),
  writes: ({ output, cache }) => effects([output], cached(cache)),
  check: (op, checks) => {
    checkQkv(op, checks);
    checks.equal('kv heads', op.headCountKv, 'those of the cache', op.cache.heads);
    checks.equal('head size', op.headSize, "the cache's", op.cache.headSize);
    checks.constant('attention scale', op.scale);
    checks.equal('output', op.output.cols, 'heads x head size rounded up', queryCols(op));
    checks.form('output', op.output, 'f16');
    checks.sameRows(op.output, op.qkv);
  },
  about: (op) => `${op.qkv.name} f32[${op.qkv.cols}]: ${appendText(op)} -> f16[${op.output.cols}]`,
  vectors: ({ queryNorm, keyNorm, rope }) => [queryNorm?.weight, keyNorm?.weight, rope?.factors],
  readBytes: () => 0,
  configure: (op, target, setting) => ({
    kind: 'append',
    heads: op.headCount,
    kvHeads: op.headCountKv,
    headSize: op.headSize,
    qkvCols: op.qkv.cols,
    slotBytes: setting.slotBytes,
    pageStride: pageStride(setting, op.cache),
    rows: setting.program.rows,
    warps: target.kind === 'cuda' ? 4 : 2,
    scale: op.scale,
    rests: op.rests ?? false,
    ...headConfig(op),
  }),
  launch: (config) => ({ blocks: config.rows, threads: config.warps * 32, sharedBytes: appendShared(config) }),
  scratch: () => [],
  arguments: (op, at) => [
    at.state('step', 'step'),
    at.state('rows', 'rows'),
    at.state('slots', 'state'),
    at.value('qkv', op.qkv),
    at.vector('query_norm', op.queryNorm?.weight),
    at.vector('key_norm', op.keyNorm?.weight),
    at.vector('rope_factors', op.rope?.factors),
    at.pageTable('page_table', op.cache),
    at.keys('keys', op.cache),
    at.values('values', op.cache),
    at.value('query', op.output),
  ],
  base: 'AppendDefaults',
  fields: (c, name) => [
    ['int', { heads: c.heads, kv_heads: c.kvHeads, head_size: c.headSize, qkv_cols: c.qkvCols }],
    ['int', { slot_bytes: c.slotBytes, warps: c.warps }],
    ['int64_t', { page_stride: c.pageStride }],
    ['bool', unlike(false, { rests: c.rests })],
    ['float', { scale: c.scale, ...unlike(0, { epsilon: c.epsilon }) }],
    ...headFields(c, name),
  ],
  tables: ropeTables,
  asserts: (_config, shape, sharedBytes) => [`AppendShape<${shape}>::shared_bytes == ${sharedBytes}`],
};

/** AppendShape::shared_bytes. */
const appendShared = ({ rope }: AppendConfig): number => roundUp(4 * (rope?.dimensions ?? 0) + 8, 16);
