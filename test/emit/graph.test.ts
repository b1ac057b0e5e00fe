/** graph.cpp, compiled, has what plan.json has: layers that are stated once are all there again. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { render } from '../../compiler/emit/render.js';
import { buildGraph } from '../../compiler/graph/build.js';
import { runPasses } from '../../compiler/passes/index.js';
import { lower } from '../../compiler/plan/lower.js';
import type { Plan, PlannedProgram } from '../../compiler/plan/plan.js';
import { cudaTarget, hostTarget } from '../../compiler/target/target.js';
import { ROOT } from '../support/artifacts.js';
import { compileEach } from '../support/cxx.js';
import { emptyFolder } from '../support/folders.js';
import { FAMILIES, makeSpec, type SpecOptions } from '../support/specs.js';
import { temporaryFolder } from '../support/tiny_models.js';

const run = promisify(execFile);
const TARGETS = { cuda: cudaTarget(['sm_90a']), host: hostTarget() };

function planOf(options: SpecOptions, kind: 'cuda' | 'host', contextLength: number): Plan {
  const spec = makeSpec(options);
  return lower(spec, runPasses(buildGraph(spec)), TARGETS[kind], { contextLength, compilerVersion: '1.2.3' });
}

/** What print_artifact.cpp should say. */
function expected(plan: Plan) {
  const symbol = (kernel: number) => plan.kernels[kernel]!.symbol;
  const tensorAt = (offset: number) => plan.tensors.find(({ deviceOffset }) => deviceOffset === offset)!.name;
  const programOf = ({ name, rows, outputs, buckets, nodes }: PlannedProgram) => ({
    ...{ name, rows, outputs, buckets: buckets.map(({ positions }) => positions) },
    nodes: nodes.map(({ name, kernel, args, after, about: _, ...node }, index) => {
      const replaced = buckets.map(({ kernels }) => kernels.find(({ node }) => node === index)?.kernel);
      return {
        ...{ name, kernel: symbol(kernel), ...node },
        bucketKernels: replaced.some((one) => one !== undefined) ? replaced.map((one) => symbol(one ?? kernel)) : [],
        after: after.map(({ from, programmatic }) => [index - from, programmatic]),
        args: args.map(({ name, region, offset }) =>
          region === 'weights' ? [name, tensorAt(offset)] : [name, region, offset],
        ),
      };
    }),
  });
  return {
    kernels: [
      ...plan.kernels.map(({ symbol, launch: { blocks, threads, sharedBytes }, fields }) => ({
        symbol,
        launch: [blocks, threads, sharedBytes],
        fields,
      })),
      ...plan.loaders.map(({ symbol }) => ({ symbol, launch: [0, 0, 0], fields: [] })),
    ],
    programs: plan.programs.map(programOf),
    tensors: byName(plan.tensors).map((t) => ({
      ...{ name: t.name, fileOffset: t.fileOffset, fileBytes: t.fileBytes, rows: t.rows, cols: t.cols },
      ...{ deviceOffset: t.deviceOffset, loader: t.loader === null ? '' : plan.loaders[t.loader]!.symbol },
      tiles: t.loader === null ? [0, 0, 0, 0] : [t.rowsPerGroup, t.colsPerChunk, t.groupStride, t.chunkStride],
      byColumns: t.transposed ?? false,
    })),
  };
}

const byName = <T extends { readonly name: string }>(rows: readonly T[]): T[] =>
  [...rows].sort((a, b) => (a.name < b.name ? -1 : 1));

test.each([
  ['llama', FAMILIES.llama!, 'host', 4096],
  ['gemma2', FAMILIES.gemma2!, 'cuda', 4096],
  ['bailingmoe2', FAMILIES.bailingmoe2!, 'cuda', 64],
] as const)('the tables of %s', { timeout: 300_000 }, async (_, options, kind, contextLength) => {
  const plan = planOf({ ...options, layers: 5 }, kind, contextLength);
  const folder = emptyFolder(temporaryFolder);
  for (const [name, text] of render(plan)) writeFileSync(join(folder, name), text);
  const sources = [join(folder, 'graph.cpp'), join(ROOT, 'test/emit/print_artifact.cpp')];
  const flags = ['-std=c++20', '-O0', '-Wall', '-Wextra', '-Werror', `-I${join(ROOT, 'runtime')}`];
  const objects = await compileEach('g++', flags, sources, (source) => `${source.replace(/.*\//, `${folder}/`)}.o`);
  await run('g++', [...objects, '-o', join(folder, 'print')]);
  const printed = JSON.parse((await run(join(folder, 'print'), [])).stdout);
  expect({ ...printed, tensors: byName(printed.tensors) }).toEqual(expected(plan));
});
