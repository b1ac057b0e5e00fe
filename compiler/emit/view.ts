/** Plan -> plain data for the templates: every decision is made here or before, templates only print. */
import type { GgmlType } from '../model/ggml.js';
import { GRIDS } from '../model/grids.js';
import { ropeFrequencies } from '../model/rope.js';
import type { AttendConfig } from '../plan/attention.js';
import type { EmbedConfig } from '../plan/embed.js';
import type { ExpertsConfig } from '../plan/experts.js';
import { type KernelConfig, type NormAddConfig, type ProjectionConfig, strides } from '../plan/kernels.js';
import type { Plan, PlannedKernel } from '../plan/plan.js';
import { meetingBytes } from '../plan/select.js';
import { type LoaderView, loadersOf, tensorRows } from './loaders.js';
import {
  cFloat,
  comment,
  cString,
  gridTable,
  libraryFile,
  libraryName,
  READ_CEILING_SYMBOL,
  shapeStruct,
} from './names.js';

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
  readonly constants: readonly { name: string; type: string; value: string | number; about: string }[];
  readonly kernels: readonly KernelView[];
  readonly loaders: readonly LoaderView[];
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
  /** Some tensors are quantized on their way to the device. */
  readonly quantizes: boolean;
  readonly parts: readonly { row: string }[];
}

interface KernelView {
  readonly symbol: string;
  readonly shape: string;
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

const ARGS: Record<KernelConfig['kind'], { struct: string; count: number; body: string }> = {
  embed: { struct: 'EmbedArgs', count: 4, body: 'embed' },
  projection: { struct: 'ProjectionArgs', count: 20, body: 'projection' },
  experts: { struct: 'ExpertsArgs', count: 12, body: 'experts' },
  norm_add: { struct: 'NormAddArgs', count: 5, body: 'norm_add' },
  attend: { struct: 'AttendArgs', count: 11, body: 'attend' },
  select: { struct: 'SelectArgs', count: 8, body: 'select' },
};

export function view(plan: Plan): View {
  const { model, target } = plan;
  const loaders = loadersOf(plan);
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
    constants: constants(plan),
    kernels: plan.kernels.map((kernel) => kernelView(plan, kernel)),
    loaders,
    grids: grids(plan),
    kernelRows: [
      ...plan.kernels.map(({ symbol, config, launch }) => ({
        row: `{${cString(symbol)}, ${ARGS[config.kind].count}, ${launch.sharedBytes}${meets(config) ? ', true' : ''}}`,
      })),
      ...loaders.map(({ symbol }) => ({ row: `{${cString(symbol)}, 0, 0}` })),
    ],
    ...nodeTables(plan),
    ...bucketTables(plan),
    quantizes: plan.tensors.some(({ storedAs }) => storedAs),
    parts: (model.parts ?? []).map(({ name, bytes, headerBytes }) => ({
      row: `{${[bytes, headerBytes, ...(name === undefined ? [] : [cString(name)])].join(', ')}}`,
    })),
    tensors: tensorRows(plan, loaders),
  };
}

/** Its blocks wait for each other. */
const meets = (config: KernelConfig): boolean => config.kind === 'select' && config.blocks > 1;

function targetName({ target }: Plan): string {
  return target.kind === 'host' ? 'the host simulator' : target.archs.join(', ');
}

function constants({ model, memory }: Plan): View['constants'] {
  const int = (name: string, value: number, about: string) => ({ name, type: 'uint32_t', value, about });
  const size = (name: string, value: number, about: string) => ({ name, type: 'uint64_t', value, about });
  const text = (name: string, value: string, about: string) => ({ name, type: 'char', value: cString(value), about });
  return [
    text('name[]', model.name, "the model file's stem"),
    text('architecture[]', model.architecture, 'general.architecture'),
    int('n_vocab', model.vocabSize, 'tokens in the vocabulary'),
    int('n_ctx', model.contextLength, 'positions of the KV cache'),
    int('n_embd', model.embeddingLength, 'width of the residual stream'),
    int('n_ff', model.feedForwardLength, 'width of the feed-forward layer'),
    int('n_layer', model.layerCount, 'layers'),
    int('n_head', model.headCount, 'query heads'),
    int('n_head_kv', model.headCountKv, 'key and value heads'),
    int('head_size', model.headSize, 'elements of a head'),
    size('file_bytes', model.fileBytes, 'of the GGUF file'),
    size('header_bytes', model.headerBytes, 'of the GGUF file before its tensor data'),
    text('header_sha256[]', model.headerSha256, 'of those bytes'),
    size('weights_bytes', memory.weightsBytes, 'device memory of the model'),
    size('kv_cache_bytes', memory.kvCacheBytes, 'device memory of a session'),
    size('arena_bytes', memory.arenaBytes, 'device memory of a session'),
    size('state_bytes', memory.stateBytes, 'device memory of a session'),
    size('logits_offset', memory.logitsOffset, 'in the arena: f32[n_vocab]'),
    size('token_read_bytes', memory.tokenReadBytes, 'weights that one token reads'),
    size('kv_row_bytes', memory.kvRowBytes, 'KV cache of one position, all layers'),
  ];
}

function kernelView(plan: Plan, { symbol, config, launch }: PlannedKernel): KernelView {
  const shape = shapeStruct(symbol);
  const { struct, body } = ARGS[config.kind];
  const own = plan.kernels.findIndex((kernel) => kernel.symbol === symbol);
  const bucket = plan.buckets.find(({ kernels }) => kernels.some(({ kernel }) => kernel === own));
  const replaced = bucket?.kernels.filter(({ kernel }) => kernel === own).map(({ node }) => plan.nodes[node]!) ?? [];
  const nodes = plan.nodes.filter(({ kernel }) => kernel === own);
  const users = nodes.length > 0 ? nodes : replaced;
  const where = nodes.length > 0 ? '' : `, up to ${bucket!.positions} positions`;
  const more = users.length > 1 ? ` (and ${users.length - 1} more)` : '';
  return {
    symbol,
    shape,
    about: comment(`${users[0]!.name}${more}${where}: ${users[0]!.about}`),
    fields: fields(config, symbol),
    tables: config.kind === 'attend' ? ropeTables(config, symbol) : [],
    asserts: asserts(config, shape, launch.sharedBytes),
    threads: launch.threads,
    blocksPerSm: 'blocksPerMultiprocessor' in config ? config.blocksPerMultiprocessor : 1,
    args: struct,
    body: `${body}<${shape}>`,
  };
}

const constant = (type: string, assignments: Record<string, string | number | boolean>): string =>
  `static constexpr ${type} ${Object.entries(assignments)
    .map(([name, value]) => `${name} = ${value}`)
    .join(', ')};`;

function fields(config: KernelConfig, symbol: string): string[] {
  switch (config.kind) {
    case 'embed':
      return embedFields(config);
    case 'projection':
      return projectionFields(config);
    case 'experts':
      return expertsFields(config);
    case 'norm_add':
      return normAddFields(config);
    case 'attend':
      return attendFields(config, symbol);
    case 'select':
      return [
        constant('int', { threads: config.threads, blocks: config.blocks }),
        constant('int', { candidates: config.candidates, n_vocab: config.vocabSize }),
      ];
  }
}

function embedFields({ cols, groupRows, chunkCols, format, groupBytes, scale, sums }: EmbedConfig): string[] {
  return [
    `using format = ${format};`,
    constant('int', { cols, group_rows: groupRows, chunk_cols: chunkCols, sums }),
    constant('int64_t', { group_bytes: groupBytes }),
    constant('float', { scale: cFloat(scale) }),
  ];
}

function projectionFields(config: ProjectionConfig): string[] {
  const segments = config.segments.map(({ rows, formats }) => `Segment<${rows}, ${formats.join(', ')}>`);
  const { blocks, bytes, segments: later } = config.ahead ?? { blocks: 0, bytes: 0, segments: [] };
  const ahead = [blocks, bytes, ...later.map(({ groups, groupBytes }) => `AheadSegment<${groups}, ${groupBytes}>`)];
  return [
    `using segments = Segments<${segments.join(', ')}>;`,
    `using ahead = Ahead<${ahead.join(', ')}>;`,
    constant('int', { cols: config.cols, group_rows: config.groupRows, chunk_cols: config.chunkCols }),
    constant('int', { row_warps: config.rowWarps, round_groups: config.roundGroups }),
    constant('int', { ring: config.ring, early: config.early, paced: config.paced }),
    constant('int', { blocks: config.blocks, routes: config.routes }),
    constant('int', { bias: config.bias, matrix_scale: config.matrixScale }),
    constant('bool', {
      whole: config.whole,
      sum_input: config.sumInput,
      store_sum: config.storeSum,
      normalize: config.normalize,
      centred: config.centred,
      norm_bias: config.normBias,
      add_residual: config.addResidual,
      find_best: config.findBest,
      scales_bias: config.scalesBias,
    }),
    `static constexpr Activation activation = Activation::${config.activation};`,
    constant('float', {
      sum_epsilon: cFloat(config.sumEpsilon),
      epsilon: cFloat(config.epsilon),
      scale: cFloat(config.scale),
      soft_cap: cFloat(config.softCap),
    }),
  ];
}

function expertsFields(c: ExpertsConfig): string[] {
  return [
    `using formats = ExpertFormats<${c.formats.join(', ')}>;`,
    constant('int', { cols: c.cols, rows: c.rows, experts: c.experts, used: c.used }),
    constant('int', { group_rows: c.groupRows, chunk_cols: c.chunkCols }),
    constant('int', { warps: c.warps, ring: c.ring, early: c.early, blocks: c.blocks }),
    constant('int', { bias: c.bias, matrix_scale: c.matrixScale }),
    constant('int', { expert_groups: c.expertGroups, expert_groups_used: c.expertGroupsUsed }),
    constant('int', { gathers: c.gathers, router_cols: c.routerCols }),
    constant('bool', { over_all: c.weightsOver === 'all', sigmoid: c.sigmoid, scored: c.scored, biased: c.biased }),
    constant('bool', { sum: c.sum, normalize: c.normalize }),
    constant('bool', { gated: c.gated, add_shared: c.addShared, add_residual: c.addResidual }),
    `static constexpr Activation activation = Activation::${c.activation};`,
    constant('float', { weights_scale: cFloat(c.weightsScale), scale: cFloat(c.scale), epsilon: cFloat(c.epsilon) }),
    constant('float', { router_epsilon: cFloat(c.routerEpsilon) }),
  ];
}

function normAddFields({ size, threads, centred, normBias, addResidual, epsilon }: NormAddConfig): string[] {
  return [
    constant('int', { size, threads }),
    constant('bool', { centred, norm_bias: normBias, add_residual: addResidual }),
    constant('float', { epsilon: cFloat(epsilon) }),
  ];
}

const ropeTableName = (symbol: string): string => `${symbol.replace(/^realizar_/, '')}_inverse_frequency`;

function attendFields(c: AttendConfig, symbol: string): string[] {
  return [
    constant('int', { heads: c.heads, kv_heads: c.kvHeads, head_size: c.headSize, heads_per_block: c.headsPerBlock }),
    constant('int', {
      splits: c.splits,
      min_split: c.minSplit,
      whole: c.whole,
      ring: c.ring,
      warps: c.warps,
    }),
    constant('int', { n_ctx: c.contextLength, window: c.window, rope_dims: c.rope?.dimensions ?? 0 }),
    constant('bool', { rope_adjacent: c.rope?.pairing === 'adjacent', rope_factors: c.ropeFactors }),
    constant('bool', { query_norm: c.queryNorm, key_norm: c.keyNorm, norm_turned: c.normTurned ?? false }),
    constant('bool', { sinks: c.sinks }),
    `static constexpr Gates gates = Gates::${c.gates ?? 'none'};`,
    constant('int', { whole_norms: c.wholeNorms }),
    constant('float', { scale: cFloat(c.scale), soft_cap: cFloat(c.softCap), epsilon: cFloat(c.epsilon) }),
    constant('float', { rope_magnitude: cFloat(c.rope?.scaling?.magnitude ?? 1) }),
    `static DEVICE float inverse_frequency(int pair) { return ${c.rope ? `${ropeTableName(symbol)}[pair]` : '0'}; }`,
  ];
}

function ropeTables({ rope }: AttendConfig, symbol: string): KernelView['tables'] {
  if (!rope) return [];
  const values = ropeFrequencies(rope).map(cFloat);
  return [{ name: ropeTableName(symbol), values: wrap(values), size: values.length }];
}

/** Comma separated, a few a line. */
function wrap(values: readonly string[]): string {
  const lines: string[] = [];
  for (let i = 0; i < values.length; i += 8) lines.push(values.slice(i, i + 8).join(', '));
  return lines.join(',\n    ');
}

/** What planner and kernel both compute must agree. */
function asserts(config: KernelConfig, shape: string, sharedBytes: number): string[] {
  if (config.kind === 'select')
    return [
      `select_shared_bytes<${shape}> == ${sharedBytes}`,
      ...(config.blocks > 1 ? [`sizeof(SampleMeeting) == ${meetingBytes(config)}`] : []),
    ];
  // A launch may ask for more than the kernel needs, and then only that can be told.
  const holds = (leastShared: number) => `shared_bytes ${sharedBytes > leastShared ? '==' : '<='} ${sharedBytes}`;
  if (config.kind === 'attend') return [`AttendShape<${shape}>::${holds(config.leastShared)}`];
  if (config.kind === 'experts') {
    const { groupStride } = strides(config.formats, config.cols, config);
    return [
      `ExpertsShape<${shape}>::shared_bytes <= ${sharedBytes}`,
      `ExpertsShape<${shape}>::group_bytes == ${groupStride}`,
    ];
  }
  if (config.kind !== 'projection') return [];
  return [
    `ProjectionShape<${shape}>::${holds(config.leastShared)}`,
    ...config.segments.map(({ rows, formats }) => {
      const { groupStride } = strides(formats, config.cols, config);
      return `ProjectionShape<${shape}>::group_bytes<Segment<${rows}, ${formats.join(', ')}>> == ${groupStride}`;
    }),
  ];
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
    buckets: plan.buckets.map(({ positions, kernels }) => {
      const row = `{${positions}, ${first}, ${kernels.length}}`;
      first += kernels.length;
      return { row };
    }),
    bucketNodes: plan.buckets.flatMap(({ kernels }) =>
      kernels.map(({ node, kernel }) => ({ row: `{${node}, ${launchText(plan, kernel)}}` })),
    ),
  };
}

function nodeTables(plan: Plan): Pick<View, 'nodes' | 'argumentCount' | 'edgeCount'> {
  let argumentCount = 0;
  let edgeCount = 0;
  const nodes = plan.nodes.map((node, index): NodeView => {
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
