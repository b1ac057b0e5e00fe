import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildGraph } from '../../compiler/graph/build.js';
import type { Graph, Op } from '../../compiler/graph/graph.js';
import { verifyGraph } from '../../compiler/graph/verify.js';
import type { Norm, Value } from '../../compiler/ir/ops.js';
import { programOf } from '../../compiler/ir/programs.js';
import type { Attend } from '../../compiler/kernels/attend/operation.js';
import type { NormAdd } from '../../compiler/kernels/norm_add.js';
import type { OperandRows } from '../../compiler/kernels/operand_rows.js';
import type { ModelSpec } from '../../compiler/model/spec.js';
import { type Pass, passes, runPasses } from '../../compiler/passes/index.js';
import { lower } from '../../compiler/plan/lower.js';
import { hostTarget } from '../../compiler/target/target.js';
import { primitiveGraph } from '../support/graphs.js';
import { evaluate } from '../support/interpreter.js';
import { nmse } from '../support/nmse.js';
import { FAMILIES, makeSpec, type SpecOptions } from '../support/specs.js';

const order = passes.prompt;
const families = Object.entries(FAMILIES);

/** Of some tokens. */
const run = (graph: Graph) => evaluate(graph, [3, 1, 5], 0).map(({ logits }) => [...logits]);

/** Queries are scaled before the products and not after, which rounds otherwise. */
function expectSame(found: Graph, expected: readonly number[][], what: string): void {
  const [a, b] = [run(found).flat(), expected.flat()];
  expect(a.every(Number.isFinite), what).toBe(true);
  expect(nmse(a, b), what).toBeLessThan(1e-24);
}

function stages(graph: Graph, list: readonly Pass[] = order): { pass: Pass; before: Graph; after: Graph }[] {
  let before = graph;
  return list.map((pass) => {
    const stage = { pass, before, after: pass.run(before) };
    before = stage.after;
    return stage;
  });
}

/** Those of a layer with experts, of which a shared one shares the operand. */
const expertRows = ({ shared }: SpecOptions): Op['kind'][] => [
  ...(['operand_rows', 'route_rows', 'sort_rows', 'scatter_rows', 'matmul', 'operand_rows'] as const),
  ...(shared === 'plain' || shared === 'gated' ? (['matmul', 'operand_rows', 'matmul'] as const) : []),
  ...(['matmul', 'combine_rows'] as const),
];

const kindsOf = ({ ops }: Graph) => ops.map(({ kind }) => kind);

describe.each(families)('the passes for many rows on %s', (_, options) => {
  const primitive = buildGraph(makeSpec(options));
  const fused = runPasses(primitive, programOf(512));

  it('each keep the logits', () => {
    const expected = run(primitive);
    for (const { pass, after } of stages(primitive)) expectSame(after, expected, pass.name);
  });

  it('leave nine operations a layer, or one of experts, and four around them', () => {
    const attention = ['operand_rows', 'matmul', 'append', 'attend_rows', 'matmul'];
    const dense = ['operand_rows', 'matmul', 'operand_rows', 'matmul'];
    const layer = [...attention, ...(options.experts ? expertRows(options) : dense)];
    const layers = makeSpec(options).layers.flatMap(() => layer);
    expect(kindsOf(fused)).toEqual(['embed_rows', ...layers, 'operand_rows', 'matmul', 'select_rows']);
  });

  it('give every product an operand with the rows of its output', () => {
    for (const op of fused.ops)
      if (op.kind === 'matmul') expect(op.input).toMatchObject({ rows: op.output.rows, form: 'operand' });
  });
});

const nth = (graph: Graph, kind: Op['kind'], n: number) => graph.ops.filter((op) => op.kind === kind)[n]!;

describe('a layer of many rows', () => {
  const spec = makeSpec({ ...FAMILIES.gemma2, gates: 'heads', layers: 2 });
  const layer = spec.layers[0]!;
  const graph = runPasses(buildGraph(spec), programOf(512));
  const epsilon = spec.normEpsilon;

  it('takes norms, and sums of what a norm made and the residual stream, as it makes operands', () => {
    const operands = graph.ops.filter((op) => op.kind === 'operand_rows');
    expect(operands.slice(0, 4)).toMatchObject([
      { input: { name: 'token_embd_scaled' }, norm: { weight: layer.attnNorm, epsilon } },
      {
        input: { name: 'blk.0.attn_output' },
        inputSum: {
          norm: { weight: layer.attnPostNorm },
          residual: { name: 'token_embd_scaled' },
          output: { name: 'blk.0.ffn_inp' },
        },
        norm: { weight: layer.ffnNorm },
      },
      { input: { name: 'blk.0.ffn_geglu' }, output: { name: 'blk.0.ffn_geglu_f16', form: 'operand' } },
      { inputSum: { residual: { name: 'blk.0.ffn_inp' }, output: { name: 'blk.0.l_out' } } },
    ]);
    expect(operands[2]).not.toHaveProperty('norm');
    expect(operands.at(-1)!.inputSum).not.toHaveProperty('output');
  });

  it('takes of the last sum the rows whose logits are wanted', () => {
    const [last, head, choice] = graph.ops.slice(-3);
    expect(last).toMatchObject({
      input: { rows: 'token' },
      output: { rows: 'output' },
      norm: { weight: spec.outputNorm },
    });
    expect(head).toMatchObject({ input: { name: 'output_norm_f16' }, softCap: 3, output: graph.logits });
    expect(choice).toEqual({ kind: 'select_rows', logits: graph.logits });
  });

  it('appends first, and attends with the gates that stand after v', () => {
    const [append, attend] = [nth(graph, 'append', 0), nth(graph, 'attend_rows', 0)];
    expect(append).toMatchObject({
      scale: 0.3,
      gates: 2,
      rests: true, // of weights in F32
      output: { name: 'blk.0.attn_query', cols: 2 * (2 * 16), form: 'f16' },
    });
    expect(attend).toMatchObject({
      gates: 2,
      rests: true,
      softCap: 5,
      qkv: { name: 'blk.0.attn_qkv' },
      output: { form: 'operand' },
    });
    expect(nth(graph, 'matmul', 1)).toMatchObject({ input: { name: 'blk.0.attn_gated_f16' } });
  });
});

describe('two halves of a layer side by side', () => {
  const spec = { ...makeSpec({ ...FAMILIES.starcoder2, layers: 1 }), parallel: true as const };
  const layer = spec.layers[0]!;
  const operandsOf = (ffnNorm: typeof layer.ffnNorm) => {
    const { ffnNormBias: _, attnNormBias: __, ...rest } = layer;
    const graph = runPasses(
      buildGraph({ ...spec, layers: [{ ...rest, ffnNorm }] as ModelSpec['layers'] }),
      programOf(8),
    );
    const products = graph.ops.filter((op) => op.kind === 'matmul');
    return [products[0]!.input, products[2]!.input];
  };

  it('share the operand of a norm that both name', () => {
    const [ofAttention, ofFeedForward] = operandsOf({ ...layer.attnNorm! });
    expect(ofAttention).toBe(ofFeedForward);
    expect(ofAttention!.name).toBe('blk.0.attn_norm_f16');
  });

  it('have one each of norms of their own', () => {
    const [ofAttention, ofFeedForward] = operandsOf(layer.ffnNorm);
    expect(ofAttention).not.toBe(ofFeedForward);
  });
});

describe('a norm of many rows', () => {
  const weight = (rows: number) => ({ ...makeSpec().output, name: `w${rows}`, rows, cols: 4 });
  const value = (id: number, rows: Value['rows'] = 'token') => ({ id, name: `v${id}`, rows, cols: 4 }) as const;
  const [y, x, sum, b] = [0, 1, 2, 4].map((id) => value(id));
  const norm: Norm = { weight: weight(1), epsilon: 0 };
  const normed: NormAdd = { kind: 'norm_add', input: y!, norm, output: sum! };
  const added: NormAdd = { ...normed, residual: x! };
  const operand: OperandRows = { kind: 'operand_rows', input: sum!, output: { ...value(5), form: 'operand' } };
  const wanted: OperandRows = { ...operand, output: { ...value(6, 'output'), form: 'operand' } };
  const other = { kind: 'gelu', input: sum!, output: b! } as const;
  const fold = (name: string, ...ops: Op[]) =>
    order.find((pass) => pass.name === name)!.run({ ops, logits: b!, manyRows: true }).ops;

  it('goes into the operand that alone reads it, of all rows or of those that are wanted', () => {
    for (const reader of [operand, wanted])
      expect(fold('fold_operand_norm', normed, reader)).toEqual([{ ...reader, input: y, norm }]);
  });

  it.each<[string, Op[]]>([
    ['that something else reads', [normed, operand, other]],
    ['that two operands read', [normed, operand, wanted]],
    ['of an operand that has one', [normed, { ...operand, norm }]],
    ['of an operand of a sum', [normed, { ...operand, inputSum: { norm, residual: x! } }]],
    ['that adds something', [added, operand]],
  ])('stays, %s', (_, ops) => expect(fold('fold_operand_norm', ...ops)).toEqual(ops));

  it('goes with what it adds into the first operand that reads the sum, which leaves it to others', () => {
    const inputSum = { norm, residual: x };
    expect(fold('fold_operand_sum', added, operand)).toEqual([{ ...operand, input: y, inputSum }]);
    expect(fold('fold_operand_sum', added, wanted)).toEqual([{ ...wanted, input: y, inputSum }]);
    expect(fold('fold_operand_sum', added, operand, other)).toEqual([
      { ...operand, input: y, inputSum: { ...inputSum, output: sum } },
      other,
    ]);
  });

  it.each<[string, Op[]]>([
    ['about the mean', [{ ...added, norm: { ...norm, centred: true } }, operand]],
    ['with a bias', [{ ...added, norm: { ...norm, bias: weight(1) } }, operand]],
    ['of nothing added', [normed, operand]],
    ['before a norm about the mean', [added, { ...operand, norm: { ...norm, centred: true } }]],
    ['that something else reads first', [added, other, operand]],
    ['of which all rows are read after those that are wanted', [added, wanted, other]],
  ])('stays with what it adds, %s', (_, ops) => expect(fold('fold_operand_sum', ...ops)).toEqual(ops));
});

describe('an attention of many rows', () => {
  const value = (id: number, cols: number) => ({ id, name: `v${id}`, rows: 'token', cols }) as const;
  const [qkv, output] = [value(0, 12), value(1, 4)];
  const attend: Attend = {
    ...{ kind: 'attend', qkv, output, headCount: 1, headCountKv: 1, headSize: 4, scale: 1 },
    cache: { id: 0, layer: 0, kind: 'kv', heads: 1, headSize: 4 },
  };
  const operand: OperandRows = { kind: 'operand_rows', input: output, output: { ...value(2, 4), form: 'operand' } };
  const split = (...ops: Op[]) =>
    order.find(({ name }) => name === 'split_attend')!.run({ ops, logits: output, manyRows: true }).ops;

  it('writes the operand itself', () => {
    const [append, attended, ...rest] = split(attend, operand);
    expect([append, attended]).toMatchObject([
      { kind: 'append', qkv },
      { kind: 'attend_rows', output: operand.output },
    ]);
    expect(rest).toEqual([]);
  });

  it.each<[string, Op[]]>([
    ['something else reads it', [attend, operand, { kind: 'gelu', input: output, output: value(3, 4) }]],
    ['it is normed first', [attend, { ...operand, norm: { weight: makeSpec().outputNorm, epsilon: 0 } }]],
    ['only wanted rows are read', [attend, { ...operand, output: { ...operand.output, rows: 'output' } }]],
  ])('stays as it is where %s', (_, ops) => expect(split(...ops)).toEqual(ops));
});

describe('experts of many rows', () => {
  const spec = makeSpec({ ...FAMILIES.qwen2moe, layers: 1 });
  const layer = spec.layers[0]!;
  const graph = runPasses(buildGraph(spec), programOf(8));
  const experts = graph.ops.filter((op) => op.kind === 'matmul' && op.experts);

  it('are chosen by the norm that their operand takes too, which a shared expert shares', () => {
    const [operand, route] = [nth(graph, 'operand_rows', 1), nth(graph, 'route_rows', 0)];
    const norm = { weight: layer.ffnNorm };
    expect(operand).toMatchObject({ input: { name: 'blk.0.ffn_inp' }, norm });
    expect(route).toMatchObject({ input: { name: 'blk.0.ffn_inp' }, norm, output: { cols: 2 * 3 + 1 } });
    expect(route).toMatchObject({ segments: [{ weights: [layer.ffnRouter] }, { weights: [layer.ffnSharedRouter] }] });
    const readers = graph.ops.filter((op) => 'input' in op && 'output' in operand && op.input === operand.output);
    expect(readers.map(({ kind }) => kind)).toEqual(['scatter_rows', 'matmul']);
  });

  it('have a row for each pair between the places of rows and their sum', () => {
    const sort = nth(graph, 'sort_rows', 0);
    const pairs = { experts: 5, used: 3 };
    expect(sort).toMatchObject({ output: { rows: 'token', cols: 3, form: 'i32' }, tiles: { rows: pairs } });
    expect(experts).toMatchObject([
      { input: { rows: pairs }, activation: 'silu_mul', experts: { count: 5 }, output: { rows: pairs, cols: 10 } },
      { input: { rows: pairs }, experts: { count: 5 }, output: { rows: pairs, cols: 12 } },
    ]);
    expect(nth(graph, 'combine_rows', 0)).toMatchObject({
      gated: true,
      shared: { name: 'blk.0.ffn_shexp' },
      residual: { name: 'blk.0.ffn_inp' },
      output: { rows: 'token', name: 'blk.0.l_out' },
    });
  });

  it('take the sum that a norm after attention makes, of which the router reads what the operand leaves', () => {
    const after = runPasses(buildGraph(makeSpec(FAMILIES.afmoe)), programOf(8));
    const sum = nth(after, 'operand_rows', 1);
    const inputSum = { output: { name: 'blk.0.ffn_inp' } };
    expect(sum).toMatchObject({ input: { name: 'blk.0.attn_output' }, inputSum });
    expect(nth(after, 'route_rows', 0)).toMatchObject({ input: { name: 'blk.0.ffn_inp' } });
  });

  it('stay as they are in the program of a token, and where their router does more', () => {
    const { run } = order.find(({ name }) => name === 'split_experts')!;
    const token = runPasses(buildGraph(spec));
    expect(run(token)).toEqual(token);
    const before = order.slice(
      0,
      order.findIndex(({ name }) => name === 'split_experts'),
    );
    const lowered = before.reduce((from, pass) => pass.run(from), buildGraph(spec));
    const scaled = lowered.ops.map((op) =>
      op.kind === 'projection' && op.output.name.includes('moe_logits') ? { ...op, scale: 2 } : op,
    );
    expect(run({ ...lowered, ops: scaled }).ops).toEqual(scaled);
  });

  it('read the list of tiles early, which only a node that waits before them makes possible', () => {
    const plan = (ops: readonly Op[]) =>
      lower(spec, runPasses(buildGraph(spec)), hostTarget(), {
        ...{ contextLength: 64, compilerVersion: '0.0.0' },
        manyRows: { programs: [programOf(8)], graph: { ...graph, ops } },
      });
    expect(() => plan(graph.ops)).not.toThrow();
    const scatter = nth(graph, 'scatter_rows', 0) as Extract<Op, { kind: 'scatter_rows' }>;
    const operand = nth(graph, 'operand_rows', 1) as OperandRows;
    const other: OperandRows = {
      ...{ kind: 'operand_rows', input: operand.input, output: scatter.output },
      tiles: (nth(graph, 'sort_rows', 0) as Extract<Op, { kind: 'sort_rows' }>).tiles,
    };
    expect(() => plan(graph.ops.map((op) => (op === scatter ? other : op)))).toThrow(
      /reads .*_tiles before its wait, and no node that waits is between them/,
    );
  });
});

describe('a product of many rows', () => {
  it('is made of no projection that chooses a token or experts', () => {
    const graph = runPasses(buildGraph(makeSpec(FAMILIES.mixtral)));
    const { run } = order.find(({ name }) => name === 'make_operands')!;
    const kept = (op: Op) => op.kind === 'projection' && (op.best ?? op.router ?? op.norm ?? op.inputSum) !== undefined;
    expect(run(graph).ops.filter(kept)).toEqual(graph.ops.filter(kept));
  });
});

describe('any primitive graph', () => {
  it('is left with its meaning and within the rules by each pass, in any order', () => {
    const shuffled = fc.shuffledSubarray([...order], { minLength: order.length });
    fc.assert(
      fc.property(primitiveGraph, fc.oneof(fc.constant([...order]), shuffled), (graph, list) => {
        const expected = run(graph);
        for (const { pass, after } of stages(graph, list)) {
          verifyGraph(after);
          expectSame(after, expected, pass.name);
        }
      }),
      { numRuns: 150 },
    );
  });
});
