/** Plan -> plain data for the templates: every decision is made here or before, templates only print. */

import { libraryFile, libraryName } from '../../runtime/artifact_folder/names.js';
import type { GgmlType } from '../../runtime/files/ggml.js';
import { cFloat, constants as constantLines } from '../kernels/fields.js';
import { kernelFor, TOKEN_KERNELS } from '../kernels/index.js';
import { GRIDS } from '../model/grids.js';
import type { PlannedLoader } from '../plan/loaders.js';
import type { Plan, PlannedKernel, PlannedNode } from '../plan/plan.js';
import { type HeaderConstant, headerConstants } from './constants.js';
import { type GraphView, graphView } from './graph.js';
import { comment, configStruct, cString, F16_CEILING_SYMBOL, gridTable, READ_CEILING_SYMBOL } from './names.js';

export interface View extends GraphView {
  readonly compilerVersion: string;
  readonly compilerVersionText: string;
  readonly archs: string;
  readonly readCeiling: string;
  readonly f16Ceiling: string | false;
  readonly title: string;
  readonly host: boolean;
  readonly library: string;
  readonly libraryFile: string;
  readonly gencode: string;
  readonly constants: readonly HeaderConstant[];
  /** Artifact's fields that are constants of model.h: before those of the target, and after. */
  readonly identity: readonly string[];
  readonly sizes: readonly string[];
  /** Files of runtime/kernels. */
  readonly includes: readonly string[];
  readonly kernels: readonly KernelView[];
  readonly loaders: readonly PlannedLoader[];
  /** Tables that the loaders of some formats need. */
  readonly grids: readonly { format: string; name: string; size: number; values: string }[];
  readonly parts: readonly { row: string }[];
}

interface KernelView {
  readonly symbol: string;
  readonly config: string;
  readonly about: string;
  readonly fields: readonly string[];
  readonly tables: readonly { name: string; values: string; size: number }[];
  readonly asserts: readonly string[];
  readonly threads: number;
  readonly blocksPerSm: number;
  readonly args: string;
  readonly body: string;
}

export function view(plan: Plan): View {
  const { model, target } = plan;
  const { loaders } = plan;
  const constants = headerConstants(plan);
  const fields = constants.filter(({ isField }) => isField).map(({ name }) => name);
  return {
    compilerVersion: cString(plan.compilerVersion),
    compilerVersionText: comment(plan.compilerVersion),
    archs: target.archs.join(','),
    readCeiling: READ_CEILING_SYMBOL,
    f16Ceiling: hasManyRows(plan) && F16_CEILING_SYMBOL,
    title: comment(`${model.name} (${model.architecture}) for ${targetName(plan)}`),
    host: target.kind === 'host',
    library: libraryName(model.name),
    libraryFile: libraryFile(model.name),
    gencode: target.archs.map((arch) => `-gencode arch=${arch.replace('sm', 'compute')},code=${arch}`).join(' '),
    constants,
    identity: fields.slice(0, 2),
    sizes: fields.slice(2),
    includes: includes(plan),
    kernels: plan.kernels.map((kernel) => kernelView(plan, kernel)),
    loaders,
    grids: grids(plan),
    ...graphView(plan),
    parts: (model.parts ?? []).map(({ name, bytes, headerBytes }) => ({
      row: `{.bytes = ${bytes}, .header_bytes = ${headerBytes}${name === undefined ? '' : `, .name = ${cString(name)}`}}`,
    })),
  };
}

/** The nodes that run a kernel: in any context, or only in those of up to so many positions. */
function usersOf(plan: Plan, kernel: PlannedKernel): { nodes: readonly PlannedNode[]; positions?: number } {
  const own = plan.kernels.indexOf(kernel);
  const nodes = plan.programs.flatMap((program) => program.nodes.filter((node) => node.kernel === own));
  if (nodes.length > 0) return { nodes };
  const { nodes: all, buckets } = plan.programs[0];
  const bucket = buckets.find(({ kernels }) => kernels.some((replaced) => replaced.kernel === own))!;
  const replaced = bucket.kernels.filter((replaced) => replaced.kernel === own);
  return { nodes: replaced.map(({ node }) => all[node]!), positions: bucket.positions };
}

function targetName({ target }: Plan): string {
  return target.kind === 'host' ? 'the host simulator' : target.archs.join(', ');
}

function kernelView(plan: Plan, planned: PlannedKernel): KernelView {
  const { symbol, config, launch } = planned;
  const kernel = kernelFor(config);
  const struct = configStruct(symbol);
  const name = symbol.replace(/^realizar_/, '');
  const { nodes, positions } = usersOf(plan, planned);
  const where = positions === undefined ? '' : `, up to ${positions} positions`;
  const more = nodes.length > 1 ? ` (and ${nodes.length - 1} more)` : '';
  return {
    symbol,
    config: `${struct}${kernel.base ? ` : ${kernel.base}` : ''}`,
    about: comment(`${nodes[0]!.name}${more}${where}: ${nodes[0]!.about}`),
    fields: kernel.fields(config, name).flatMap(constantLines),
    tables: planned.tables.map((table) => ({
      name: table.name,
      values: wrap(table.values.map(cFloat)),
      size: table.values.length,
    })),
    asserts: kernel.asserts(config, struct, launch.sharedBytes),
    threads: launch.threads,
    blocksPerSm: 'blocksPerMultiprocessor' in config ? config.blocksPerMultiprocessor : 1,
    args: kernel.args,
    body: `${kernel.body}<${struct}>`,
  };
}

const hasManyRows = ({ programs }: Plan): boolean => programs.some(({ rows }) => rows > 1);

/** Comma separated, a few a line. */
function wrap(values: readonly string[]): string {
  const lines: string[] = [];
  for (let i = 0; i < values.length; i += 8) lines.push(values.slice(i, i + 8).join(', '));
  return lines.join(',\n    ');
}

/** Kernels of nodes, of loading and of measuring. */
function includes(plan: Plan): string[] {
  const { tensors, kernels } = plan;
  const quantize = tensors.some(({ storedAs }) => storedAs) ? ['quantize.cuh'] : [];
  const ofToken = Object.values(TOKEN_KERNELS).map(({ include }) => include);
  const used = kernels.map(({ config }) => kernelFor(config).include);
  const measured = ['read_ceiling.cuh', ...(hasManyRows(plan) ? ['f16_ceiling.cuh'] : [])];
  return [...new Set([...ofToken, ...used, ...quantize, ...measured, 'repack_coded.cuh'])].sort();
}

function grids({ formats }: Plan): View['grids'] {
  return formats.flatMap((format) => {
    const points = (GRIDS as Partial<Record<GgmlType, Uint16Array>>)[format];
    if (!points) return [];
    return [{ format, name: gridTable(format), size: points.length, values: wrap(Array.from(points, String)) }];
  });
}
