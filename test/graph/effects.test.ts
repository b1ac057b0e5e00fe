import { describe, expect, it } from 'vitest';
import { buildGraph } from '../../compiler/graph/build.js';
import { type Graph, type Op, reads, writes } from '../../compiler/graph/graph.js';
import type { Value } from '../../compiler/ir/ops.js';
import type { InputSum } from '../../compiler/kernels/input.js';
import type { RouterShare } from '../../compiler/kernels/router.js';
import { runPasses } from '../../compiler/passes/index.js';
import { FAMILIES, makeSpec } from '../support/specs.js';

const primitive = buildGraph(makeSpec(FAMILIES.qwen3));
const fused = runPasses(primitive);
const summed = runPasses(buildGraph(makeSpec(FAMILIES.gemma2)));
const experts = buildGraph(makeSpec({ ...FAMILIES.qwen2moe, sinks: true }));
const routed = runPasses(buildGraph(makeSpec(FAMILIES.mixtral)));

const isValue = (field: unknown): field is Value =>
  typeof field === 'object' && field !== null && 'rows' in field && typeof field.rows === 'string';
const find = (graph: Graph, kind: Op['kind']) => graph.ops.find((op) => op.kind === kind)!;

describe('reads and writes', () => {
  it('together name every value that stands in an operation', () => {
    for (const op of [primitive, fused, summed, experts, runPasses(experts), routed].flatMap(({ ops }) => ops)) {
      const entries = Object.entries(op).flatMap(([key, field]) =>
        key === 'inputSum' || key === 'router'
          ? Object.entries(field as InputSum | RouterShare).map(([part, field]) => [`${key} ${part}`, field])
          : [[key, field]],
      );
      const fields = entries.map(([, field]) => field).filter(isValue);
      const written = entries.flatMap(([key, field]) =>
        /^(output|best|inputSum output|router logits)$/.test(key) ? [field] : [],
      );
      const expected = op.kind === 'select_best' ? [] : written;
      expect(writes(op).values).toEqual(expected);
      expect(reads(op).values).toEqual(fields.filter((field) => !expected.includes(field)));
    }
  });

  it('name a value once for each operand that it is', () => {
    const a = { id: 0, name: 'a', rows: 'token', cols: 1 } as const;
    expect(reads({ kind: 'add', a, b: a, output: { ...a, id: 1, name: 'b' } }).values).toEqual([a, a]);
  });

  it.each<[Op['kind'], Graph, string[], string[]]>([
    ['embed', primitive, ['state'], []],
    ['rope', primitive, ['state'], []],
    ['kv_append', primitive, ['state'], ['cache.0']],
    ['attention', primitive, ['state', 'cache.0'], []],
    ['select', primitive, ['state'], ['state']],
    ['linear', primitive, [], []],
    ['attend', fused, ['state', 'cache.0'], ['cache.0']],
    ['projection', fused, [], []],
    ['select_best', fused, ['state'], ['state']],
  ])('%s touches the state and the KV cache as its kernel does', (kind, graph, read, written) => {
    expect(reads(find(graph, kind)).resources).toEqual(read);
    expect(writes(find(graph, kind)).resources).toEqual(written);
  });
});
