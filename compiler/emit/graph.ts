/** The tables of graph.cpp: kernels, programs of nodes, tensors. */
import { programLabel } from '../ir/programs.js';
import { kernelFor } from '../kernels/index.js';
import type { PageRegion } from '../plan/caches.js';
import type { PlannedTensor } from '../plan/loaders.js';
import type { Plan, PlannedArgument, PlannedKernel, PlannedNode, PlannedProgram } from '../plan/plan.js';
import { comment, cString } from './names.js';
import { type Kind, kindsOf, type LayerRanges, layerOf, plain, type Row, stretches, type Writer } from './statement.js';

export interface GraphView {
  /** Of programs of many rows: where their step is in the state, and what it has room for. */
  readonly step: { readonly offset: number; readonly rows: number; readonly outputs: number } | null;
  /** Fields of argument structs, of each kind of kernel. */
  readonly fields: readonly string[];
  readonly kernelRows: readonly string[];
  readonly layers: readonly string[];
  readonly programs: readonly TableView[];
  readonly tensors: TableView;
}

/** Functions that state a layer's rows, and the lines that put the whole table together. */
interface TableView {
  readonly name: string;
  readonly head: string;
  readonly functions: readonly FunctionView[];
  readonly lines: readonly string[];
}

interface FunctionView {
  readonly about: string;
  readonly name: string;
  readonly row: string;
  readonly struct: string;
  readonly parameters: string;
  readonly lines: readonly string[];
}

const WIDTH = 120;

export function graphView(plan: Plan): GraphView {
  const ranges = layerRanges(plan);
  return {
    step: stepOf(plan),
    ...kernelTable(plan),
    layers: layerRows(plan, ranges),
    programs: plan.programs.map((program) => programTable(plan, program, ranges)),
    tensors: table(
      'layer_tensors',
      'Tensor',
      'tensors',
      byLayer(plan).map((tensor) => tensorRow(plan, tensor)),
      ranges,
    ),
  };
}

function stepOf({ programs, state }: Plan): GraphView['step'] {
  const rows = Math.max(...programs.map((program) => program.rows));
  const outputs = Math.max(...programs.map((program) => program.outputs));
  return rows > 1 ? { offset: state.find(({ part }) => part === 'step')!.offset, rows, outputs } : null;
}

// ------------------------------------------------------------------ kernels

function kernelTable({ kernels, loaders }: Plan): Pick<GraphView, 'fields' | 'kernelRows'> {
  const fields = new Map(kernels.map((kernel) => [fieldsName(kernel), kernel.fields.map(cString)]));
  return {
    fields: [...fields].map(([name, list]) =>
      fill(enclosed(`const Fields ${name} = {`, list, '};'), ' '.repeat(4)).join('\n'),
    ),
    kernelRows: [...kernels.map(kernelRow), ...loaders.map(({ symbol }) => `{.symbol = ${cString(symbol)}},`)],
  };
}

const fieldsName = ({ config }: PlannedKernel): string => `${config.kind}_fields`;

function kernelRow(kernel: PlannedKernel): string {
  const { symbol, config, launch } = kernel;
  const { blocks, threads, sharedBytes } = launch;
  const shared = sharedBytes > 0 ? `, .shared_bytes = ${sharedBytes}` : '';
  const meet = kernelFor(config).blocksMeet?.(config) ? ', .blocks_meet = true' : '';
  return `{.symbol = ${cString(symbol)}, .fields = ${fieldsName(kernel)}, .blocks = ${blocks}, .threads = ${threads}${shared}${meet}},`;
}

// ------------------------------------------------------------------ programs

function programTable(plan: Plan, program: PlannedProgram, ranges: LayerRanges): TableView {
  const rows = program.nodes.map((_, index) => nodeRow(plan, program, index));
  const { name, rows: most, outputs, tileRows, logitsOffset, buckets } = program;
  const label = programLabel(program);
  const positions = buckets.map(({ positions }) => positions).join(', ');
  const ofRows = most > 1 ? ` .tile_rows = ${tileRows}, .logits_offset = ${logitsOffset},` : '';
  const head = `Program program = {.name = ${cString(name)}, .rows = ${most}, .outputs = ${outputs},${ofRows} .buckets = {${positions}}};`;
  return { ...table(`${label}_layer`, 'Node', 'program.nodes', rows, ranges), name: label, head };
}

function nodeRow(plan: Plan, { nodes, buckets }: PlannedProgram, index: number): Row {
  const node = nodes[index]!;
  const symbolOf = (kernel: number): string => cString(plan.kernels[kernel]!.symbol);
  const kernels = buckets.map(({ kernels: replaced }) => replaced.find((one) => one.node === index)?.kernel);
  return {
    name: node.name,
    about: node.about,
    lines: (write) => [
      ...fill(
        [
          `{.name = ${write.name(node.name)}, .kernel = ${symbolOf(node.kernel)},`,
          ...(kernels.some((kernel) => kernel !== undefined)
            ? [`.bucket_kernels = {${kernels.map((kernel) => symbolOf(kernel ?? node.kernel)).join(', ')}},`]
            : []),
          ...afterOf(node, index),
          ...(node.readBytes > 0 ? [`.read_bytes = ${node.readBytes},`] : []),
          ...(node.kvRowBytes > 0 ? [`.kv_row_bytes = ${node.kvRowBytes}, .kv_positions = ${node.kvPositions},`] : []),
          ...(node.rowFlops > 0 ? [`.row_flops = ${node.rowFlops},`] : []),
          ...(node.positionFlops > 0 ? [`.position_flops = ${node.positionFlops},`] : []),
        ],
        ' ',
      ),
      ...fill(
        enclosed(
          ' .arguments = {',
          node.args.map((arg) => argument(plan, node, arg, write)),
          '}},',
        ),
        ' '.repeat(15),
      ),
    ],
  };
}

/** Nothing where it is what most nodes have. */
function afterOf({ after }: PlannedNode, index: number): string[] {
  const edges = after.map(({ from, programmatic }) => {
    const back = index - from > 1 ? [`.back = ${index - from}`] : [];
    return `{${[...back, ...(programmatic ? [] : ['.programmatic = false'])].join(', ')}}`;
  });
  return edges.join() === '{}' ? [] : [`.after = {${edges.join(', ')}},`];
}

function argument({ tensors }: Plan, node: PlannedNode, arg: PlannedArgument, write: Writer): string {
  const { name, region, offset: value } = arg;
  const tensor = region === 'weights' && tensors.find(({ deviceOffset }) => deviceOffset === value);
  if (tensor) return `{${cString(name)}, ${write.name(tensor.name)}}`;
  const own = name === 'output' ? identifierOf(layerOf(node.name)?.rest ?? node.name) : name;
  return `{${cString(name)}, ${region} + ${write.offset({ from: region, value, name: own })}}`;
}

const identifierOf = (name: string): string => name.replace(/\W/g, '_');

// ------------------------------------------------------------------ tensors

/** Those of no layer last. Else in their order in the weights, where a layer's last norm may lie in the next layer. */
function byLayer({ tensors }: Plan): PlannedTensor[] {
  const layer = ({ name }: PlannedTensor): number => layerOf(name)?.layer ?? tensors.length;
  return [...tensors].sort((a, b) => layer(a) - layer(b));
}

function tensorRow({ loaders }: Plan, tensor: PlannedTensor): Row {
  const { name, rows, cols, loader } = tensor;
  const own = identifierOf(layerOf(name)?.rest ?? name);
  return {
    name,
    lines: (write) => {
      const file = write.offset({ from: 'file', value: tensor.fileOffset, name: `${own}_file` });
      const device = write.offset({ from: 'weights', value: tensor.deviceOffset, name: own });
      const fields = [
        `{.name = ${write.name(name)}, .file_offset = ${file}, .file_bytes = ${tensor.fileBytes},`,
        `.rows = ${rows}, .cols = ${cols},`,
        `.device_offset = ${device},`,
        ...(loader === null ? [] : [`.loader = ${cString(loaders[loader]!.symbol)},`, tilesOf(tensor)]),
        ...(tensor.transposed ? ['.by_columns = true,'] : []),
      ];
      return fill([...fields.slice(0, -1), `${fields.at(-1)!.slice(0, -1)}},`], ' ');
    },
  };
}

const tilesOf = ({ rowsPerGroup, colsPerChunk, groupStride, chunkStride }: PlannedTensor): string =>
  `.tiles = {.rows = ${rowsPerGroup}, .cols = ${colsPerChunk}, .group_stride = ${groupStride}, .chunk_stride = ${chunkStride}},`;

// ------------------------------------------------------------------ layers

function layerRanges({ tensors, caches, model }: Plan): LayerRanges {
  const layers = Array.from({ length: model.layerCount }, (_, layer) => layer);
  const rangesOf = (starts: (layer: number) => readonly (readonly [start: number, bytes: number])[]) =>
    layers.map((layer) => {
      const own = starts(layer);
      if (own.length === 0) return undefined;
      return {
        start: Math.min(...own.map(([start]) => start)),
        end: Math.max(...own.map(([start, bytes]) => start + bytes)),
      };
    });
  const tensorsOf = new Map<number | undefined, PlannedTensor[]>();
  for (const tensor of tensors) {
    const layer = layerOf(tensor.name)?.layer;
    tensorsOf.set(layer, [...(tensorsOf.get(layer) ?? []), tensor]);
  }
  const cachesIn = (region: PageRegion) =>
    rangesOf((layer) =>
      caches.filter((one) => one.layer === layer && one.region === region).map((one) => [one.offset, one.bytes]),
    );
  return {
    weights: rangesOf((layer) => (tensorsOf.get(layer) ?? []).map((t) => [t.deviceOffset, t.deviceBytes])),
    kv_cache: cachesIn('kv_cache'),
    kv_window: cachesIn('kv_window'),
    file: rangesOf((layer) => (tensorsOf.get(layer) ?? []).map((t) => [t.fileOffset, t.fileBytes])),
  };
}

function layerRows({ model }: Plan, ranges: LayerRanges): string[] {
  return Array.from({ length: model.layerCount }, (_, layer) => {
    const starts = (['weights', 'kv_cache', 'kv_window', 'file'] as const).flatMap((from) => {
      const range = ranges[from]![layer];
      return range ? [`.${from} = ${range.start}`] : [];
    });
    return `{${[`.index = ${layer}`, ...starts].join(', ')}},`;
  });
}

// ------------------------------------------------------------------ functions and calls

function table(name: string, row: string, target: string, rows: readonly Row[], ranges: LayerRanges): TableView {
  const parts = stretches(rows);
  const kinds = kindsOf(
    parts.filter(({ layer }) => layer !== undefined),
    ranges,
    cString,
  ).map((kind, i) => ({ kind, name: `${name}${i === 0 ? '' : `_${i + 1}`}` }));
  const lines: string[] = [];
  let calls: Call[] = [];
  for (const { layer, rows: some } of parts) {
    const own = layer === undefined ? undefined : kinds.find(({ kind }) => kind.layers.includes(layer))!;
    if (own) {
      calls.push({ layer: layer!, name: own.name, values: valuesOf(own.kind, layer!) });
      continue;
    }
    lines.push(...callLines(calls, target), `append(${target}, {`);
    calls = [];
    for (const one of some) lines.push(...rowLines({ ...one, lines: one.lines(plain(cString)) }));
    lines.push('});');
  }
  lines.push(...callLines(calls, target));
  return { name, head: '', functions: kinds.map((one) => functionView(one.kind, one.name, row)), lines };
}

interface Call {
  readonly layer: number;
  readonly name: string;
  /** Of the function's parameters. */
  readonly values: string;
}

function valuesOf({ layers, parameters }: Kind, layer: number): string {
  const index = layers.indexOf(layer);
  const values = parameters.map(({ name, values: all }) => `.${name} = ${all[index]}`);
  return values.length > 0 ? `, {${values.join(', ')}}` : '';
}

/** A line a layer; one for neighbours that are called alike. */
function callLines(calls: readonly Call[], target: string): string[] {
  const lines: string[] = [];
  for (let from = 0; from < calls.length; ) {
    const { layer, name, values } = calls[from]!;
    let end = from + 1;
    while (calls[end]?.name === name && calls[end]!.values === values && calls[end]!.layer === layer + end - from)
      end++;
    const call = (index: string | number) => `append(${target}, ${name}(layers[${index}]${values}));`;
    lines.push(
      ...(end - from > 1 ? fill([`for (int i = ${layer}; i < ${layer + end - from}; i++)`, call('i')]) : [call(layer)]),
    );
    from = end;
  }
  return lines;
}

function functionView({ layers, parameters, rows }: Kind, name: string, row: string): FunctionView {
  return {
    about: layers.length > 1 ? `Layers ${rangesText(layers)}.` : `Layer ${layers[0]}.`,
    name,
    row,
    struct:
      parameters.length > 0
        ? `struct ${name}_offsets {\n  uint64_t ${parameters.map((one) => one.name).join(', ')};\n};`
        : '',
    parameters: `const Layer& l${parameters.length > 0 ? `, const ${name}_offsets& at` : ''}`,
    lines: rows.flatMap(rowLines),
  };
}

const rowLines = ({ about, lines }: Kind['rows'][number]): string[] => [
  ...(about === undefined ? [] : [`    // ${comment(about)}`]),
  ...lines.map((line) => `    ${line}`),
];

/** "0 to 3, 5" */
function rangesText(numbers: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else runs.push([number, number]);
  }
  return runs
    .map(([first, last]) => (last > first ? `${first}${last > first + 1 ? ' to' : ','} ${last}` : `${first}`))
    .join(', ');
}

/** Between brackets, with commas. */
const enclosed = (open: string, items: readonly string[], close: string): string[] => {
  const separated = items.map((item, i) => (i < items.length - 1 ? `${item},` : item));
  return [
    `${open}${separated[0] ?? ''}${separated.length < 2 ? close : ''}`,
    ...separated.slice(1, -1),
    ...(separated.length < 2 ? [] : [`${separated.at(-1)}${close}`]),
  ];
};

/** As many a line as fit. */
function fill(items: readonly string[], indent = '    '): string[] {
  const lines: string[] = [];
  for (const item of items) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + item.length <= WIDTH - 6) lines[lines.length - 1] = `${last} ${item}`;
    else lines.push(lines.length === 0 ? item : `${indent}${item}`);
  }
  return lines;
}
