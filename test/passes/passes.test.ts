import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildGraph } from '../../compiler/graph/build.js';
import type { Graph, Op } from '../../compiler/graph/graph.js';
import { verifyGraph } from '../../compiler/graph/verify.js';
import type { Norm, Value } from '../../compiler/ir/ops.js';
import type { Experts } from '../../compiler/kernels/experts/operation.js';
import type { Projection } from '../../compiler/kernels/projection/operation.js';
import type { LayerWeights, ModelSpec, Weight } from '../../compiler/model/spec.js';
import { type Pass, passes, runPasses } from '../../compiler/passes/index.js';
import { primitiveGraph } from '../support/graphs.js';
import { evaluate } from '../support/interpreter.js';
import { expertNodes, FAMILIES, makeSpec } from '../support/specs.js';

const families = Object.entries(FAMILIES);

/** Runs the passes one after the other; the graph before and after each. */
function stages(graph: Graph, order: readonly Pass[] = passes.token): { pass: Pass; before: Graph; after: Graph }[] {
  let before = graph;
  return order.map((pass) => {
    const stage = { pass, before, after: pass.run(before) };
    before = stage.after;
    return stage;
  });
}

/** When a pass finds nothing to do. */
const UNLESS: Record<string, (spec: ModelSpec) => boolean> = {
  fuse_experts: ({ experts }) => !experts,
  fuse_gate_up: ({ layers }) => !layers[0]!.ffnGate && !layers[0]!.ffnSharedGate,
  fold_activation: ({ layers }) => layers[0]!.ffnGate !== undefined || layers[0]!.ffnRouter !== undefined,
  lower_norm: ({ layers }) => !layers[0]!.attnPostNorm,
  fold_norm_add: ({ layers }) => !layers[0]!.attnPostNorm,
  fold_router: ({ experts, layers }) => !experts || experts.groups !== undefined || asksMore(layers[0]!),
  fold_constants: ({ embeddingScale, residualScale }) => !embeddingScale && !residualScale,
};

const asksMore = ({ ffnRouterBias, ffnRouterSelection, ffnSharedRouter }: LayerWeights): boolean =>
  (ffnRouterBias ?? ffnRouterSelection ?? ffnSharedRouter) !== undefined;

const run = (graph: Graph) => evaluate(graph, [3, 1, 5], 4);

function count(graph: Graph, matches: (op: Op) => boolean): number {
  return graph.ops.filter(matches).length;
}

describe.each(families)('the passes on %s', (_, options) => {
  const spec = makeSpec(options);

  it('leave five operations a layer, up to eight with experts, and three around them', () => {
    const feedForward = options.experts ? expertNodes(options) : ['projection', 'projection'];
    const layer = ['projection', 'attend', 'projection', ...feedForward];
    const layers = spec.layers.flatMap(() => layer);
    const kinds = runPasses(buildGraph(spec)).ops.map((op) => op.kind);
    expect(kinds).toEqual(['embed', ...layers, 'projection', 'select_best']);
  });

  it('each do something, and each keep every bit of the logits and every selected token', () => {
    const expected = run(buildGraph(spec));
    for (const { pass, before, after } of stages(buildGraph(spec))) {
      const idle = UNLESS[pass.name]?.(spec) ?? false;
      if (!idle) expect(after.ops, pass.name).not.toEqual(before.ops);
      else expect(after.ops, pass.name).toEqual(before.ops);
      expect(run(after), pass.name).toEqual(expected);
    }
  });
});

describe('a fused layer', () => {
  const spec = makeSpec({ ...FAMILIES.qwen3, qkvBias: true, layers: 1 });
  const weights = spec.layers[0]!;
  const { ops } = runPasses(buildGraph(spec));
  const epsilon = spec.normEpsilon;

  it('has the norm, the three segments with their biases, and then the attention', () => {
    expect(ops[1]).toMatchObject({
      norm: { weight: weights.attnNorm, epsilon },
      segments: [
        { weights: [weights.attnQ], biases: [weights.attnQBias] },
        { weights: [weights.attnK], biases: [weights.attnKBias] },
        { weights: [weights.attnV], biases: [weights.attnVBias] },
      ],
      output: { name: 'blk.0.attn_qkv', cols: 4 * 8 + 2 * 2 * 8 },
    });
    expect(ops[2]).toMatchObject({
      queryNorm: { weight: weights.attnQNorm, epsilon },
      keyNorm: { weight: weights.attnKNorm, epsilon },
      rope: weights.rope,
      output: { name: 'blk.0.attn_kqv' },
    });
  });

  it('adds the residuals in the projections that end its halves', () => {
    const hidden = { name: 'token_embd' };
    const middle = { name: 'blk.0.ffn_inp' };
    expect(ops[3]).toMatchObject({ segments: [{ weights: [weights.attnOutput] }], residual: hidden, output: middle });
    expect(ops[4]).toMatchObject({
      input: middle,
      norm: { weight: weights.ffnNorm },
      segments: [{ weights: [weights.ffnGate, weights.ffnUp] }],
      activation: 'silu_mul',
    });
    expect(ops[5]).toMatchObject({ segments: [{ weights: [weights.ffnDown] }], residual: middle });
    expect(ops[6]).toMatchObject({
      norm: { weight: spec.outputNorm },
      best: { name: 'logits_best', rows: 'output', cols: 0 },
    });
  });
});

describe('norms after the halves of a layer', () => {
  const spec = makeSpec({ ...FAMILIES.gemma2, layers: 2 });
  const [first, second] = [spec.layers[0]!, spec.layers[1]!];
  const fused = runPasses(buildGraph(spec));
  const sums = fused.ops.flatMap((op) => (op.kind === 'projection' ? [op.inputSum] : []));

  it('are taken by the projections that read them, which leave the sums that others add', () => {
    const sum = (weight: Weight | undefined, residual: string, output: string) => ({
      norm: { weight, epsilon: spec.normEpsilon },
      residual: { name: residual },
      output: { name: output },
    });
    expect(sums).toMatchObject([
      ...[undefined, undefined, sum(first.attnPostNorm, 'token_embd_scaled', 'blk.0.ffn_inp'), undefined],
      ...[sum(first.ffnPostNorm, 'blk.0.ffn_inp', 'blk.0.l_out'), undefined],
      ...[sum(second.attnPostNorm, 'blk.0.l_out', 'blk.1.ffn_inp'), undefined],
      { norm: { weight: second.ffnPostNorm }, residual: { name: 'blk.1.ffn_inp' } },
    ]);
  });

  it('leave no sum that nothing reads', () => expect(sums.at(-1)!.output).toBeUndefined());
});

describe('a norm_add', () => {
  const { run } = passes.token.find(({ name }) => name === 'fold_norm_add')!;
  const weight = (rows: number, cols = 4) => ({ ...makeSpec().output, name: `w${rows}`, rows, cols });
  const value = (id: number, name: string) => ({ id, name, rows: 'token', cols: 4 }) as const;
  const [y, x, sum, a, b] = ['y', 'x', 'sum', 'a', 'b'].map((name, id) => value(id, name)) as [Value, ...Value[]];
  const norm: Norm = { weight: weight(1), epsilon: 0 };
  const added = { kind: 'norm_add', input: y, norm, residual: x!, output: sum! } as const;
  const projection = (input: Value, output: Value, more: Partial<Projection> = {}): Projection => ({
    kind: 'projection',
    input,
    segments: [{ weights: [weight(4)], biases: [undefined] }],
    output,
    ...more,
  });
  const product = projection(sum!, a!);
  const folded = (...ops: Op[]) => run({ ops, logits: b! }).ops;

  it('goes into the one projection that reads it', () => {
    const inputSum = { norm, residual: x };
    expect(folded(added, product)).toEqual([{ ...product, input: y, inputSum }]);
  });

  it.each<[string, Op]>([
    ['another projection', projection(sum!, b!)],
    ['the residual of a projection', projection(a!, b!, { residual: sum! })],
    ['a norm_add', { ...added, input: a!, residual: sum!, output: b! }],
  ])('goes into the first projection that reads it, which leaves the sum to %s', (_, reader) => {
    const inputSum = { norm, residual: x, output: sum };
    expect(folded(added, product, reader)).toEqual([{ ...product, input: y, inputSum }, reader]);
  });

  it.each<[string, Op[]]>([
    ['that is about the mean', [{ ...added, norm: { ...norm, centred: true } }, product]],
    ['that has a bias', [{ ...added, norm: { ...norm, bias: weight(1) } }, product]],
    ['that adds nothing', [{ kind: 'norm_add', input: y, norm, output: sum! }, product]],
    ['before a norm about the mean', [added, { ...product, norm: { ...norm, centred: true } }]],
    ['that another operation reads first', [added, { kind: 'gelu', input: sum!, output: b! }, product]],
    ['that a projection adds before another reads it', [added, projection(y, b!, { residual: sum! }), product]],
    ['that its reader also adds', [added, { ...product, residual: sum! }]],
    ['that nothing reads', [added]],
  ])('stays, %s', (_, ops) => {
    expect(folded(...ops)).toEqual(ops);
  });
});

describe('the projection of a router', () => {
  const { run } = passes.token.find(({ name }) => name === 'fold_router')!;
  const weight = (name: string, rows: number, more: Partial<Weight> = {}): Weight => ({
    ...{ ...makeSpec().output, name, rows, cols: 4, type: 'F32' },
    ...more,
  });
  const [x, y, logits, rows, sum] = [4, 4, 6, 8, 4].map(
    (cols, id) => ({ id, name: `v${id}`, rows: 'token', cols }) as const,
  );
  const norm: Norm = { weight: weight('norm', 1), epsilon: 1e-5 };
  const before: Projection = {
    ...{ kind: 'projection', input: x!, residual: x!, output: y! },
    segments: [{ weights: [weight('w', 4)], biases: [undefined] }],
  };
  const router: Projection = {
    ...{ kind: 'projection', input: y!, norm, output: logits! },
    segments: [{ weights: [weight('router', 6)], biases: [undefined] }],
  };
  const experts = { count: 6, used: 2, weightsOver: 'chosen' } as const;
  const up: Experts = {
    ...{ kind: 'experts', input: y!, logits: logits!, norm, experts, activation: 'silu', output: rows! },
    segment: { weights: [weight('up', 24)], biases: [undefined] },
  };
  const down: Experts = {
    ...{ kind: 'experts', input: rows!, logits: logits!, experts, sum: {}, output: sum! },
    segment: { weights: [weight('down', 24)], biases: [undefined] },
  };
  const folded = (...ops: Op[]) => run({ ops, logits: sum! }).ops;

  it('is shared by the blocks of the projection before it', () => {
    expect(folded(before, router, up, down)).toEqual([
      { ...before, router: { norm, weight: weight('router', 6), logits } },
      { ...up, accumulated: norm },
      { ...down, accumulated: norm },
    ]);
  });

  const of = (more: Partial<Weight>, bias?: Weight): Op => ({
    ...router,
    segments: [{ weights: [weight('router', 6, more)], biases: [bias] }],
  });
  it.each<[string, Op[]]>([
    ['with a bias', [before, of({}, weight('bias', 1, { cols: 6 })), up, down]],
    ['that is quantized', [before, of({ type: 'Q8_0' }), up, down]],
    ['whose file has it by columns', [before, of({ transposed: true }), up, down]],
    ['with a scale', [before, of({ scale: weight('scale', 1) }), up, down]],
    ['without a norm', [before, { ...router, norm: undefined } as unknown as Op, up, down]],
    ['of a norm about the mean', [before, { ...router, norm: { ...norm, centred: true } }, up, down]],
    ['after two matrices', [{ ...before, segments: [...before.segments, ...before.segments] }, router, up, down]],
    ['after no projection', [{ kind: 'gelu', input: x!, output: y! }, router, up, down]],
    ['whose logits are not all that chooses', [before, router, up, { ...down, selection: weight('selection', 1) }]],
    ['of groups', [before, router, up, { ...down, experts: { ...experts, groups: { count: 2, used: 1 } } }]],
    ['that also gates', [before, router, up, { ...down, gated: true }]],
    ['that something else reads', [before, router, up, down, { kind: 'silu', input: logits!, output: x! }]],
  ])('stays, %s', (_, ops) => {
    expect(folded(...ops)).toEqual(ops);
  });
});

describe('any primitive graph', () => {
  it('is left with its meaning and within the rules by each pass, in any order', () => {
    const order = fc.shuffledSubarray([...passes.token], { minLength: passes.token.length });
    const either = fc.oneof(fc.constant([...passes.token]), order);
    fc.assert(
      fc.property(primitiveGraph, either, (graph, order) => {
        verifyGraph(graph);
        const expected = run(graph);
        expect(expected.every(({ logits }) => logits.every(Number.isFinite))).toBe(true);
        for (const { pass, after } of stages(graph, order)) {
          verifyGraph(after);
          expect(run(after), pass.name).toEqual(expected);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('makes every pass apply and not apply', () => {
    const applied = new Map(passes.token.map(({ name }) => [name, { yes: 0, no: 0 }]));
    for (const graph of fc.sample(primitiveGraph, { numRuns: 100, seed: 1 })) {
      for (const { pass, before, after } of stages(graph)) {
        const fired = before.ops.length !== after.ops.length || before.ops.some((op, i) => op !== after.ops[i]);
        applied.get(pass.name)![fired ? 'yes' : 'no']++;
      }
    }
    for (const [name, { yes, no }] of applied) {
      expect(yes, `${name} applied`).toBeGreaterThan(5);
      if (name !== 'lower_linear') expect(no, `${name} did not apply`).toBeGreaterThan(5);
    }
  });

  it('ends with no linear, and with no norm or add that a projection could have taken', () => {
    fc.assert(
      fc.property(primitiveGraph, (graph) => {
        const { after } = stages(graph).at(-1)!;
        expect(count(after, (op) => op.kind === 'linear')).toBe(0);
        for (const { run } of passes.token) expect(run(after).ops).toEqual(after.ops);
      }),
    );
  });
});

describe('runPasses', () => {
  it('refuses a graph that has no fused form, naming the operation', () => {
    const { ops, logits } = buildGraph(makeSpec({ layers: 1 }));
    const reads = ops.findLast((op) => op.kind === 'add')!;
    const embed = ops.find((op) => op.kind === 'embed')!;
    const sum = { ...embed.output, id: 1000, name: 'sum' };
    const leaked: Op[] = [
      ...ops.slice(0, -3),
      { kind: 'add', a: embed.output, b: reads.output, output: sum },
      { kind: 'linear', input: sum, weight: makeSpec().output, output: logits },
      { kind: 'select', logits },
    ];
    expect(() => runPasses({ ops: leaked, logits })).toThrow(/rule "fused" broken by add of sum/);
  });

  it('gives the same graph for the same model', () => {
    const spec = makeSpec(FAMILIES.llama);
    expect(JSON.stringify(runPasses(buildGraph(spec)))).toBe(JSON.stringify(runPasses(buildGraph(spec))));
  });
});
