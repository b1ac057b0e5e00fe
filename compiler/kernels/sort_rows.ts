/** sort_rows.cuh: the places of rows sorted by the experts that they have chosen, and tiles of one expert's. */
import { roundUp } from '../arithmetic.js';
import { effects } from '../ir/effects.js';
import type { Pairs, Value } from '../ir/ops.js';
import type { Target } from '../target/target.js';
import { expertTileRows, pairsIn } from './expert_tiles.js';
import type { Kernel } from './kernel.js';

/** Fused, of many rows: where each row of `routing` stands for each of its experts, and the list of tiles. */
export interface SortRows {
  readonly kind: 'sort_rows';
  readonly routing: Value;
  /** A place for each choice, best first. */
  readonly output: Value;
  /** How many pairs and tiles there are, and the tiles; of values that have a row for each pair. */
  readonly tiles: Value;
}

export interface SortRowsConfig {
  readonly kind: 'sort_rows';
  readonly rows: number;
  readonly experts: number;
  readonly used: number;
  readonly routingCols: number;
  readonly tileRows: number;
  readonly warps: number;
}

export const sortRows: Kernel<SortRows, SortRowsConfig> = {
  operation: 'sort_rows',
  include: 'sort_rows.cuh',
  body: 'sort_rows',
  args: 'SortRowsArgs',
  reads: ({ routing }) => effects([routing], 'step'),
  writes: ({ output, tiles }) => effects([output, tiles]),
  check: ({ routing, output, tiles }, checks) => {
    checks.need(typeof tiles.rows === 'object', `${tiles.name} has no row a pair`);
    const { used, experts } = pairsIn(tiles);
    checks.experts({ count: experts, used, weightsOver: 'all' });
    checks.need(routing.cols === 2 * used || routing.cols === 2 * used + 1, `routing is ${routing.cols}`);
    checks.equal('output', output.cols, 'experts used', used);
    checks.form('output', output, 'i32');
    checks.form('tiles', tiles, 'i32');
    checks.sameRows(output, routing);
  },
  about: ({ routing, output, tiles }) =>
    `${routing.name} f32[${routing.cols}]: rows by expert, of ${pairsIn(tiles).experts} -> i32[${output.cols}], ${tiles.name}`,
  vectors: () => [],
  readBytes: () => 0,
  configure: ({ routing, tiles }, target, { program }) => {
    const pairs = pairsIn(tiles);
    const { rows } = program;
    const tileRows = expertTileRows(pairs, program, target);
    const warps = warpsOf(pairs, rows, target);
    return { kind: 'sort_rows', rows, ...pairs, routingCols: routing.cols, tileRows, warps };
  },
  launch: (c) => ({ blocks: 1, threads: 32 * c.warps, sharedBytes: sharedOf(c) }),
  scratch: () => [],
  arguments: (op, at) => [
    at.state('step', 'step'),
    at.value('routing', op.routing),
    at.value('places', op.output),
    at.value('tiles', op.tiles),
  ],
  fields: (c) => [
    ['int', { rows: c.rows, experts: c.experts, used: c.used, routing_cols: c.routingCols }],
    ['int', { tile_rows: c.tileRows, warps: c.warps }],
  ],
  asserts: (_config, shape, sharedBytes) => [`SortRowsShape<${shape}>::shared_bytes == ${sharedBytes}`],
};

/** A run of rows each, and a thread for each expert. */
const warpsOf = ({ experts }: Pairs, rows: number, { kind }: Target): number =>
  Math.min(kind === 'cuda' ? 32 : 4, Math.ceil(Math.max(rows / 8, experts / 32)));

/** SortRowsShape::shared_bytes. */
const sharedOf = ({ rows, experts, used, warps }: SortRowsConfig): number =>
  roundUp(4 * (warps + 1) * experts + rows * used, 16);
