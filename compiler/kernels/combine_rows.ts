/** combine_rows.cuh: the weighted sum of what a row's experts have made of it. */
import { roundUp } from '../arithmetic.js';
import { effects } from '../ir/effects.js';
import type { Value } from '../ir/ops.js';
import { unlike } from './fields.js';
import type { Kernel } from './kernel.js';

/** Fused, of many rows: (sum(weight * input) + shared * gate) * scale + residual, best expert first. */
export interface CombineRows {
  readonly kind: 'combine_rows';
  readonly input: Value;
  /** As route_rows leaves it. */
  readonly routing: Value;
  readonly places: Value;
  readonly shared?: Value;
  /** What is shared is multiplied with the last of `routing`. */
  readonly gated?: true;
  readonly scale?: number;
  readonly residual?: Value;
  readonly output: Value;
}

export interface CombineRowsConfig {
  readonly kind: 'combine_rows';
  readonly rows: number;
  readonly cols: number;
  readonly used: number;
  readonly routingCols: number;
  readonly addShared: boolean;
  readonly gated: boolean;
  readonly scale: number;
  readonly addResidual: boolean;
  readonly threads: number;
}

export const combineRows: Kernel<CombineRows, CombineRowsConfig> = {
  operation: 'combine_rows',
  include: 'combine_rows.cuh',
  body: 'combine_rows',
  args: 'CombineRowsArgs',
  reads: ({ input, routing, places, shared, residual }) => effects([input, routing, places, shared, residual], 'step'),
  writes: ({ output }) => effects([output]),
  check: ({ input, routing, places, shared, gated, scale, residual, output }, checks) => {
    checks.equal('output', output.cols, 'input', input.cols);
    checks.need(typeof input.rows === 'object' && input.rows.used === places.cols, 'the input has no row a place');
    checks.form('places', places, 'i32');
    checks.need(routing.cols >= 2 * places.cols + (gated ? 1 : 0), `routing is ${routing.cols}`);
    checks.need(!gated || shared !== undefined, 'a gate without a shared output');
    for (const added of [shared, residual]) if (added) checks.equal('what is added', added.cols, 'output', output.cols);
    checks.constant('scale', scale);
    checks.sameRows(output, routing, places, shared, residual);
  },
  about: ({ input, places, shared, gated, scale, residual, output }) => {
    const added = shared ? `, + ${gated ? 'gate * ' : ''}${shared.name}` : '';
    const rest = `${added}${scale ? `, * ${scale}` : ''}${residual ? `, + ${residual.name}` : ''}`;
    return `${input.name} f32[${input.cols}]: weighted sum of ${places.cols} experts${rest} -> f32[${output.cols}]`;
  },
  vectors: () => [],
  readBytes: () => 0,
  configure: ({ input, routing, places, shared, gated, scale, residual }, { kind }, { program }) => ({
    kind: 'combine_rows',
    rows: program.rows,
    cols: input.cols,
    used: places.cols,
    routingCols: routing.cols,
    addShared: shared !== undefined,
    gated: gated ?? false,
    scale: scale ?? 1,
    addResidual: residual !== undefined,
    threads: kind === 'cuda' ? Math.min(256, roundUp(Math.ceil(input.cols / 4), 32)) : 64,
  }),
  launch: ({ rows, threads }) => ({ blocks: rows, threads, sharedBytes: 0 }),
  scratch: () => [],
  arguments: (op, at) => [
    at.state('step', 'step'),
    at.value('input', op.input),
    at.value('routing', op.routing),
    at.value('places', op.places),
    at.value('shared', op.shared),
    at.value('residual', op.residual),
    at.value('output', op.output),
  ],
  base: 'CombineRowsDefaults',
  fields: (c) => [
    ['int', { rows: c.rows, cols: c.cols, used: c.used, routing_cols: c.routingCols, threads: c.threads }],
    ['bool', unlike(false, { add_shared: c.addShared, gated: c.gated, add_residual: c.addResidual })],
    ['float', unlike(1, { scale: c.scale })],
  ],
  asserts: () => [],
};
