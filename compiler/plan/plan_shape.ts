/** What the parts of a plan are, for plans that come from a file. The types of the interfaces hold this to them. */

import {
  byKind,
  count,
  type Fields,
  flag,
  integer,
  listOf,
  number,
  oneOf,
  optional,
  orNull,
  record,
  sha256Text,
  text,
} from '../../runtime/artifact_folder/shape.js';
import { GGML_TYPES } from '../../runtime/files/ggml.js';
import type { Part } from '../../runtime/files/parts.js';
import type { LeftOut } from '../ir/programs.js';
import type { AppendConfig } from '../kernels/append.js';
import type { AttendConfig } from '../kernels/attend/config.js';
import type { HeadConfig } from '../kernels/attend/heads.js';
import type { AttendRowsConfig } from '../kernels/attend_rows.js';
import type { CombineRowsConfig } from '../kernels/combine_rows.js';
import type { EmbedConfig } from '../kernels/embed.js';
import type { EmbedRowsConfig } from '../kernels/embed_rows.js';
import type { ExpertsConfig } from '../kernels/experts/config.js';
import type { RoutingConfig } from '../kernels/experts/routing.js';
import type { InputConfig, NormConfig } from '../kernels/input.js';
import type { Launch, Table } from '../kernels/kernel.js';
import type { MatmulConfig } from '../kernels/matmul/config.js';
import type { LargestConfig } from '../kernels/matmul/largest.js';
import type { NormAddConfig } from '../kernels/norm_add.js';
import type { NormAddRowsConfig } from '../kernels/norm_add_rows.js';
import type { OperandRowsConfig } from '../kernels/operand_rows.js';
import type { ProjectionConfig, SegmentConfig } from '../kernels/projection/config.js';
import type { RouteRowsConfig } from '../kernels/route_rows.js';
import type { ScatterRowsConfig } from '../kernels/scatter_rows.js';
import type { SelectConfig } from '../kernels/select.js';
import type { SelectRowsConfig } from '../kernels/select_rows.js';
import type { SortRowsConfig } from '../kernels/sort_rows.js';
import { ACTIVATIONS } from '../model/activations.js';
import type { RopeScaling, RopeSpec } from '../model/spec.js';
import type { Gpu } from '../target/gpus.js';
import type { PlannedCache, PlannedPages } from './caches.js';
import type { Edge } from './edges.js';
import type { PlannedLoader, PlannedTensor } from './loaders.js';
import type {
  Plan,
  PlannedArgument,
  PlannedBucket,
  PlannedBuffer,
  PlannedKernel,
  PlannedNode,
  PlannedProgram,
  PlannedStatePart,
} from './plan.js';

const format = oneOf(...Object.keys(GGML_TYPES));
const formats = listOf(format, 1);

const embed = record<EmbedConfig>({
  kind: oneOf('embed'),
  groupRows: count,
  chunkCols: count,
  cols: count,
  format,
  groupBytes: count,
  scale: number,
  sums: count,
  blocks: count,
});

const segment = record<SegmentConfig>({ rows: count, formats });
type L2Prefetch = Exclude<ProjectionConfig['l2Prefetch'], null>;
type PrefetchSegment = L2Prefetch['segments'][number];
const l2Prefetch = record<L2Prefetch>({
  blocks: count,
  bytes: count,
  segments: listOf(record<PrefetchSegment>({ groups: count, groupBytes: count })),
});

const norm: Fields<NormConfig> = { normalize: flag, centred: flag, normBias: flag, epsilon: number };
const input: Fields<InputConfig> = { sumInput: flag, storeSum: flag, sumEpsilon: number, ...norm };

const projection = record<ProjectionConfig>({
  kind: oneOf('projection'),
  groupRows: count,
  chunkCols: count,
  cols: count,
  segments: listOf(segment, 1),
  rowWarps: count,
  stages: count,
  prefetchAtOnce: count,
  prefetchStages: count,
  holdsAll: flag,
  passGroups: count,
  blocks: count,
  leastShared: count,
  blocksPerMultiprocessor: count,
  ...input,
  activation: oneOf('none', ...Object.keys(ACTIVATIONS)),
  scale: number,
  softCap: number,
  addResidual: flag,
  findBest: flag,
  bias: count,
  matrixScale: count,
  scalesBias: flag,
  l2Prefetch: orNull(l2Prefetch),
  routes: count,
});

const routing: Fields<RoutingConfig> = {
  experts: count,
  used: count,
  weightsOver: oneOf('all', 'chosen'),
  sigmoid: flag,
  scored: flag,
  biased: flag,
  expertGroups: count,
  expertGroupsUsed: count,
  weightsScale: number,
  gated: flag,
};

const experts = record<ExpertsConfig>({
  kind: oneOf('experts'),
  groupRows: count,
  chunkCols: count,
  cols: count,
  rows: count,
  ...routing,
  accumulated: count,
  routerCols: count,
  routerEpsilon: number,
  formats,
  warps: count,
  stages: count,
  prefetchStages: count,
  blocks: count,
  sharedBytes: count,
  blocksPerMultiprocessor: count,
  sum: flag,
  addShared: flag,
  scale: number,
  addResidual: flag,
  normalize: flag,
  epsilon: number,
  activation: oneOf('none', ...Object.keys(ACTIVATIONS)),
  bias: count,
  matrixScale: count,
});

const normAdd = record<NormAddConfig>({
  kind: oneOf('norm_add'),
  size: count,
  threads: count,
  centred: flag,
  normBias: flag,
  addResidual: flag,
  epsilon: number,
});

type Yarn = Exclude<RopeScaling['yarn'], undefined>;
type Stated = Exclude<RopeSpec['statedFactors'], undefined>;
/** What is left of a rope once the context is known: rope.ts. */
type PlannedRope = Omit<RopeSpec, 'factors' | 'longFactors'>;
const rope = record<PlannedRope>({
  dimensions: count,
  base: number,
  pairing: oneOf('adjacent', 'half'),
  scaling: optional(
    record<RopeScaling>({
      scale: number,
      yarn: optional(
        record<Yarn>({
          originalContext: count,
          betaFast: number,
          betaSlow: number,
          unrounded: optional(oneOf(true)),
        }),
      ),
      magnitude: number,
    }),
  ),
  statedFactors: optional(record<Stated>({ short: listOf(number), long: optional(listOf(number)) })),
});

const heads: Fields<HeadConfig> = {
  rope: orNull(rope),
  ropeFactors: flag,
  queryNorm: flag,
  keyNorm: flag,
  jointNorms: count,
  normTurned: optional(oneOf(true)),
  epsilon: number,
};

const attend = record<AttendConfig>({
  kind: oneOf('attend'),
  heads: count,
  kvHeads: count,
  headSize: count,
  headsPerBlock: count,
  splits: count,
  minSplit: count,
  unsplit: count,
  stages: count,
  contextLength: count,
  pageStride: count,
  warps: count,
  blocks: count,
  leastShared: count,
  blocksPerMultiprocessor: count,
  scale: number,
  softCap: number,
  window: count,
  ...heads,
  sinks: flag,
  gates: optional(oneOf('heads', 'elements')),
});

const select = record<SelectConfig>({
  kind: oneOf('select'),
  threads: count,
  blocks: count,
  candidates: count,
  vocabSize: count,
});

const embedRows = record<EmbedRowsConfig>({
  kind: oneOf('embed_rows'),
  groupRows: count,
  chunkCols: count,
  cols: count,
  format,
  groupBytes: count,
  scale: number,
  rows: count,
  slotBytes: count,
  threads: count,
});

const selectRows = record<SelectRowsConfig>({
  kind: oneOf('select_rows'),
  threads: count,
  outputs: count,
  blocks: count,
  vocabSize: count,
  slotBytes: count,
});

const operandRows = record<OperandRowsConfig>({
  kind: oneOf('operand_rows'),
  cols: count,
  rows: count,
  gather: flag,
  threads: count,
  blocks: count,
  ...input,
});

const normAddRows = record<NormAddRowsConfig>({
  kind: oneOf('norm_add_rows'),
  rows: count,
  cols: count,
  threads: count,
  addResidual: flag,
  ...norm,
});

const matmul = record<MatmulConfig>({
  kind: oneOf('matmul'),
  groupRows: count,
  chunkCols: count,
  cols: count,
  experts: count,
  segments: listOf(segment, 1),
  rows: count,
  ofOutputs: flag,
  tileRows: count,
  warpgroups: count,
  blocks: count,
  blocksPerMultiprocessor: count,
  stages: count,
  depth: count,
  prefetchSteps: count,
  splitSteps: count,
  apart: flag,
  activation: oneOf('none', ...Object.keys(ACTIVATIONS)),
  scale: number,
  softCap: number,
  addResidual: flag,
  bias: count,
  matrixScale: count,
  scalesBias: flag,
});

const largest = record<LargestConfig>({
  kind: oneOf('find_largest'),
  groupRows: count,
  chunkCols: count,
  cols: count,
  experts: count,
  segments: listOf(segment, 1),
});

const append = record<AppendConfig>({
  kind: oneOf('append'),
  heads: count,
  kvHeads: count,
  headSize: count,
  qkvCols: count,
  slotBytes: count,
  pageStride: count,
  rows: count,
  warps: count,
  scale: number,
  rests: flag,
  ...heads,
});

const attendRows = record<AttendRowsConfig>({
  kind: oneOf('attend_rows'),
  heads: count,
  kvHeads: count,
  headSize: count,
  qkvCols: count,
  slotPages: count,
  slotBytes: count,
  pageStride: count,
  rows: count,
  blocks: count,
  blocksPerMultiprocessor: count,
  stages: count,
  splitPositions: count,
  softCap: number,
  window: count,
  sinks: flag,
  gates: optional(oneOf('heads', 'elements')),
  rests: flag,
});

const routeRows = record<RouteRowsConfig>({
  kind: oneOf('route_rows'),
  groupRows: count,
  chunkCols: count,
  cols: count,
  formats,
  plain: flag,
  rows: count,
  ...routing,
  tileRows: count,
  tileExperts: count,
  stages: count,
  blocksPerMultiprocessor: count,
  normalize: flag,
  epsilon: number,
  bias: count,
  matrixScale: count,
  scalesBias: flag,
});

const sortRows = record<SortRowsConfig>({
  kind: oneOf('sort_rows'),
  rows: count,
  experts: count,
  used: count,
  routingCols: count,
  tileRows: count,
  warps: count,
});

const scatterRows = record<ScatterRowsConfig>({
  kind: oneOf('scatter_rows'),
  rows: count,
  pairs: count,
  cols: count,
  used: count,
  threads: count,
});

const combineRows = record<CombineRowsConfig>({
  kind: oneOf('combine_rows'),
  rows: count,
  cols: count,
  used: count,
  routingCols: count,
  addShared: flag,
  gated: flag,
  scale: number,
  addResidual: flag,
  threads: count,
});

const kernel = record<PlannedKernel>({
  symbol: text(),
  config: byKind({
    ...{ embed, projection, experts, norm_add: normAdd, attend, select },
    ...{ embed_rows: embedRows, operand_rows: operandRows, norm_add_rows: normAddRows, matmul, append },
    ...{ attend_rows: attendRows, select_rows: selectRows, find_largest: largest },
    ...{ route_rows: routeRows, sort_rows: sortRows, scatter_rows: scatterRows, combine_rows: combineRows },
  }),
  fields: listOf(text()),
  launch: record<Launch>({ blocks: count, threads: count, sharedBytes: count }),
  tables: listOf(record<Table>({ name: text(), values: listOf(number) })),
});

const node = record<PlannedNode>({
  name: text(),
  kernel: count,
  args: listOf(
    record<PlannedArgument>({
      name: text(),
      region: oneOf('weights', 'arena', 'kv_cache', 'kv_window', 'state', 'slots'),
      offset: count,
    }),
  ),
  after: listOf(record<Edge>({ from: count, programmatic: flag })),
  readBytes: count,
  kvRowBytes: count,
  kvPositions: count,
  rowFlops: count,
  positionFlops: count,
  about: text(),
});

type BucketKernel = PlannedBucket['kernels'][number];
const bucket = record<PlannedBucket>({
  positions: count,
  kernels: listOf(record<BucketKernel>({ node: count, kernel: count })),
});

const program = record<PlannedProgram>({
  name: oneOf('token', 'batch', 'prompt', 'load'),
  rows: count,
  outputs: count,
  tileRows: count,
  logitsOffset: count,
  nodes: listOf(node, 1),
  buckets: listOf(bucket),
  buffers: listOf(
    record<PlannedBuffer>({ name: text(), offset: count, bytes: count, firstNode: integer, lastNode: integer }),
  ),
});

const pageRegion = oneOf('kv_cache', 'kv_window');
const cache = record<PlannedCache>({
  id: count,
  layer: count,
  kind: oneOf('kv'),
  heads: count,
  headSize: count,
  rowBytes: count,
  region: pageRegion,
  offset: count,
  bytes: count,
});

const tensor = record<PlannedTensor>({
  name: text(),
  type: format,
  rows: count,
  cols: count,
  fileOffset: count,
  fileBytes: count,
  deviceOffset: count,
  deviceBytes: count,
  layout: oneOf('tiled', 'vector'),
  rowsPerGroup: count,
  colsPerChunk: count,
  groupStride: count,
  chunkStride: count,
  storedAs: optional(format),
  plusOne: optional(oneOf(true)),
  alternate: optional(oneOf('even', 'odd')),
  transposed: optional(oneOf(true)),
  part: optional(oneOf('codes', 'exponents')),
  loader: orNull(count),
});

const memory: Fields<Plan['memory']> = {
  weightsBytes: count,
  kvCacheBytes: count,
  arenaBytes: count,
  stateBytes: count,
  slotBytes: count,
  tokenReadBytes: count,
  kvRowBytes: count,
};

const model: Fields<Plan['model']> = {
  name: text(),
  architecture: text(),
  vocabSize: count,
  contextLength: count,
  embeddingLength: count,
  feedForwardLength: count,
  layerCount: count,
  headCount: count,
  headCountKv: count,
  headSize: count,
  fileBytes: count,
  headerBytes: count,
  headerSha256: sha256Text,
  parts: optional(listOf(record<Part>({ name: optional(text()), bytes: count, headerBytes: count }), 1)),
};

const gpu = record<Gpu>({
  name: text(),
  capability: text(),
  multiprocessors: count,
  sharedBytes: count,
  sharedPerMultiprocessor: count,
  l2Bytes: count,
  bandwidth: number,
  clock: number,
});

export const isPlan = record<Plan>({
  version: count,
  compilerVersion: text(),
  target: record<Plan['target']>({ kind: oneOf('cuda', 'host'), archs: listOf(text()), gpu: optional(gpu) }),
  model: record<Plan['model']>(model),
  memory: record<Plan['memory']>(memory),
  kernels: listOf(kernel, 1),
  programs: listOf(program, 1),
  leftOut: listOf(record<LeftOut>({ name: oneOf('token', 'batch', 'prompt', 'load'), rows: count, why: text() })),
  caches: listOf(cache),
  pages: listOf(record<PlannedPages>({ region: pageRegion, bytes: count, window: count }), 2),
  state: listOf(
    record<PlannedStatePart>({ part: text(), region: oneOf('state', 'slots'), offset: count, bytes: count }),
  ),
  loaders: listOf(record<PlannedLoader>({ symbol: text(), body: text() })),
  tensors: listOf(tensor),
  formats: listOf(format),
});
