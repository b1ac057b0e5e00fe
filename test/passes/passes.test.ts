import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildGraph } from '../../compiler/ir/build.js';
import type { Graph, Op } from '../../compiler/ir/ops.js';
import { verifyGraph } from '../../compiler/ir/verify.js';
import type { ModelSpec } from '../../compiler/model/spec.js';
import { type Pass, passes, runPasses } from '../../compiler/passes/index.js';
import { primitiveGraph } from '../support/graphs.js';
import { evaluate } from '../support/interpreter.js';
import { FAMILIES, makeSpec } from '../support/specs.js';

const families = Object.entries(FAMILIES);

/** Runs the passes one after the other; the graph before and after each. */
function stages(graph: Graph, order: readonly Pass[] = passes): { pass: Pass; before: Graph; after: Graph }[] {
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
  fold_gelu: ({ layers }) => layers[0]!.ffnGate !== undefined || layers[0]!.ffnRouter !== undefined,
  lower_norm: ({ layers }) => !layers[0]!.attnPostNorm,
  fold_constants: ({ embeddingScale, residualScale }) => !embeddingScale && !residualScale,
};

const run = (graph: Graph) => evaluate(graph, [3, 1, 5], 4);

function count(graph: Graph, matches: (op: Op) => boolean): number {
  return graph.ops.filter(matches).length;
}

describe.each(families)('the passes on %s', (_, options) => {
  const spec = makeSpec(options);

  it('leave five operations a layer, six or eight with experts, two more for norms after its halves, and three around them', () => {
    const post = options.postNorms ? ['norm_add'] : [];
    const shared = options.shared ? ['projection', 'projection'] : [];
    const experts = ['projection', 'experts', ...shared, 'experts'];
    const feedForward = options.experts ? experts : ['projection', 'projection'];
    const layer = ['projection', 'attend', 'projection', ...post, ...feedForward, ...post];
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
      output: { name: 'blk.0.attn_qkv', size: 4 * 8 + 2 * 2 * 8 },
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
    expect(ops[6]).toMatchObject({ norm: { weight: spec.outputNorm }, best: { name: 'logits_best', size: 0 } });
  });
});

describe('any primitive graph', () => {
  it('is left with its meaning and within the rules by each pass, in any order', () => {
    const order = fc.shuffledSubarray([...passes], { minLength: passes.length });
    const either = fc.oneof(fc.constant([...passes]), order);
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
    const applied = new Map(passes.map(({ name }) => [name, { yes: 0, no: 0 }]));
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
        for (const { run } of passes) expect(run(after).ops).toEqual(after.ops);
      }),
    );
  });
});

describe('runPasses', () => {
  it('refuses a graph that has no fused form, naming the operation', () => {
    const { ops, logits } = buildGraph(makeSpec({ layers: 1 }));
    const reads = ops.findLast((op) => op.kind === 'add')!;
    const embed = ops.find((op) => op.kind === 'embed')!;
    const sum = { id: 1000, name: 'sum', size: embed.output.size };
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
