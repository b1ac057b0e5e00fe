/** Fused graph -> plan: kernels (choose.ts), nodes with resolved arguments, memory with offsets. */
import { reads, writes } from '../ir/effects.js';
import type { Attend, FusedOp, Graph, SelectBest, Value } from '../ir/ops.js';
import { GGML_TYPES, type GgmlType } from '../model/ggml.js';
import type { ModelSpec, Weight } from '../model/spec.js';
import { about } from './about.js';
import { kvRow, partialSize } from './attention.js';
import { type BufferPlan, type BufferRequest, planBuffers } from './buffers.js';
import { type Choice, chooseKernels, type Lowered } from './choose.js';
import { type EdgeNode, type Interval, planEdges } from './edges.js';
import { roundUp } from './formats.js';
import { KernelTable } from './kernel_table.js';
import { checkShared, type KernelConfig, launchOf } from './kernels.js';
import {
  PLAN_VERSION,
  type Plan,
  type PlannedArgument,
  type PlannedBucket,
  type PlannedNode,
  verifyPlan,
} from './plan.js';
import { STATE_BYTES, STATE_COUNTERS_OFFSET, STATE_HISTORY_OFFSET, STATE_SAMPLING_OFFSET } from './state.js';
import type { Target } from './target.js';
import type { TargetOf } from './tuning.js';

export interface LowerOptions {
  readonly contextLength: number;
  readonly compilerVersion: string;
  /** Default: the target as it is for every kernel. */
  readonly targetOf?: TargetOf | undefined;
}

export function lower(spec: ModelSpec, graph: Graph, target: Target, options: LowerOptions): Plan {
  return new Lowering(spec, graph, target, options).plan();
}

class Lowering {
  readonly #choice: Choice;
  readonly #kvLayerBytes: number;

  constructor(
    private readonly spec: ModelSpec,
    private readonly graph: Graph,
    private readonly target: Target,
    private readonly options: LowerOptions,
  ) {
    const { contextLength, targetOf = () => target } = options;
    this.#choice = chooseKernels(graph, target, { vocabSize: spec.vocabSize, contextLength, targetOf });
    this.#kvLayerBytes = roundUp(spec.headCountKv * contextLength * kvRow(spec.headSize) * 2, 256);
  }

  get #stateFedOffset(): number {
    return STATE_HISTORY_OFFSET + 4 * this.options.contextLength;
  }
  get #stateSeenOffset(): number {
    return this.#stateFedOffset + 4 * this.options.contextLength;
  }

  get #stateMeetingOffset(): number {
    return roundUp(this.#stateSeenOffset + 4 * this.spec.vocabSize, 64);
  }

  plan(): Plan {
    const buffers = this.#requestBuffers();
    const placed = planBuffers(buffers);
    const kernels = new KernelTable();
    const effects = this.#choice.lowered.map((lowered) => this.#effects(lowered, placed));
    this.#checkSettled(effects);
    const edges = planEdges(effects);
    const nodes = this.#choice.lowered.map((lowered, index): PlannedNode => {
      return {
        name: lowered.name,
        kernel: this.#kernel(kernels, lowered.name, lowered.config),
        args: this.#args(lowered, placed),
        after: edges[index]!,
        readBytes: readBytes(lowered.op),
        kvRowBytes: kvRowBytes(lowered.op),
        kvPositions: kvPositions(lowered.op, this.options.contextLength),
        about: about(lowered.op),
      };
    });
    const buckets = this.#choice.limits.map((positions, bucket): PlannedBucket => {
      const replaced = this.#choice.lowered.flatMap(({ name, shorter }, node) =>
        shorter[bucket] ? [{ node, kernel: this.#kernel(kernels, name, shorter[bucket]) }] : [],
      );
      return { positions, kernels: replaced.filter(({ node, kernel }) => nodes[node]!.kernel !== kernel) };
    });
    const { spec, options } = this;
    return verifyPlan({
      version: PLAN_VERSION,
      compilerVersion: options.compilerVersion,
      target: { kind: this.target.kind, archs: this.target.archs },
      model: {
        name: spec.name,
        architecture: spec.architecture,
        vocabSize: spec.vocabSize,
        contextLength: options.contextLength,
        embeddingLength: spec.embeddingLength,
        feedForwardLength: spec.feedForwardLength,
        layerCount: spec.layers.length,
        headCount: spec.headCount,
        headCountKv: spec.headCountKv,
        headSize: spec.headSize,
        fileBytes: spec.file.bytes,
        headerBytes: spec.file.headerBytes,
        headerSha256: spec.file.headerSha256,
        ...((spec.file.parts.length > 1 || spec.file.parts[0]?.name !== undefined) && { parts: spec.file.parts }),
      },
      memory: {
        weightsBytes: this.#choice.weights.totalBytes,
        kvCacheBytes: this.#kvLayerBytes * 2 * spec.layers.length,
        arenaBytes: placed.totalBytes,
        stateBytes: roundUp(this.#stateMeetingOffset + this.#choice.meetingBytes, 256),
        logitsOffset: placed.offsets.get(this.graph.logits.name)!,
        tokenReadBytes: sum(nodes.map((node) => node.readBytes)),
        kvRowBytes: sum(nodes.map((node) => node.kvRowBytes)),
      },
      kernels: kernels.kernels,
      nodes,
      buckets,
      buffers: buffers.map(({ name, bytes, firstUse, lastUse }) => ({
        name,
        offset: placed.offsets.get(name)!,
        bytes,
        firstNode: firstUse,
        lastNode: lastUse,
      })),
      tensors: this.#choice.weights.tensors,
      formats: formatsOf(this.#choice.weights.tensors),
    });
  }

  #kernel(kernels: KernelTable, node: string, config: KernelConfig): number {
    const launch = launchOf(config);
    checkShared(node, launch, this.target);
    return kernels.index(node, config, launch);
  }

  /** Every value, and what the splits of an attention leave for each other, from the node that writes it to its last reader. */
  #requestBuffers(): BufferRequest[] {
    const uses = new Map<string, { bytes: number; firstUse: number; lastUse: number }>();
    const use = (name: string, bytes: number, node: number) => {
      const known = uses.get(name);
      uses.set(name, { bytes, firstUse: known?.firstUse ?? node, lastUse: node });
    };
    for (const [index, lowered] of this.#choice.lowered.entries()) {
      const { op } = lowered;
      const { bytes, values } = this.#choice.gathered;
      for (const value of [...reads(op).values, ...writes(op).values])
        if (!values.has(value)) use(value.name, this.#valueBytes(value), index);
        else use(GATHERED, bytes, index);
      if (op.kind === 'embed' && bytes > 0) use(GATHERED, bytes, index);
      if (op.kind === 'attend' && partialBytes(lowered) > 0) use(partialName(op), partialBytes(lowered), index);
      if (op.kind === 'select_best') use(adjustedName(op), 4 * op.logits.size, index);
    }
    // The host reads the logits when the graph has ended.
    use(this.graph.logits.name, this.#valueBytes(this.graph.logits), this.#choice.lowered.length - 1);
    return [...uses].map(([name, { bytes, firstUse, lastUse }]) => ({ name, bytes, firstUse, lastUse }));
  }

  /** A value of size 0 is the candidates' list, one (value, row) for each block of the output projection. */
  #valueBytes(value: Value): number {
    return value.size === 0 ? 8 * this.#choice.candidates : 4 * value.size;
  }

  /**
   * attend.cuh reads the state and its cached rows before its wait, so no earlier node of a launch may write them. A sum
   * of experts reads logits before its wait: between the node that writes them and this one must be one that lets the
   * next start only after its own wait.
   */
  #checkSettled(effects: readonly EdgeNode[]): void {
    for (const [index, { op, name }] of this.#choice.lowered.entries()) {
      if (op.kind === 'experts' && op.sum) {
        const before = this.#choice.lowered.slice(0, index);
        const writer = before.findIndex((other) => writes(other.op).values.includes(op.logits));
        const waits = ({ config }: Lowered) =>
          config.kind === 'experts' || (config.kind === 'projection' && !config.whole);
        if (!before.slice(writer + 1).some(waits))
          throw new Error(`${name} reads ${op.logits.name} before its wait, and no node that waits is between them`);
      }
      if (op.kind !== 'attend') continue;
      const early = effects[index]!.reads.filter(({ region }) => region !== 'arena');
      for (const [before, { writes }] of effects.slice(0, index).entries())
        if (writes.some((a) => early.some((b) => a.region === b.region && a.start < b.end && b.start < a.end)))
          throw new Error(`${name} reads before its wait what ${this.#choice.lowered[before]!.name} writes`);
    }
  }

  #effects(lowered: Lowered, placed: BufferPlan): EdgeNode {
    const { op } = lowered;
    const value = (v: Value): Interval => {
      const gathered = this.#choice.gathered.values.get(v);
      if (!gathered) return this.#arena(v.name, this.#valueBytes(v), placed);
      const start = placed.offsets.get(GATHERED)! + gathered.offset;
      return { region: 'arena', start, end: start + gathered.bytes };
    };
    const resource = (name: string): Interval =>
      name === 'state'
        ? { region: 'state', start: 0, end: STATE_BYTES }
        : { region: 'kv_cache', ...this.#layerInterval(Number(name.slice('kv.'.length))) };
    const read = [...reads(op).values.map(value), ...reads(op).resources.map(resource)];
    const write = [...writes(op).values.map(value), ...writes(op).resources.map(resource)];
    if (op.kind === 'attend' && partialBytes(lowered) > 0) {
      write.push({ region: 'state', start: STATE_COUNTERS_OFFSET, end: STATE_SAMPLING_OFFSET });
      write.push(this.#arena(partialName(op), partialBytes(lowered), placed));
    }
    if (op.kind === 'select_best') write.push(this.#arena(adjustedName(op), 4 * op.logits.size, placed));
    const { bytes } = this.#choice.gathered;
    if (op.kind === 'embed' && bytes > 0) write.push(this.#arena(GATHERED, bytes, placed));
    // Each node's blocks take all multiprocessors: two side by side would only share them, and a chain needs no joins.
    write.push({ region: 'order', start: 0, end: 1 });
    return { reads: read, writes: write, waits: true };
  }

  #arena(name: string, bytes: number, placed: BufferPlan): Interval {
    const start = placed.offsets.get(name)!;
    return { region: 'arena', start, end: start + bytes };
  }

  #layerInterval(layer: number): { start: number; end: number } {
    return { start: layer * 2 * this.#kvLayerBytes, end: (layer + 1) * 2 * this.#kvLayerBytes };
  }

  #args(lowered: Lowered, placed: BufferPlan): PlannedArgument[] {
    const { op } = lowered;
    const none = (name: string): PlannedArgument => ({ name, region: null, offset: 0 });
    const arena = (name: string, buffer: string, from = 0): PlannedArgument => ({
      name,
      region: 'arena',
      offset: placed.offsets.get(buffer)! + from,
    });
    const value = (name: string, v: Value | undefined): PlannedArgument => {
      const gathered = v && this.#choice.gathered.values.get(v);
      if (gathered) return arena(name, GATHERED, gathered.offset);
      return v ? arena(name, v.name) : none(name);
    };
    const vector = (name: string, w: Weight | undefined): PlannedArgument =>
      w ? { name, region: 'weights', offset: this.#choice.weights.vector(w) } : none(name);
    const weights = (name = 'weights', of: FusedOp = op): PlannedArgument => ({
      name,
      region: 'weights',
      offset: this.#choice.weightStarts.get(of)!,
    });
    const state: PlannedArgument = { name: 'state', region: 'state', offset: 0 };
    switch (op.kind) {
      case 'embed':
        return [
          weights(),
          state,
          value('output', op.output),
          this.#choice.gathered.bytes > 0 ? arena('logits', GATHERED) : none('logits'),
        ];
      case 'projection': {
        const biases = op.segments.flatMap((segment) => segment.biases);
        const scales = op.segments.flatMap((segment) => segment.weights.map(({ scale }) => scale));
        const later = this.#choice.ahead.get(op);
        return [
          weights(),
          value('input', op.input),
          vector('norm', op.norm?.weight),
          vector('norm_bias', op.norm?.bias),
          value('residual', op.residual),
          value('output', op.output),
          value('best', op.best),
          ...[0, 1, 2].map((i) => vector(`bias${i}`, biases[i])),
          later ? weights('ahead', later) : none('ahead'),
          ...[0, 1, 2].map((i) => vector(`scale${i}`, scales[i])),
          vector('sum_norm', op.inputSum?.norm.weight),
          value('sum_residual', op.inputSum?.residual),
          value('sum', op.inputSum?.output),
          vector('router', op.router?.weight),
          vector('router_norm', op.router?.norm.weight),
          value('logits', op.router?.logits),
        ];
      }
      case 'experts':
        return [
          weights(),
          value('input', op.input),
          value('logits', op.logits),
          vector('norm', op.norm?.weight),
          value('shared', op.shared),
          value('residual', op.residual),
          value('output', op.output),
          ...[0, 1].map((i) => vector(`bias${i}`, op.segment.biases[i])),
          ...[0, 1].map((i) => vector(`scale${i}`, op.segment.weights[i]?.scale)),
          vector('selection', op.selection),
        ];
      case 'norm_add':
        return [
          value('input', op.input),
          vector('norm', op.norm.weight),
          vector('norm_bias', op.norm.bias),
          value('residual', op.residual),
          value('output', op.output),
        ];
      case 'attend': {
        const { start } = this.#layerInterval(op.layer);
        const splits = partialBytes(lowered) > 0;
        return [
          value('qkv', op.qkv),
          vector('query_norm', op.queryNorm?.weight),
          vector('key_norm', op.keyNorm?.weight),
          vector('rope_factors', op.rope?.factors),
          vector('sinks', op.sinks),
          { name: 'keys', region: 'kv_cache', offset: start },
          { name: 'values', region: 'kv_cache', offset: start + this.#kvLayerBytes },
          state,
          { name: 'counters', region: 'state', offset: STATE_COUNTERS_OFFSET },
          splits ? arena('partial', partialName(op)) : none('partial'),
          value('output', op.output),
        ];
      }
      case 'select_best':
        return [
          value('best', op.best),
          value('logits', op.logits),
          arena('adjusted', adjustedName(op)),
          state,
          { name: 'history', region: 'state', offset: STATE_HISTORY_OFFSET },
          { name: 'fed', region: 'state', offset: this.#stateFedOffset },
          { name: 'seen', region: 'state', offset: this.#stateSeenOffset },
          this.#choice.meetingBytes > 0
            ? { name: 'meeting', region: 'state', offset: this.#stateMeetingOffset }
            : none('meeting'),
        ];
    }
  }
}

/** The buffer of all gathered logits: the first node clears it, so it lives from there on. */
const GATHERED = 'gathered_logits';
const adjustedName = (op: SelectBest): string => `${op.logits.name}.adjusted`;
const partialName = (op: Attend): string => `${op.output.name}.splits`;

/** Room for the splits of any bucket's kernel. */
const partialBytes = ({ config, shorter }: Lowered): number =>
  Math.max(...[config, ...shorter].map((c) => (c.kind === 'attend' ? 4 * partialSize(c) : 0)));

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** Matrices of a projection or of the chosen experts, or a row of the embedding, as the file stores them. */
function readBytes(op: FusedOp): number {
  if (op.kind === 'embed') return op.weight.bytes / op.weight.rows;
  if (op.kind === 'experts')
    return sum(op.segment.weights.map(({ bytes }) => (bytes / op.experts.count) * op.experts.used));
  if (op.kind !== 'projection') return 0;
  return sum(op.segments.flatMap(({ weights }) => weights.map(({ bytes }) => bytes))) + (op.router?.weight.bytes ?? 0);
}

/** A key and a value of each head: of one position. */
function kvRowBytes(op: FusedOp): number {
  return op.kind === 'attend' ? 2 * op.headCountKv * kvRow(op.headSize) * 2 : 0;
}

function kvPositions(op: FusedOp, contextLength: number): number {
  return op.kind === 'attend' ? Math.min(op.window ?? contextLength, contextLength) : 0;
}

function formatsOf(tensors: readonly { type: GgmlType }[]): GgmlType[] {
  return [...new Set(tensors.map(({ type }) => type))].sort((a, b) => GGML_TYPES[a].id - GGML_TYPES[b].id);
}
