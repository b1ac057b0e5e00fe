/** attend_rows.cuh: attention of many rows, a tile of a slot's rows and a KV head at a time, over the slot's pages. */
import { roundUp } from '../arithmetic.js';
import { cached, effects } from '../ir/effects.js';
import type { Cache, Value } from '../ir/ops.js';
import type { Target } from '../target/target.js';
import { type Append, HEAD_ALIGNMENT, queryCols } from './append.js';
import { KV_PAGE, keyBytes, kvPages } from './attend/config.js';
import { type Attend, attendText, attentionFlops } from './attend/operation.js';
import { cFloat, unlike, variant } from './fields.js';
import { type Kernel, pageStride } from './kernel.js';

/** Fused, of many rows: softmax(scores(q k^T)) v of each row over what its slot's cache has up to it, times its gates. */
export interface AttendRows
  extends Pick<Attend, 'headCount' | 'headCountKv' | 'headSize' | 'softCap' | 'window' | 'sinks' | 'gates'>,
    Pick<Append, 'rests'> {
  readonly kind: 'attend_rows';
  readonly cache: Cache;
  readonly query: Value;
  /** Where there are gates: they stand after v. */
  readonly qkv?: Value;
  readonly output: Value;
}

export interface AttendRowsConfig {
  readonly kind: 'attend_rows';
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly qkvCols: number;
  /** Of a slot's page table. */
  readonly slotPages: number;
  readonly slotBytes: number;
  /** f16 elements from a page to the next. */
  readonly pageStride: number;
  readonly rows: number;
  readonly blocks: number;
  /** That it has registers for. */
  readonly blocksPerMultiprocessor: number;
  /** Chunks of the cache that are on their way at once. */
  readonly stages: number;
  /** Where the context goes further, sums are folded at each multiple of so many positions. */
  readonly splitPositions: number;
  /** 0: none. */
  readonly softCap: number;
  /** 0: all positions are seen. */
  readonly window: number;
  readonly sinks: boolean;
  readonly gates?: 'heads' | 'elements';
  readonly rests: boolean;
}

/** Queries of a tile: rows times the heads that share a KV head. */
const TILE_QUERIES = 64;
const THREADS = 128;
const SPLIT_POSITIONS = 1024;
/** Elements of a head, filled up. */
export const LONGEST_HEAD = 256;
const STAGES = 2;

/** The most rows of a tile; 0 where more heads share a KV head than a tile has room for. */
export const tileRowsOf = ({ headCount, headCountKv }: Pick<AttendRows, 'headCount' | 'headCountKv'>): number =>
  Math.floor(TILE_QUERIES / (headCount / headCountKv));

export const attendRows: Kernel<AttendRows, AttendRowsConfig> = {
  operation: 'attend_rows',
  include: 'attend_rows/kernel.cuh',
  body: 'attend_rows',
  args: 'AttendRowsArgs',
  reads: ({ query, qkv, cache }) => effects([query, qkv], 'step', 'state', cached(cache)),
  writes: ({ output }) => effects([output]),
  check: (op, checks) => {
    checks.attention(op);
    checks.equal('query', op.query.cols, 'heads x head size rounded up', queryCols(op));
    checks.form('query', op.query, 'f16');
    checks.form('output', op.output, 'operand');
    checks.need((op.gates === undefined) === (op.qkv === undefined), 'gates and what has them do not come together');
    checks.sameRows(op.output, op.query, op.qkv);
  },
  about: (op) => `${op.query.name} f16[${op.query.cols}]: ${attendText(op)} -> operand[${op.output.cols}]`,
  vectors: ({ sinks }) => [sinks],
  readBytes: () => 0,
  kv: ({ cache, window }, contextLength) => ({
    rowBytes: 2 * keyBytes(cache),
    positions: Math.min(window ?? contextLength, contextLength),
  }),
  flops: attentionFlops,
  configure: (op, target, setting) => ({
    kind: 'attend_rows',
    heads: op.headCount,
    kvHeads: op.headCountKv,
    headSize: op.headSize,
    qkvCols: op.qkv?.cols ?? 0,
    slotPages: kvPages(setting.contextLength),
    slotBytes: setting.slotBytes,
    pageStride: pageStride(setting, op.cache),
    rows: setting.program.rows,
    ...blocksOf(op, setting.program.rows, target),
    stages: STAGES,
    splitPositions: SPLIT_POSITIONS,
    softCap: op.softCap ?? 0,
    window: op.window ?? 0,
    sinks: op.sinks !== undefined,
    rests: op.rests ?? false,
    ...(op.gates && { gates: op.gates === op.headCount ? 'heads' : 'elements' }),
  }),
  launch: (config) => ({ blocks: config.blocks, threads: THREADS, sharedBytes: attendRowsShared(config) }),
  scratch: (op, [config]) => {
    const bytes = config!.blocks * THREADS * (rowOf(config!.headSize) / 2 + 4) * 4;
    const folds = KV_PAGE * config!.slotPages > config!.splitPositions;
    return folds ? [{ region: 'arena', name: foldName(op), bytes }] : [];
  },
  arguments: (op, at) => [
    at.state('step', 'step'),
    at.state('tiles', 'tiles'),
    at.state('slots', 'state'),
    at.value('query', op.query),
    at.vector('sinks', op.sinks),
    at.value('qkv', op.qkv),
    at.pageTable('page_table', op.cache),
    at.keys('keys', op.cache),
    at.values('values', op.cache),
    at.scratch('fold', foldName(op)),
    at.value('output', op.output),
    at.scales('output_scale', op.output),
  ],
  base: 'AttendRowsDefaults',
  fields: (c) => [
    ['int', { heads: c.heads, kv_heads: c.kvHeads, head_size: c.headSize, qkv_cols: c.qkvCols }],
    ['int', { rows: c.rows, split_positions: c.splitPositions, stages: c.stages }],
    ['int', { slot_pages: c.slotPages, slot_bytes: c.slotBytes }],
    ['int64_t', { page_stride: c.pageStride }],
    ['bool', unlike(false, { rests: c.rests })],
    ...variant('window', c.window > 0 && `Window<${c.window}>`),
    ...variant('cap', c.softCap > 0 && `SoftCap<${cFloat(c.softCap)}>`),
    ...variant('sinks', c.sinks && 'Sinks'),
    ...variant('gates', c.gates && (c.gates === 'heads' ? 'HeadGates' : 'ElementGates')),
  ],
  asserts: (_config, shape, sharedBytes) => [`AttendRowsShape<${shape}>::shared_bytes == ${sharedBytes}`],
};

const foldName = ({ output }: AttendRows): string => `${output.name}.fold`;

/** f16 elements of a head in the cache and of a query. */
const rowOf = (headSize: number): number => roundUp(headSize, HEAD_ALIGNMENT);

/**
 * Blocks take tiles in turn, so as many as run at once. Measured on an H200, 2048 rows: heads of 64 103 us with two blocks a
 * multiprocessor, 86 with three, 84 with four, which spill registers; of 128 150 with two.
 */
function blocksOf({ headCountKv, headSize }: AttendRows, rows: number, { multiprocessors }: Target) {
  const row = rowOf(headSize);
  const blocksPerMultiprocessor = row <= 64 ? 3 : row <= 128 ? 2 : 1;
  const blocks = Math.min(rows * headCountKv, multiprocessors * blocksPerMultiprocessor);
  return { blocks, blocksPerMultiprocessor };
}

/** AttendRowsShape::shared_bytes. */
function attendRowsShared({ headSize, stages, rests }: AttendRowsConfig): number {
  const row = rowOf(headSize);
  const chunk = row > 128 ? 32 : 64;
  const cols = row * (rests ? 2 : 1);
  const queries = cols > 128 ? TILE_QUERIES * (cols + 8) * 2 : 0;
  return stages * chunk * row * 4 + queries + roundUp(8 * stages, 16);
}
