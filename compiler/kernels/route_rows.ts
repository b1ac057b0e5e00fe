/** route_rows/kernel.cuh: which experts each row of a step takes, and their weights, from the router's logits in f32. */

import type { GgmlType } from '../../runtime/files/ggml.js';
import { roundUp, sum } from '../arithmetic.js';
import { effects } from '../ir/effects.js';
import type { Norm, Segment, Value } from '../ir/ops.js';
import type { ExpertsSpec, Weight } from '../model/spec.js';
import type { Target } from '../target/target.js';
import { type RoutingConfig, routingBytes, routingConfig, routingFields } from './experts/routing.js';
import { unlike } from './fields.js';
import { type NormConfig, normFields } from './input.js';
import { type Kernel, STATE_COUNTERS } from './kernel.js';
import { maskOf, matrixText, productFlops, rowVectors } from './segment.js';
import { strides, type Tiling } from './tiling.js';

/**
 * Fused, of many rows: the router's product of norm(input), and route. segments: the router, and the row of a shared expert's
 * gate. output: the numbers of those chosen, best first; their weights; the sigmoid of the gate's logit.
 */
export interface RouteRows {
  readonly kind: 'route_rows';
  readonly input: Value;
  /** About 0, without a bias. */
  readonly norm?: Norm;
  readonly segments: readonly Segment[];
  readonly experts: ExpertsSpec;
  readonly selection?: Weight;
  readonly output: Value;
}

export interface RouteRowsConfig extends Tiling, RoutingConfig, Pick<NormConfig, 'normalize' | 'epsilon'> {
  readonly kind: 'route_rows';
  readonly cols: number;
  /** Of the router and of the gate. */
  readonly formats: readonly GgmlType[];
  /** The router's rows are f32, one after another, as where the token program's blocks add up its logits. */
  readonly plain: boolean;
  readonly rows: number;
  /** Of a block: rows, and logits of each. */
  readonly tileRows: number;
  readonly tileExperts: number;
  /** Of 128 columns. */
  readonly stages: number;
  /** Blocks that a multiprocessor has registers for: of what is copied none is on its way there. */
  readonly blocksPerMultiprocessor: number;
  /** Bit 0: the router has a bias; a scale. Bit 1: the gate. */
  readonly bias: number;
  readonly matrixScale: number;
  readonly scalesBias: boolean;
}

const weightsOf = ({ segments }: Pick<RouteRows, 'segments'>): Weight[] =>
  segments.map(({ weights: [weight] }) => weight!);

export const routeRows: Kernel<RouteRows, RouteRowsConfig> = {
  operation: 'route_rows',
  include: 'route_rows/kernel.cuh',
  body: 'route_rows',
  args: 'RouteRowsArgs',
  reads: ({ input }) => effects([input], 'step'),
  writes: ({ output }) => effects([output]),
  check: (op, checks) => {
    const [router, gate, ...others] = op.segments;
    checks.experts(op.experts);
    checks.vector(op.selection, op.experts.count);
    checks.need(router !== undefined && others.length === 0, `${op.segments.length} segments of a router`);
    if (op.norm) checks.norm(op.norm, op.input.cols);
    checks.need(!op.norm?.centred && !op.norm?.bias, 'a norm about the mean, or with a bias');
    for (const [i, { weights, biases }] of op.segments.entries()) {
      const [weight, second] = weights;
      checks.need(weight !== undefined && second === undefined, 'a segment of several weights');
      checks.equal('input', op.input.cols, `${weight!.name} cols`, weight!.cols);
      checks.equal(`${weight!.name} rows`, weight!.rows, 'its logits', i === 0 ? op.experts.count : 1);
      checks.vector(biases[0], weight!.rows);
      checks.vector(weight!.scale, 1);
    }
    checks.equal('output', op.output.cols, '2 x experts used, and the gate', 2 * op.experts.used + (gate ? 1 : 0));
    checks.sameRows(op.output, op.input);
  },
  about: (op) => {
    const { count, used } = op.experts;
    const matrices = weightsOf(op).map(matrixText).join(' + ');
    return `${op.input.name} f32[${op.input.cols}]: ${op.norm ? 'norm, ' : ''}${matrices}, ${used} of ${count} experts -> f32[${op.output.cols}]`;
  },
  vectors: ({ norm, segments, selection }) => [norm?.weight, ...segments.flatMap(rowVectors), selection],
  matrices: ({ segments }) => segments,
  flops: ({ segments }) => ({ row: productFlops(segments) }),
  readBytes: (op) => sum(weightsOf(op).map(({ bytes }) => bytes)),
  configure: (op, target, { program, weights }) => {
    const [router, gate] = weightsOf(op);
    const plain = weights.isPlain(router!);
    return {
      kind: 'route_rows',
      cols: op.input.cols,
      ...(plain ? { groupRows: 1, chunkCols: 32 } : weights.tilingOf(router!)),
      formats: plain ? ['F32'] : weightsOf(op).map(({ type }) => type),
      plain,
      rows: program.rows,
      ...routingConfig(op),
      gated: gate !== undefined,
      ...cutOf(op.experts.count + (gate ? 1 : 0), program.rows, target, plain && op.input.cols % 4 === 0),
      normalize: op.norm !== undefined,
      epsilon: op.norm?.epsilon ?? 0,
      bias: maskOf(op.segments.map(({ biases }) => biases[0])),
      matrixScale: maskOf(weightsOf(op).map(({ scale }) => scale)),
      scalesBias: weightsOf(op).some(({ scalesBias }) => scalesBias),
    };
  },
  launch: (config) => ({ blocks: blocksOf(config), threads: threadsOf(config), sharedBytes: sharedOf(config) }),
  scratch: (op, [config]) => {
    const bytes = 4 * config!.rows * logitsOf(config!);
    const tiles = Math.ceil(config!.rows / config!.tileRows);
    if (tiles > STATE_COUNTERS) throw new Error(`${op.output.name} counts with ${tiles} counters`);
    return [
      { region: 'state', part: 'counters' },
      { region: 'arena', name: logitsName(op), bytes },
    ];
  },
  arguments: (op, at) => [
    at.state('step', 'step'),
    at.value('input', op.input),
    at.vector('norm', op.norm?.weight),
    at.weights('router'),
    ...[0, 1].map((i) => at.vector(`bias${i}`, op.segments[i]?.biases[0])),
    ...[0, 1].map((i) => at.vector(`matrix_scale${i}`, op.segments[i]?.weights[0]?.scale)),
    at.vector('selection', op.selection),
    at.scratch('logits', logitsName(op)),
    at.state('counters', 'counters'),
    at.value('routing', op.output),
  ],
  base: 'RouteRowsDefaults',
  fields: (c) => [
    `using router = ${routerType(c)};`,
    ['int', { cols: c.cols, group_rows: c.groupRows, chunk_cols: c.chunkCols }],
    ['int', { rows: c.rows, experts: c.experts, used: c.used }],
    ['int', { tile_rows: c.tileRows, tile_experts: c.tileExperts, stages: c.stages }],
    ...normFields({ ...c, centred: false, normBias: false }),
    ...routingFields(c),
    ['int', unlike(0, { bias: c.bias, matrix_scale: c.matrixScale })],
    ['bool', unlike(false, { gated: c.gated, scales_bias: c.scalesBias })],
  ],
  asserts: (c, shape, sharedBytes) => [
    `RouteRowsShape<${shape}>::shared_bytes == ${sharedBytes}`,
    `RouteRowsShape<${shape}>::blocks == ${blocksOf(c)}`,
    `RouteRowsShape<${shape}>::threads == ${threadsOf(c)}`,
    ...(c.plain ? [] : segmentsOf(c)).map(
      ({ type, format }) =>
        `MatrixTiling<${shape}>::group_bytes<${type}> == ${strides([format], c.cols, c).groupStride}`,
    ),
  ],
};

const logitsName = ({ output }: RouteRows): string => `${output.name}.logits`;

type Cut = Pick<RouteRowsConfig, 'tileRows' | 'tileExperts' | 'stages' | 'blocksPerMultiprocessor'>;

/** What is copied has a pipeline; the rest goes through registers, from one of two stages to the other. */
function cutOf(logits: number, rows: number, target: Target, copied: boolean): Cut {
  const tile = tileOf(logits, rows, target);
  const most = Math.min(target.kind === 'host' ? 3 : 6, Math.floor(STAGES_BYTES / stageBytes(tile)));
  return { ...tile, stages: copied ? Math.max(2, most) : 2, blocksPerMultiprocessor: copied ? 2 : 1 };
}

const STAGES_BYTES = 80 * 1024;
const stageBytes = ({ tileRows, tileExperts }: Pick<Cut, 'tileRows' | 'tileExperts'>): number =>
  (tileRows + tileExperts + 1) * 128 * 4;

/** A warp has 8 rows by 8 experts. Of many rows a block has more, which read the router's matrix together. */
function tileOf(logits: number, rows: number, { kind }: Target): { tileRows: number; tileExperts: number } {
  const least = 8 * 2 ** Math.ceil(Math.log2(Math.ceil(logits / 8)));
  if (kind === 'host') return { tileRows: rows > 64 ? 16 : 8, tileExperts: Math.min(16, least) };
  return { tileRows: rows > 512 ? 16 : 8, tileExperts: Math.min(rows > 64 ? 32 : 16, least) };
}

const segmentsOf = ({ formats, experts }: RouteRowsConfig) =>
  formats.map((format, i) => ({ format, type: `Segment<${i === 0 ? experts : 1}, ${format}>` }));

const routerType = (c: RouteRowsConfig): string =>
  c.plain
    ? 'PlainRouter'
    : `TiledRouter<${segmentsOf(c)
        .map(({ type }) => type)
        .join(', ')}>`;

const logitsOf = ({ experts, gated }: RouteRowsConfig): number => experts + (gated ? 1 : 0);

const blocksOf = (c: RouteRowsConfig): number =>
  Math.ceil(c.rows / c.tileRows) * Math.ceil(logitsOf(c) / c.tileExperts);

const threadsOf = ({ tileRows, tileExperts }: RouteRowsConfig): number => (tileRows * tileExperts) / 2;

/** RouteRowsShape::shared_bytes. */
function sharedOf(c: RouteRowsConfig): number {
  const ofChoices = (threadsOf(c) / 32) * roundUp(routingBytes(c), 16);
  return Math.max(c.stages * stageBytes(c), ofChoices) + 16 * c.stages + 16;
}
