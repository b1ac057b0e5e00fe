/** What the commands print for a person. */
import { join, relative, resolve } from 'node:path';
import { FILES } from '../runtime/artifact_folder/names.js';
import { alignColumns, formatBytes } from '../runtime/common/text.js';
import { textLines } from '../runtime/text/check.js';
import { machineOf, THIS_MACHINE } from '../runtime/toolchain/machine.js';
import type { CompileResult } from './compile.js';
import type { GpusHere } from './gpus_here.js';
import { type InspectedNode, inspectNodes } from './inspect_nodes.js';
import { programLabel } from './ir/programs.js';
import type { Plan } from './plan/plan.js';
import { archFor, whyNot } from './target/architectures.js';
import { GPUS, type Gpu } from './target/gpus.js';

const NODE_COLUMNS = ['#', 'node', 'kernel', 'grid', 'block', 'shared'];
const NUMBERS_RIGHT = [1, 0, 0, 1, 1, 1] as const;

/** Nodes as rows under their columns' names, and which columns stand to the right. `after`: which nodes come before each. */
export function nodeRows(nodes: readonly InspectedNode[], after?: readonly string[]): [string[][], readonly (0 | 1)[]] {
  const rows = nodes.map(({ name, kernel, blocks, threads, sharedBytes, about }, index) => [
    String(index),
    name,
    kernel.replace(/^realizar_/, ''),
    String(blocks),
    String(threads),
    formatBytes(sharedBytes),
    ...(after ? [after[index]!] : []),
    about,
  ]);
  return [[[...NODE_COLUMNS, ...(after ? ['after'] : []), 'what'], ...rows], NUMBERS_RIGHT];
}

/** The kernel sequence, a line a node. */
export function planTable(plan: Plan): string {
  const { model, memory, target } = plan;
  const after = plan.programs[0].nodes.map((node) =>
    node.after.map(({ from, programmatic }) => `${from}${programmatic ? 'p' : ''}`).join(' '),
  );
  return [
    `${model.name}: ${model.architecture}, ${model.layerCount} layers, context ${model.contextLength}, ${targetText(target)}`,
    ...alignColumns(...nodeRows(inspectNodes(plan), after)),
    `${plan.programs[0].nodes.length} nodes, ${plan.kernels.length} kernels; p: programmatic edge`,
    ...programLines(plan),
    `weights ${formatBytes(memory.weightsBytes)}; a session: KV cache ${formatBytes(memory.kvCacheBytes)}, activations ${formatBytes(memory.arenaBytes)}`,
    '',
  ].join('\n');
}

/** Programs beside that of a token: named, with what they run, and those that the model cannot have. */
function programLines({ programs, leftOut }: Plan): string[] {
  const others = programs.slice(1).map((program) => `${programLabel(program)} (${program.nodes.length} nodes)`);
  const [first] = leftOut;
  return [
    ...(others.length > 0 ? [`other programs: ${others.join(', ')}`] : []),
    ...(first ? [`no ${leftOut.map(programLabel).join(', ')}: ${first.why}`] : []),
  ];
}

const targetText = ({ kind, archs, gpu }: Plan['target']): string =>
  `${archs.join(',') || kind}${gpu ? `, for ${gpu.name}` : ''}`;

/** The GPUs of this machine and of the table, a line each. */
export function gpuTable(here: GpusHere): string {
  const row = ({ name, capability, ...gpu }: Gpu) => [
    name,
    archFor(capability) ?? `none: ${whyNot(capability)}`,
    String(gpu.multiprocessors),
    formatBytes(gpu.sharedPerMultiprocessor),
    formatBytes(gpu.sharedBytes),
    formatBytes(gpu.l2Bytes),
    `${Math.round(gpu.bandwidth / 1e9)} GB/s`,
  ];
  const columns = ['GPU', 'arch', 'multiprocessors', 'shared', 'a block', 'L2', 'memory'];
  const right = [0, 0, 1, 1, 1, 1, 1] as const;
  const found =
    'problem' in here
      ? [`no GPU found here: ${here.problem}`]
      : [`here, by a driver of CUDA ${here.driver}:`, ...alignColumns([columns, ...here.gpus.map(row)], right)];
  const table = alignColumns([columns, ...GPUS.map(row)], right);
  const sources = [...new Set(GPUS.map(({ source }) => source))];
  return [...found, '', 'by name:', ...table, '', 'from:', ...sources, ''].join('\n');
}

export function compileSummary(result: CompileResult, model: string): string {
  const { folder, plan, upToDate } = result;
  const inside = relative('.', folder) || '.';
  const where = inside.startsWith('..') ? resolve(folder) : inside;
  const { memory } = plan;
  const size = `${plan.programs[0].nodes.length} nodes, weights ${formatBytes(memory.weightsBytes)}, KV cache ${formatBytes(memory.kvCacheBytes)} at ${plan.model.contextLength} positions`;
  const first = `${where}${upToDate ? ' is up to date' : ''}: ${size}`;
  return [first, ...textLines(result.text, model), nextStep(result, where, model)].join('\n');
}

/** For a shell, as it is where that does no harm. */
const quoted = (path: string): string => (/^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);

function nextStep({ folder, manifest, text }: CompileResult, shown: string, modelPath: string): string {
  const [where, model] = [quoted(shown), quoted(modelPath)];
  if (manifest.library === undefined)
    return `build it: cmake -S ${where} -B ${where}/build -DREALIZAR_RUNTIME=<runtime folder of realizar-compile> && cmake --build ${where}/build`;
  const machine = machineOf(join(folder, manifest.library));
  const run = machine === THIS_MACHINE ? 'run it' : `run it on ${machine}`;
  if (text.refusal !== null) return `${run}: ${where}/${FILES.replay} --model ${model} --tokens 1,2,3`;
  const chat = text.chat ? `, or npx realizar-run chat ${where}` : '';
  return `${run}: npx realizar-run ${where} -p "Once upon a time"${chat}`;
}
