/** What the commands print for a person. */
import { relative, resolve } from 'node:path';
import type { CompileResult } from './compile.js';
import { FILES } from './emit/names.js';
import type { Plan } from './plan/plan.js';
import { alignColumns, formatBytes } from './text.js';

const PLAN_COLUMNS = ['#', 'node', 'kernel', 'grid', 'block', 'shared', 'after', 'what'];
const NUMBERS_RIGHT = [1, 0, 0, 1, 1, 1] as const;

/** The kernel sequence, a line a node. */
export function planTable(plan: Plan): string {
  const { model, memory, target } = plan;
  const rows = plan.nodes.map((node, index) => {
    const { symbol, launch } = plan.kernels[node.kernel]!;
    const after = node.after.map(({ from, programmatic }) => `${from}${programmatic ? 'p' : ''}`).join(' ');
    return [
      String(index),
      node.name,
      symbol.replace(/^realizar_/, ''),
      String(launch.blocks),
      String(launch.threads),
      formatBytes(launch.sharedBytes),
      after,
      node.about,
    ];
  });
  return [
    `${model.name}: ${model.architecture}, ${model.layerCount} layers, context ${model.contextLength}, ${target.archs.join(',') || target.kind}`,
    ...alignColumns([PLAN_COLUMNS, ...rows], NUMBERS_RIGHT),
    `${plan.nodes.length} nodes, ${plan.kernels.length} kernels; p: programmatic edge`,
    `weights ${formatBytes(memory.weightsBytes)}; a session: KV cache ${formatBytes(memory.kvCacheBytes)}, activations ${formatBytes(memory.arenaBytes)}`,
    '',
  ].join('\n');
}

export function compileSummary({ folder, plan, manifest, upToDate }: CompileResult, model: string): string {
  const inside = relative('.', folder) || '.';
  const where = inside.startsWith('..') ? resolve(folder) : inside;
  const { memory } = plan;
  const size = `${plan.nodes.length} nodes, weights ${formatBytes(memory.weightsBytes)}, KV cache ${formatBytes(memory.kvCacheBytes)} at ${plan.model.contextLength} positions`;
  const next =
    manifest.library === undefined
      ? `build it: cmake -S ${where} -B ${where}/build -DREALIZAR_RUNTIME=<runtime folder of realizar-compile> && cmake --build ${where}/build`
      : `run it: ${where}/${FILES.replay} --model ${model} --tokens 1,2,3`;
  return `${where}${upToDate ? ' is up to date' : ''}: ${size}\n${next}\n`;
}
