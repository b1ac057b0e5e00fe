/** What is emitted of programs of many rows, and that nothing is where there are none. */
import { describe, expect, it } from 'vitest';
import { render } from '../../compiler/emit/render.js';
import { buildGraph } from '../../compiler/graph/build.js';
import { programOf } from '../../compiler/ir/programs.js';
import { runPasses } from '../../compiler/passes/index.js';
import { lower } from '../../compiler/plan/lower.js';
import { hostTarget } from '../../compiler/target/target.js';
import { FAMILIES, makeSpec } from '../support/specs.js';

const spec = makeSpec({ ...FAMILIES.gemma2, layers: 3 });
const primitive = buildGraph(spec);
const programs = [8, 128].map(programOf);
const options = { contextLength: 64, compilerVersion: '1.2.3' };
const fused = runPasses(primitive);
const alone = lower(spec, fused, hostTarget(), options);
const plan = lower(spec, fused, hostTarget(), {
  ...options,
  manyRows: { programs, graph: runPasses(primitive, programs[0]) },
});
const [graph, kernels] = ['graph.cpp', 'kernels.cu'].map((name) => render(plan).get(name)!) as [string, string];

describe('programs of many rows', () => {
  it('are in graph.cpp after that of a token, with their rows, tiles and logits', () => {
    expect(graph).toContain('.programs = {token_program(), batch_8_program(), prompt_128_program(), load_program()},');
    const { tileRows, logitsOffset } = plan.programs[2]!;
    expect(graph).toContain(
      `Program program = {.name = "prompt", .rows = 128, .outputs = 64, .tile_rows = ${tileRows}, .logits_offset = ${logitsOffset}, .buckets = {}};`,
    );
    expect(graph).toContain('Program program = {.name = "load", .rows = 0, .outputs = 0, .buckets = {}};');
  });

  it('share a step in the state', () => {
    const { offset } = plan.state.find(({ part }) => part === 'step')!;
    expect(graph).toContain(`.step_offset = ${offset},\n    .max_rows = 128,\n    .max_outputs = 64,\n`);
  });

  it('name what is no tensor of the weights by its place', () => {
    const { args } = plan.programs[3]!.nodes.find(({ name }) => name === 'logits_largest')!;
    expect(graph).toContain(`{"largest", weights + ${args.find(({ name }) => name === 'largest')!.offset}}`);
  });

  it('have kernels that say which nodes run them', () => {
    for (const { symbol } of plan.kernels) expect(kernels).toContain(`REALIZAR_KERNEL(${symbol}, `);
    expect(kernels).toContain('matmul/kernel.cuh"\n');
    expect(kernels).toMatch(/\/\/ blk\.0\.attn_kqv_f16 \(and 1 more\): .*newest 3 -> operand/);
  });
});

it('are not spoken of where there are none', () => {
  const files = render(alone);
  expect(files.get('graph.cpp')).not.toMatch(/step_offset|tile_rows|, weights \+/);
  expect(files.get('kernels.cu')).not.toMatch(/matmul|embed_rows|operand_rows/);
});
