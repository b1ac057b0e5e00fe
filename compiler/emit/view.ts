/** Plan -> plain data for the templates: every decision is made here or before, templates only print. */

import { libraryFile, libraryName } from '../../runtime/artifact_folder/names.js';
import { GGML_TYPES, type GgmlType } from '../../runtime/files/ggml.js';
import { cFloat, constants as constantLines } from '../kernels/fields.js';
import { KERNELS, kernelFor } from '../kernels/index.js';
import { GRIDS } from '../model/grids.js';
import type { PlannedLoader, PlannedTensor } from '../plan/loaders.js';
import type { Plan, PlannedKernel, PlannedNode } from '../plan/plan.js';
import { type HeaderConstant, headerConstants } from './constants.js';
import { comment, configStruct, cString, gridTable, READ_CEILING_SYMBOL } from './names.js';

export interface View {
  readonly compilerVersion: string;
  readonly compilerVersionText: string;
  readonly archs: string;
  readonly readCeiling: string;
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
  readonly kernelRows: readonly { row: string }[];
  readonly nodes: readonly NodeView[];
  /** Ranges of the context's length, and the launches that take their nodes' places there. */
  readonly buckets: readonly { row: string }[];
  readonly bucketNodes: readonly { row: string }[];
  readonly argumentCount: number;
  readonly edgeCount: number;
  readonly tensors: readonly { row: string }[];
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

interface NodeView {
  readonly about: string;
  readonly row: string;
  readonly arguments: string;
  readonly edges: string;
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
    kernelRows: [
      ...plan.kernels.map((kernel) => ({ row: kernelRow(plan, kernel) })),
      ...loaders.map(({ symbol }) => ({ row: `{${cString(symbol)}, 0, 0}` })),
    ],
    ...nodeTables(plan),
    ...bucketTables(plan),
    parts: (model.parts ?? []).map(({ name, bytes, headerBytes }) => ({
      row: `{${[bytes, headerBytes, ...(name === undefined ? [] : [cString(name)])].join(', ')}}`,
    })),
    tensors: plan.tensors.map((tensor) => ({ row: tensorRow(plan, tensor) })),
  };
}

/** Symbol, arguments, shared memory; and whether its blocks wait for each other. */
function kernelRow(plan: Plan, kernel: PlannedKernel): string {
  const { symbol, config, launch } = kernel;
  const meets = kernelFor(config).blocksMeet?.(config) ? ', true' : '';
  return `{${cString(symbol)}, ${usersOf(plan, kernel).nodes[0]!.args.length}, ${launch.sharedBytes}${meets}}`;
}

/** The nodes that run a kernel: in any context, or only in those of up to so many positions. */
function usersOf(plan: Plan, kernel: PlannedKernel): { nodes: readonly PlannedNode[]; positions?: number } {
  const own = plan.kernels.indexOf(kernel);
  const nodes = plan.programs[0].nodes.filter((node) => node.kernel === own);
  if (nodes.length > 0) return { nodes };
  const bucket = plan.programs[0].buckets.find(({ kernels }) => kernels.some((replaced) => replaced.kernel === own))!;
  const replaced = bucket.kernels.filter((replaced) => replaced.kernel === own);
  return { nodes: replaced.map(({ node }) => plan.programs[0].nodes[node]!), positions: bucket.positions };
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

function tensorRow({ kernels }: Plan, t: PlannedTensor): string {
  const loader = t.loader === null ? 'no_repack' : kernels.length + t.loader;
  const file = `${GGML_TYPES[t.storedAs ?? t.type].id}, ${t.fileOffset}, ${t.fileBytes}, ${t.rows}, ${t.cols}`;
  return `{${cString(t.name)}, ${file}, ${t.deviceOffset}, ${loader}, ${t.rowsPerGroup}, ${t.colsPerChunk}, ${t.groupStride}, ${t.chunkStride}${t.transposed ? ', true' : ''}}`;
}

/** Comma separated, a few a line. */
function wrap(values: readonly string[]): string {
  const lines: string[] = [];
  for (let i = 0; i < values.length; i += 8) lines.push(values.slice(i, i + 8).join(', '));
  return lines.join(',\n    ');
}

/** Kernels of nodes, of loading and of measuring. */
function includes({ tensors }: Plan): string[] {
  const quantize = tensors.some(({ storedAs }) => storedAs) ? ['quantize.cuh'] : [];
  const nodes = Object.values(KERNELS).map(({ include }) => include);
  return [...nodes, ...quantize, 'read_ceiling.cuh', 'repack_coded.cuh'].sort();
}

function grids({ formats }: Plan): View['grids'] {
  return formats.flatMap((format) => {
    const points = (GRIDS as Partial<Record<GgmlType, Uint16Array>>)[format];
    if (!points) return [];
    return [{ format, name: gridTable(format), size: points.length, values: wrap(Array.from(points, String)) }];
  });
}

/** Kernel, grid, block, shared memory. */
function launchText(plan: Plan, kernel: number): string {
  const { blocks, threads, sharedBytes } = plan.kernels[kernel]!.launch;
  return `${kernel}, {${blocks}, 1, 1}, {${threads}, 1, 1}, ${sharedBytes}`;
}

function bucketTables(plan: Plan): Pick<View, 'buckets' | 'bucketNodes'> {
  let first = 0;
  return {
    buckets: plan.programs[0].buckets.map(({ positions, kernels }) => {
      const row = `{${positions}, ${first}, ${kernels.length}}`;
      first += kernels.length;
      return { row };
    }),
    bucketNodes: plan.programs[0].buckets.flatMap(({ kernels }) =>
      kernels.map(({ node, kernel }) => ({ row: `{${node}, ${launchText(plan, kernel)}}` })),
    ),
  };
}

function nodeTables(plan: Plan): Pick<View, 'nodes' | 'argumentCount' | 'edgeCount'> {
  let argumentCount = 0;
  let edgeCount = 0;
  const nodes = plan.programs[0].nodes.map((node, index): NodeView => {
    const { symbol } = plan.kernels[node.kernel]!;
    const row = `{${cString(node.name)}, ${launchText(plan, node.kernel)}, ${argumentCount}, ${node.args.length}, ${edgeCount}, ${node.after.length}, ${node.readBytes}, ${node.kvRowBytes}, ${node.kvPositions}}`;
    argumentCount += node.args.length;
    edgeCount += node.after.length;
    return {
      about: comment(`${index} ${node.name}, ${symbol}: ${node.about}`),
      row,
      arguments: node.args
        .map(({ name, region, offset }) => `{${cString(name)}, Region::${region ?? 'none'}, ${offset}}`)
        .join(', '),
      edges: node.after.map(({ from, programmatic }) => `{${from}, ${programmatic}}`).join(', '),
    };
  });
  return { nodes, argumentCount, edgeCount };
}
