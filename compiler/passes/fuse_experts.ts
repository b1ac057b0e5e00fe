/**
 * linear router; route; expert_linear gate, up of one input; silu_mul or another of two; expert_linear down; expert_sum
 *   -> projection of the router; experts with gate and up; experts with down and the sum
 *
 * Without a gate silu or another of one.
 *
 * Where the sum is added to the output of another linear, the shared expert's, that is added by the latter; and where a
 * sigmoid gates it, the gate's row becomes a segment of the router's projection. Both kernels of the experts choose them
 * by the logits, so route needs none of its own.
 */
import type { Graph, Op } from '../graph/graph.js';
import type { Activate, Add, ExpertLinear, ExpertSum, GateMul, Linear, Route, Value } from '../ir/ops.js';
import type { Experts } from '../kernels/experts/operation.js';
import { ALONE, GATED } from '../model/activations.js';
import { asSegment } from './lower_linear.js';
import { type Edits, freshValues, rewrite, Uses } from './uses.js';

interface ExpertsMatch {
  readonly router: Linear;
  readonly route: Route;
  /** Gate and up, or up. */
  readonly inner: readonly ExpertLinear[];
  readonly act: GateMul | Activate;
  readonly down: ExpertLinear;
  readonly sum: ExpertSum;
}

/** What is added to the experts' sum. */
interface Shared {
  readonly add: Add;
  readonly shared: Value;
  /** The operations of its gate. */
  readonly gate?: { readonly linear: Linear; readonly ops: readonly Op[] };
}

export function fuseExperts(graph: Graph): Graph {
  const uses = new Uses(graph);
  const fresh = freshValues(graph);
  const edits: Edits = new Map();
  for (const op of graph.ops) {
    const match = op.kind === 'expert_sum' && matchExperts(uses, op);
    if (match) fuse(match, matchShared(uses, match), fresh, edits);
  }
  return rewrite(graph, edits);
}

function matchExperts(uses: Uses, sum: ExpertSum): ExpertsMatch | undefined {
  const route = uses.writer('route', sum.routing);
  const router = route && uses.soleWriter('linear', route.logits);
  const down = uses.soleWriter('expert_linear', sum.input);
  const act = down && matchActivation(uses, down.input);
  if (!router || !act) return undefined;
  const inner = ('gate' in act ? [act.gate, act.up] : [act.input]).map((value) =>
    uses.soleWriter('expert_linear', value),
  );
  const [first, last] = [inner[0], inner.at(-1)];
  if (!first || !last || (inner.length === 2 && first === last)) return undefined;
  const linears = [first, last, down];
  const matched: readonly Op[] = [...linears, sum];
  const together = uses.readers(route.output).every((reader) => matched.includes(reader));
  const sameRouting = linears.every(({ routing }) => routing === route.output);
  const sameInput = first.input === last.input && first.input.cols === first.weight.cols;
  if (!together || !sameRouting || !sameInput) return undefined;
  return { router, route, inner: first === last ? [first] : [first, last], act, down, sum };
}

function matchActivation(uses: Uses, value: Value): GateMul | Activate | undefined {
  for (const kind of [...GATED.map((name) => `${name}_mul` as const), ...ALONE]) {
    const op = uses.soleWriter(kind, value);
    if (op) return op;
  }
  return undefined;
}

function matchShared(uses: Uses, { router, sum }: ExpertsMatch): Shared | undefined {
  const [add, ...others] = uses.readers(sum.output);
  if (add?.kind !== 'add' || others.length > 0) return undefined;
  const shared = add.a === sum.output ? add.b : add.a;
  if (uses.soleWriter('linear', shared)) return { add, shared };
  const scale = uses.soleWriter('sigmoid_scale', shared);
  const linear = scale && uses.soleWriter('linear', scale.gate);
  // Segments of one projection have one input.
  if (!linear || linear.input !== router.input) return undefined;
  return { add, shared: scale.input, gate: { linear, ops: [linear, scale] } };
}

function fuse(match: ExpertsMatch, shared: Shared | undefined, fresh: ReturnType<typeof freshValues>, edits: Edits) {
  const { router, route, inner, act, down, sum } = match;
  const { kind: _, logits: __, output: ___, selection, ...experts } = route;
  const linears = [router, ...(shared?.gate ? [shared.gate.linear] : [])];
  const logits = shared?.gate
    ? fresh(`${router.output.name}_gate`, experts.count + 1, router.output.rows)
    : router.output;
  const common = { kind: 'experts', logits, experts, ...(selection && { selection }) } as const;
  const gated: Experts = {
    input: inner[0]!.input,
    ...common,
    segment: { weights: inner.map(({ weight }) => weight), biases: inner.map(({ bias }) => bias) },
    activation: act.kind,
    output: act.output,
  };
  const summed: Experts = {
    input: down.input,
    ...common,
    segment: asSegment(down),
    sum: {},
    ...(shared && { shared: shared.shared }),
    ...(shared?.gate && { gated: true }),
    output: shared?.add.output ?? sum.output,
  };
  for (const op of [route, ...inner, down, sum, ...(shared?.gate?.ops ?? [])]) edits.set(op, []);
  edits.set(router, [{ kind: 'projection', input: router.input, segments: linears.map(asSegment), output: logits }]);
  edits.set(act, [gated]);
  edits.set(shared?.add ?? sum, [summed]);
}
