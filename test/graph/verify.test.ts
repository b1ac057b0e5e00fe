import { describe, expect, it } from 'vitest';
import { buildGraph } from '../../compiler/graph/build.js';
import type { Graph, Op } from '../../compiler/graph/graph.js';
import { verifyFused, verifyGraph, verifyPrimitive } from '../../compiler/graph/verify.js';
import type { Rows, Value } from '../../compiler/ir/ops.js';
import type { InputSum } from '../../compiler/kernels/input.js';
import { runPasses } from '../../compiler/passes/index.js';
import { FAMILIES, makeSpec } from '../support/specs.js';

const spec = makeSpec({ ...FAMILIES.qwen3, qkvBias: true, ropeFactors: true });
const primitive = buildGraph(spec);
const fused = runPasses(primitive);

type OpOf<K extends Op['kind']> = Extract<Op, { kind: K }>;
const find = <K extends Op['kind']>(graph: Graph, kind: K, nth: number) =>
  graph.ops.filter((op): op is OpOf<K> => op.kind === kind)[nth]!;

/** The graph with its nth operation of a kind replaced. */
function change<K extends Op['kind']>(graph: Graph, kind: K, nth: number, edit: (op: OpOf<K>) => Op[]): Graph {
  const target = find(graph, kind, nth);
  return { ...graph, ops: graph.ops.flatMap((op) => (op === target ? edit(target) : [op])) };
}

const patch = <K extends Op['kind']>(graph: Graph, kind: K, nth: number, fields: Partial<OpOf<K>>) =>
  change(graph, kind, nth, (op) => [{ ...op, ...fields }]);
const without = (graph: Graph, kind: Op['kind'], nth: number) => change(graph, kind, nth, () => []);
const twice = (graph: Graph, kind: Op['kind'], nth: number) => change(graph, kind, nth, (op) => [op, op]);
const swapped = (graph: Graph, i: number): Graph => {
  const [a, b] = [graph.ops[i]!, graph.ops[i + 1]!];
  return { ...graph, ops: [...graph.ops.slice(0, i), b, a, ...graph.ops.slice(i + 2)] };
};
const newValue = (name: string, cols: number, rows: Rows = 'token'): Value => ({ id: 10_000, name, rows, cols });

describe('the rules of every graph', () => {
  const embedded = find(primitive, 'embed', 0).output;
  const q = find(primitive, 'linear', 0);
  const k = find(primitive, 'linear', 1);
  const append = find(primitive, 'kv_append', 0);
  const second = find(primitive, 'kv_append', 1).cache;
  const third = { ...second, id: 2 };
  const head = primitive.ops.findLast((op) => op.kind === 'linear')!;
  const other = newValue('other', head.output.cols, 'output');
  const summed = runPasses(buildGraph(makeSpec(FAMILIES.gemma2)));
  const best = newValue('best', 0, 'output');
  const cases: [rule: string, what: string, graph: Graph][] = [
    ['unique', 'an id twice', patch(primitive, 'linear', 1, { output: { ...k.output, id: q.output.id } })],
    ['unique', 'a name twice', patch(primitive, 'linear', 1, { output: { ...k.output, name: q.output.name } })],
    ['written-once', 'a value written again', twice(primitive, 'norm', 0)],
    ['read-written', 'a value read before it is written', swapped(primitive, 1)],
    ['read-written', 'a value that nothing writes', without(primitive, 'embed', 0)],
    ['read-written', 'a copy of what was written', patch(primitive, 'linear', 0, { input: { ...q.input } })],
    ['no-dead-value', 'a value that nothing reads', without(primitive, 'kv_append', 0)],
    [
      'no-dead-value',
      'a sum of an input that nothing reads',
      change(summed, 'projection', 8, (op) => [{ ...op, inputSum: { ...op.inputSum!, output: newValue('sum', 12) } }]),
    ],
    ['no-dead-value', 'a best that nothing reads', patch(fused, 'projection', 0, { best })],
    [
      'size',
      'an empty value',
      patch(primitive, 'embed', 0, { weight: { ...spec.output, cols: 0 }, output: { ...embedded, cols: 0 } }),
    ],
    ['size', 'a best that has a size', patch(fused, 'projection', 8, { best: { ...best, cols: 8 } })],
    ['cache', 'an append twice', twice(primitive, 'kv_append', 1)],
    ['cache', 'an append after the attention', swapped(primitive, primitive.ops.indexOf(append))],
    [
      'cache',
      'a cache that nothing attends to',
      { ...primitive, ops: [...primitive.ops, { ...append, cache: third }] },
    ],
    ['cache', 'an attention to a later cache', patch(primitive, 'attention', 0, { cache: second })],
    ['cache', 'an id left out', patch(fused, 'attend', 1, { cache: third })],
    ['cache', 'a cache twice', patch(fused, 'attend', 1, { cache: append.cache })],
    [
      'shape',
      'a cache of other heads',
      patch(primitive, 'attention', 0, { headCountKv: 1, cache: { ...append.cache, heads: 4 } }),
    ],
    [
      'rows',
      'a row a token of what has a row an output',
      patch(primitive, 'linear', 0, { input: { ...q.input, rows: 'output' } }),
    ],
    ['rows', 'logits with a row a token', { ...primitive, logits: embedded }],
    ['select', 'no operation at all', { ...primitive, ops: [] }],
    ['select', 'no select', without(primitive, 'select', 0)],
    ['select', 'two selects', twice(primitive, 'select', 0)],
    ['select', 'a select that is not last', { ops: [...primitive.ops, { ...head, output: other }], logits: other }],
    ['select', 'a select of something else', patch(primitive, 'select', 0, { logits: embedded })],
    [
      'select',
      'the best of something else',
      change(patch(patch(fused, 'projection', 0, { best }), 'select_best', 0, { best }), 'projection', 8, (op) => {
        const { best: _, ...plain } = op;
        return [plain];
      }),
    ],
  ];

  it.each(cases)('%s: %s', (rule, _, graph) => {
    expect(() => verifyGraph(graph)).toThrow(`IR rule "${rule}" broken`);
  });
});

describe('the rule about shapes', () => {
  const vector = (cols: number) => ({ ...spec.outputNorm, cols });
  const matrix = (rows: number, cols: number) => ({ ...spec.output, rows, cols });
  const norm = (cols: number, epsilon = 1e-5) => ({ weight: vector(cols), epsilon });
  const rope = { ...spec.layers[0]!.rope! };
  const { segments } = find(fused, 'projection', 0);
  const gateUp = find(fused, 'projection', 2).segments[0]!;
  const routed = buildGraph(makeSpec(FAMILIES.qwen2moe));
  const summed = runPasses(routed);
  const route = find(routed, 'route', 0);
  const postNormed = runPasses(buildGraph(makeSpec(FAMILIES.gemma2)));
  const { inputSum } = find(postNormed, 'projection', 2);
  const sumOf = (fields: Partial<InputSum>) =>
    patch(postNormed, 'projection', 2, { inputSum: { ...inputSum!, ...fields } });
  const biased = { ...norm(12), bias: vector(12) };
  const folded = runPasses(buildGraph(makeSpec(FAMILIES.mixtral)));
  const { router } = find(folded, 'projection', 1);
  const cases: [what: string, graph: Graph][] = [
    ['a router of another width', patch(folded, 'projection', 1, { router: { ...router!, weight: matrix(4, 13) } })],
    ['a router with other logits', patch(folded, 'projection', 1, { router: { ...router!, weight: matrix(5, 12) } })],
    ['a router after a norm with a bias', patch(folded, 'projection', 1, { router: { ...router!, norm: biased } })],
    ['accumulated logits and a selection', patch(folded, 'experts', 0, { selection: vector(4) })],
    ['more experts used than there are', patch(routed, 'route', 0, { used: 6, output: { ...route.output, cols: 12 } })],
    ['experts without a logit', patch(routed, 'route', 0, { count: 6 })],
    ['experts of other rows', patch(routed, 'expert_linear', 0, { count: 6 })],
    ['experts with a bias for one', patch(routed, 'expert_linear', 0, { bias: vector(10) })],
    ['a sum of other experts', patch(routed, 'expert_sum', 0, { used: 2 })],
    ['a gate of many', patch(routed, 'sigmoid_scale', 0, { gate: find(routed, 'embed', 0).output })],
    ['summed experts of one input', patch(summed, 'experts', 1, { input: find(summed, 'embed', 0).output })],
    ['a gate without a logit', patch(summed, 'experts', 1, { logits: find(summed, 'embed', 0).output })],
    [
      'experts that are not summed with a residual',
      patch(summed, 'experts', 0, { residual: find(summed, 'embed', 0).output }),
    ],
    ['sinks of other heads', patch(primitive, 'attention', 0, { sinks: vector(3) })],
    ['an embedding of another width', patch(primitive, 'embed', 0, { weight: matrix(23, 13) })],
    ['a norm of another width', patch(primitive, 'norm', 0, { norm: norm(11) })],
    ['a norm weight that is a matrix', patch(primitive, 'norm', 0, { norm: { ...norm(12), weight: matrix(2, 12) } })],
    ['a negative epsilon', patch(primitive, 'norm', 0, { norm: norm(12, -1) })],
    ['an epsilon that is no number', patch(primitive, 'norm', 0, { norm: norm(12, Number.NaN) })],
    ['a head size that does not divide', patch(primitive, 'norm', 1, { headSize: 5, norm: norm(5) })],
    ['a linear with other rows', patch(primitive, 'linear', 0, { weight: matrix(31, 12) })],
    ['a linear with other columns', patch(primitive, 'linear', 0, { weight: matrix(32, 11) })],
    ['a bias of another length', patch(primitive, 'linear', 0, { bias: vector(31) })],
    ['a rope with an odd number of dimensions', patch(primitive, 'rope', 0, { rope: { ...rope, dimensions: 7 } })],
    ['a rope wider than the head', patch(primitive, 'rope', 0, { rope: { ...rope, dimensions: 10 } })],
    ['a rope of base 0', patch(primitive, 'rope', 0, { rope: { ...rope, base: 0 } })],
    ['too few rope factors', patch(primitive, 'rope', 0, { rope: { ...rope, factors: vector(3) } })],
    ['a key unlike its value', patch(primitive, 'kv_append', 0, { value: find(primitive, 'embed', 0).output })],
    ['more heads than the query has', patch(primitive, 'attention', 0, { headCount: 8 })],
    ['kv heads that do not divide', patch(primitive, 'attention', 0, { headCountKv: 3 })],
    ['a sum of two sizes', patch(primitive, 'add', 0, { b: find(primitive, 'linear', 0).output })],
    ['a gate unlike its up', patch(primitive, 'silu_mul', 0, { gate: find(primitive, 'embed', 0).output })],
    ['a projection without segments', patch(fused, 'projection', 0, { segments: [] })],
    ['a projection with a segment missing', patch(fused, 'projection', 0, { segments: segments.slice(1) })],
    ['a segment without its bias entry', patch(fused, 'projection', 2, { segments: [{ ...gateUp, biases: [] }] })],
    ['an activation of one weight', patch(fused, 'projection', 0, { activation: 'silu_mul' })],
    ['a residual of another size', patch(fused, 'projection', 1, { residual: find(fused, 'projection', 0).output })],
    ['a folded norm of another width', patch(fused, 'projection', 0, { norm: norm(11) })],
    ['a sum of the input with a norm of another width', sumOf({ norm: norm(11) })],
    ['a sum of the input with a norm about the mean', sumOf({ norm: { ...norm(12), centred: true } })],
    ['a sum of the input with a bias', sumOf({ norm: { ...norm(12), bias: vector(12) } })],
    ['a sum of the input with something of another size', sumOf({ residual: find(postNormed, 'attend', 0).output })],
    ['a sum of another size than the input', sumOf({ output: newValue('sum', 11) })],
    [
      'a sum of the input before a norm about the mean',
      patch(postNormed, 'projection', 2, { norm: { ...norm(12), centred: true } }),
    ],
    ['an attend of another split', patch(fused, 'attend', 0, { headCountKv: 1 })],
    ['a query norm of another width', patch(fused, 'attend', 0, { queryNorm: norm(7) })],
    ['a key norm of another width', patch(fused, 'attend', 0, { keyNorm: norm(7) })],
  ];

  it.each(cases)('%s', (_, graph) => {
    expect(() => verifyGraph(graph)).toThrow('IR rule "shape" broken');
  });

  it('names the operation, what was found and what was needed', () => {
    const graph = patch(primitive, 'linear', 0, { weight: matrix(31, 12) });
    expect(() => verifyGraph(graph)).toThrow(
      'IR rule "shape" broken by linear of blk.0.attn_q: output is 32, output.weight rows is 31',
    );
  });
});

describe('the two forms', () => {
  it('each take their own operations and refuse those of the other', () => {
    expect(() => verifyPrimitive(primitive)).not.toThrow();
    expect(() => verifyFused(fused)).not.toThrow();
    expect(() => verifyPrimitive(fused)).toThrow('IR rule "primitive" broken by projection of blk.0.attn_qkv');
    expect(() => verifyFused(primitive)).toThrow('IR rule "fused" broken by norm of blk.0.attn_norm');
  });
});
