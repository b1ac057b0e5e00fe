/** What graphs mean, against the logits that an independent engine computed in float32 from the same weights. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { buildGraph } from '../../compiler/graph/build.js';
import type { Graph } from '../../compiler/graph/graph.js';
import { modelSpec } from '../../compiler/model/load.js';
import { runPasses } from '../../compiler/passes/index.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { evaluate } from '../support/interpreter.js';
import { nmse, readF32 } from '../support/nmse.js';
import { tensorRows } from '../support/tensor_rows.js';

const golden = fileURLToPath(new URL('../fixtures/golden', import.meta.url));

describe.each(['llama-f32', 'llama-tied-freqs-q8_0', 'qwen2-q8_0', 'qwen3-q8_0', 'mixtral-q8_0'])('%s', (name) => {
  const model = `${golden}/${name}.gguf`;
  const { tokens } = JSON.parse(readFileSync(`${golden}/${name}.json`, 'utf8')) as { tokens: number[] };
  const expected = readF32(`${golden}/${name}.logits.f32`);
  const graph = buildGraph(modelSpec(readGguf(model)));
  const logits = (graph: Graph) => evaluate(graph, tokens, 0, tensorRows(model)).flatMap((step) => [...step.logits]);

  it('has the right logits as it is built and as it is fused', () => {
    const built = logits(graph);
    expect(nmse(built, expected)).toBeLessThan(1e-12);
    expect(logits(runPasses(graph))).toEqual(built);
  });
});
