import { describe, expect, it } from 'vitest';
import { buildGraph } from '../../compiler/graph/build.js';
import { verifyPrimitive } from '../../compiler/graph/verify.js';
import { evaluate } from '../support/interpreter.js';
import { FAMILIES, makeSpec } from '../support/specs.js';

const kinds = (graph: ReturnType<typeof buildGraph>) => graph.ops.map((op) => op.kind);

describe('buildGraph', () => {
  it.each(Object.entries(FAMILIES))('follows the rules of primitive graphs: %s', (_, options) => {
    expect(() => verifyPrimitive(buildGraph(makeSpec(options)))).not.toThrow();
  });

  it('writes a layer in the order of the transformer', () => {
    const attention = ['norm', 'linear', 'linear', 'linear', 'rope', 'rope', 'kv_append', 'attention'];
    const rest = ['linear', 'add', 'norm', 'linear', 'linear', 'silu_mul', 'linear', 'add'];
    expect(kinds(buildGraph(makeSpec({ layers: 1 })))).toEqual([
      ...['embed', ...attention, ...rest],
      ...['norm', 'linear', 'select'],
    ]);
  });

  it('names values after the tensors they come from', () => {
    const graph = buildGraph(makeSpec({ layers: 2, queryNorm: true }));
    const names = graph.ops.flatMap((op) => ('output' in op ? [op.output.name] : []));
    expect(names).toContain('blk.0.attn_q');
    expect(names).toContain('blk.1.attn_q_norm');
    expect(names).not.toContain('blk.1.attn_k_norm');
    expect(graph.logits.name).toBe('logits');
  });

  it('uses each optional weight that the model has, and no other', () => {
    const biased = buildGraph(makeSpec(FAMILIES['every bias'])).ops.filter((op) => op.kind === 'linear' && op.bias);
    expect(biased).toHaveLength(7);
    const plain = buildGraph(makeSpec()).ops;
    expect(plain.some((op) => (op.kind === 'linear' && op.bias) || (op.kind === 'norm' && op.headSize))).toBe(false);
  });

  it('multiplies with the embedding where the model ties its output', () => {
    const spec = makeSpec({ tied: true });
    const last = buildGraph(spec).ops.findLast((op) => op.kind === 'linear');
    expect(last).toMatchObject({ weight: spec.tokenEmbedding });
  });

  it('sees positions: the same token again gives other logits', () => {
    const [first, second] = evaluate(buildGraph(makeSpec()), [5, 5], 0);
    expect(first!.logits).not.toEqual(second!.logits);
  });
});
