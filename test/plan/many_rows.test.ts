import { describe, expect, it } from 'vitest';
import { buildGraph } from '../../compiler/graph/build.js';
import { programLabel, programOf } from '../../compiler/ir/programs.js';
import { runPasses } from '../../compiler/passes/index.js';
import { lower } from '../../compiler/plan/lower.js';
import type { Plan } from '../../compiler/plan/plan.js';
import { cudaTarget, hostTarget } from '../../compiler/target/target.js';
import { FAMILIES, makeSpec, type SpecOptions } from '../support/specs.js';

const TARGETS = [hostTarget(), cudaTarget(['sm_90a'])];
const ROWS = [8, 64, 512];
const families = Object.entries(FAMILIES).filter(([, { experts }]) => !experts);

function planOf(options: SpecOptions, target = TARGETS[1]!, rows: readonly number[] = ROWS): Plan {
  const spec = makeSpec(options);
  const primitive = buildGraph(spec);
  const programs = rows.map(programOf);
  const manyRows = rows.length > 0 ? { programs, graph: runPasses(primitive, programs[0]) } : undefined;
  return lower(spec, runPasses(primitive), target, { contextLength: 64, compilerVersion: '0.0.0', manyRows });
}

describe.each(families)('%s', (_, options) => {
  it.each(TARGETS)('plans programs that leave the token program as it is ($kind)', (target) => {
    const [alone, plan] = [planOf(options, target, []), planOf(options, target)];
    expect(plan.programs.map(programLabel)).toEqual(['token', 'batch_8', 'batch_64', 'prompt_512']);
    expect(plan.programs[0]).toEqual(alone.programs[0]);
    expect(plan.kernels.slice(0, alone.kernels.length)).toEqual(alone.kernels);
    expect(plan.caches).toEqual(alone.caches);
    expect(plan.tensors.map(({ scaleOffset: _, ...tensor }) => tensor)).toEqual(alone.tensors);
    expect(plan.memory.tokenReadBytes).toBe(alone.memory.tokenReadBytes);
  });

  it.each(TARGETS)('gives no two live buffers of a program the same bytes ($kind)', (target) => {
    const { memory, programs } = planOf({ ...options, layers: 3 }, target);
    for (const { buffers } of programs)
      for (const a of buffers) {
        expect(a.offset + a.bytes).toBeLessThanOrEqual(memory.arenaBytes);
        for (const b of buffers) {
          const together = a !== b && a.firstNode <= b.lastNode && b.firstNode <= a.lastNode;
          const overlap = a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
          expect(together && overlap, `${a.name} and ${b.name}`).toBe(false);
        }
      }
  });
});
