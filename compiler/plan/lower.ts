/** Fused graph -> plan: kernels with their shapes, nodes with resolved arguments, memory with offsets. */
import { CompileError } from '../errors.js';
import { reads, writes } from '../ir/effects.js';
import type {
  Attend,
  Embed,
  Experts,
  FusedOp,
  Graph,
  Norm,
  Projection,
  Segment,
  SelectBest,
  Value,
} from '../ir/ops.js';
import { GGML_TYPES, type GgmlType } from '../model/ggml.js';
import type { ModelSpec, Weight } from '../model/spec.js';
import { about } from './about.js';
import { aheadConfig, lookAhead } from './ahead.js';
import { type AttendConfig, attendCounters, kvRow, partialSize } from './attention.js';
import { attentionBuckets, type Buckets } from './buckets.js';
import { type BufferPlan, type BufferRequest, planBuffers } from './buffers.js';
import { type EdgeNode, type Interval, planEdges } from './edges.js';
import { type ExpertsConfig, expertsConfig } from './experts.js';
import { roundUp } from './formats.js';
import { KernelTable } from './kernel_table.js';
import {
  checkShared,
  embedConfig,
  type KernelConfig,
  launchOf,
  normAddConfig,
  type ProjectionConfig,
  pairsBlocks,
  projectionConfig,
} from './kernels.js';
import {
  PLAN_VERSION,
  type Plan,
  type PlannedArgument,
  type PlannedBucket,
  type PlannedNode,
  verifyPlan,
} from './plan.js';
import { meetingBytes, selectConfig } from './select.js';
import type { Target } from './target.js';
import { shapeOf, type TargetOf } from './tuning.js';
import { WeightPlanner } from './weights.js';

/** runtime/artifact.h: State, counters, sampling parameters, logit biases, then what depends on the model. */
const STATE_COUNTERS_OFFSET = 64;
const STATE_COUNTERS = 1024;
const STATE_SAMPLING_OFFSET = STATE_COUNTERS_OFFSET + 4 * STATE_COUNTERS;
const STATE_HISTORY_OFFSET = STATE_SAMPLING_OFFSET + 64 + 8 * 1024;
const STATE_BYTES = 16;

export interface LowerOptions {
  readonly contextLength: number;
  readonly compilerVersion: string;
  /** Default: the target as it is for every kernel. */
  readonly targetOf?: TargetOf | undefined;
}

export function lower(spec: ModelSpec, graph: Graph, target: Target, options: LowerOptions): Plan {
  return new Lowering(spec, graph, target, options).plan();
}

/** A fused operation with its kernel chosen. */
interface Lowered {
  readonly op: FusedOp;
  readonly name: string;
  readonly config: KernelConfig;
  /** Of an attention: its kernels in shorter contexts, one a bucket. */
  readonly shorter: readonly AttendConfig[];
}

class Lowering {
  readonly #weights = new WeightPlanner();
  readonly #weightStarts = new Map<FusedOp, number>();
  /** Of projections that look ahead, the later one. */
  readonly #ahead = new Map<FusedOp, FusedOp>();
  readonly #ops: readonly FusedOp[];
  readonly #paired: boolean;
  readonly #lowered: Lowered[] = [];
  readonly #kvLayerBytes: number;
  readonly #buckets: Buckets;
  readonly #targetOf: TargetOf;
  #candidates = 0;
  #meetingBytes = 0;

  constructor(
    private readonly spec: ModelSpec,
    private readonly graph: Graph,
    private readonly target: Target,
    private readonly options: LowerOptions,
  ) {
    this.#ops = graph.ops as readonly FusedOp[];
    this.#paired = pairsBlocks(this.#ops, target);
    this.#targetOf = options.targetOf ?? (() => target);
    this.#buckets = attentionBuckets(this.#ops, options.contextLength, target, {
      paired: this.#paired,
      targetOf: this.#targetOf,
    });
    this.#kvLayerBytes = roundUp(spec.headCountKv * options.contextLength * kvRow(spec.headSize) * 2, 256);
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
    this.#chooseKernels();
    const buffers = this.#requestBuffers();
    const placed = planBuffers(buffers);
    const kernels = new KernelTable();
    const effects = this.#lowered.map((lowered) => this.#effects(lowered, placed));
    this.#checkSettled(effects);
    const edges = planEdges(effects);
    const nodes = this.#lowered.map((lowered, index): PlannedNode => {
      return {
        name: lowered.name,
        kernel: this.#kernel(kernels, lowered.name, lowered.config),
        args: this.#args(lowered, placed),
        after: edges[index]!,
        readBytes: readBytes(lowered.op),
        kvRowBytes: kvRowBytes(lowered.op),
        about: about(lowered.op),
      };
    });
    const buckets = this.#buckets.limits.map((positions, bucket): PlannedBucket => {
      const replaced = this.#lowered.flatMap(({ name, shorter }, node) =>
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
        weightsBytes: this.#weights.totalBytes,
        kvCacheBytes: this.#kvLayerBytes * 2 * spec.layers.length,
        arenaBytes: placed.totalBytes,
        stateBytes: roundUp(this.#stateMeetingOffset + this.#meetingBytes, 256),
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
      tensors: this.#weights.tensors,
      formats: formatsOf(this.#weights.tensors),
    });
  }

  #kernel(kernels: KernelTable, node: string, config: KernelConfig): number {
    const launch = launchOf(config);
    checkShared(node, launch, this.target);
    return kernels.index(node, config, launch);
  }

  /** Projections first: where the model ties its embedding, the output projection decides that matrix's layout. */
  #chooseKernels(): void {
    const configs = new Map<FusedOp, KernelConfig>();
    for (const op of this.#ops) {
      if (op.kind === 'projection') configs.set(op, this.#chooseProjection(op));
      if (op.kind === 'experts') configs.set(op, this.#chooseExperts(op));
      if (op.kind === 'attend') configs.set(op, this.#chooseAttend(op));
      if (op.kind === 'norm_add') {
        this.#placeNorm(op.norm);
        configs.set(op, normAddConfig(op, this.target));
      }
    }
    for (const op of this.#ops) {
      if (op.kind === 'embed') configs.set(op, this.#chooseEmbed(op));
      if (op.kind === 'select_best') configs.set(op, this.#chooseSelect());
    }
    for (const [index, op] of this.#ops.entries()) {
      const later = this.#paired ? undefined : lookAhead(this.#ops, index);
      if (!later) continue;
      const ahead = aheadConfig(configs.get(later) as ProjectionConfig, this.target.projection.aheadBytes);
      configs.set(op, { ...(configs.get(op) as ProjectionConfig), ahead });
      this.#ahead.set(op, later);
    }
    for (const op of this.#ops) {
      const shorter = op.kind === 'attend' ? this.#buckets.configs.get(op)!.slice(0, -1) : [];
      this.#lowered.push({ op, name: nodeName(op), config: configs.get(op)!, shorter });
    }
  }

  #chooseProjection(op: Projection): ProjectionConfig {
    const untuned = projectionConfig(op, this.target, this.#paired);
    const config = projectionConfig(op, this.#targetOf(shapeOf(untuned)), this.#paired);
    this.#weightStarts.set(op, this.#weights.projection(op, config));
    this.#placeNorm(op.inputSum?.norm);
    this.#placeNorm(op.norm);
    this.#placeRowVectors(op.segments);
    if (op.best) this.#candidates = config.blocks;
    return config;
  }

  #chooseExperts(op: Experts): ExpertsConfig {
    const config = expertsConfig(op, this.target, this.#paired);
    this.#weightStarts.set(op, this.#weights.projection({ segments: [op.segment] }, config));
    this.#placeNorm(op.norm);
    this.#placeRowVectors([op.segment]);
    return config;
  }

  #placeRowVectors(segments: readonly Segment[]): void {
    for (const { weights, biases } of segments)
      for (const vector of [...biases, ...weights.map(({ scale }) => scale)]) if (vector) this.#weights.vector(vector);
  }

  #placeNorm(norm: Norm | undefined): void {
    for (const vector of [norm?.weight, norm?.bias]) if (vector) this.#weights.vector(vector);
  }

  #chooseAttend(op: Attend): AttendConfig {
    for (const vector of [op.queryNorm?.weight, op.keyNorm?.weight, op.rope?.factors, op.sinks])
      if (vector) this.#weights.vector(vector);
    const configs = this.#buckets.configs.get(op)!;
    const counters = Math.max(...configs.map(attendCounters));
    if (counters > STATE_COUNTERS)
      throw new CompileError(
        `${op.output.name} has ${counters} groups of heads; at most ${STATE_COUNTERS} are supported`,
      );
    return configs.at(-1)!;
  }

  #chooseSelect(): KernelConfig {
    const config = selectConfig(this.#candidates, this.spec.vocabSize, this.target);
    this.#meetingBytes = meetingBytes(config);
    return config;
  }

  #chooseEmbed(op: Embed): KernelConfig {
    const { offset, tiling } = this.#weights.embedding(op.weight);
    this.#weightStarts.set(op, offset);
    return embedConfig(op, tiling);
  }

  /** Every value, and what the splits of an attention leave for each other, from the node that writes it to its last reader. */
  #requestBuffers(): BufferRequest[] {
    const uses = new Map<string, { bytes: number; firstUse: number; lastUse: number }>();
    const use = (name: string, bytes: number, node: number) => {
      const known = uses.get(name);
      uses.set(name, { bytes, firstUse: known?.firstUse ?? node, lastUse: node });
    };
    for (const [index, lowered] of this.#lowered.entries()) {
      const { op } = lowered;
      for (const value of [...reads(op).values, ...writes(op).values]) use(value.name, this.#valueBytes(value), index);
      if (op.kind === 'attend' && partialBytes(lowered) > 0) use(partialName(op), partialBytes(lowered), index);
      if (op.kind === 'select_best') use(adjustedName(op), 4 * op.logits.size, index);
    }
    // The host reads the logits when the graph has ended.
    use(this.graph.logits.name, this.#valueBytes(this.graph.logits), this.#lowered.length - 1);
    return [...uses].map(([name, { bytes, firstUse, lastUse }]) => ({ name, bytes, firstUse, lastUse }));
  }

  /** A value of size 0 is the candidates' list, one (value, row) for each block of the output projection. */
  #valueBytes(value: Value): number {
    return value.size === 0 ? 8 * this.#candidates : 4 * value.size;
  }

  /**
   * attend.cuh reads the state and its cached rows before its wait, so no earlier node of a launch may write them. A sum
   * of experts reads logits before its wait: between the node that writes them and this one must be one that lets the
   * next start only after its own wait.
   */
  #checkSettled(effects: readonly EdgeNode[]): void {
    for (const [index, { op, name }] of this.#lowered.entries()) {
      if (op.kind === 'experts' && op.sum) {
        const before = this.#lowered.slice(0, index);
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
          throw new Error(`${name} reads before its wait what ${this.#lowered[before]!.name} writes`);
    }
  }

  #effects(lowered: Lowered, placed: BufferPlan): EdgeNode {
    const { op } = lowered;
    const value = (v: Value): Interval => this.#arena(v.name, this.#valueBytes(v), placed);
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
    const value = (name: string, v: Value | undefined): PlannedArgument =>
      v ? { name, region: 'arena', offset: placed.offsets.get(v.name)! } : none(name);
    const vector = (name: string, w: Weight | undefined): PlannedArgument =>
      w ? { name, region: 'weights', offset: this.#weights.vector(w) } : none(name);
    const weights = (name = 'weights', of: FusedOp = op): PlannedArgument => ({
      name,
      region: 'weights',
      offset: this.#weightStarts.get(of)!,
    });
    const state: PlannedArgument = { name: 'state', region: 'state', offset: 0 };
    switch (op.kind) {
      case 'embed':
        return [weights(), state, value('output', op.output)];
      case 'projection': {
        const biases = op.segments.flatMap((segment) => segment.biases);
        const scales = op.segments.flatMap((segment) => segment.weights.map(({ scale }) => scale));
        const later = this.#ahead.get(op);
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
          splits ? { name: 'partial', region: 'arena', offset: placed.offsets.get(partialName(op))! } : none('partial'),
          value('output', op.output),
        ];
      }
      case 'select_best':
        return [
          value('best', op.best),
          value('logits', op.logits),
          { name: 'adjusted', region: 'arena', offset: placed.offsets.get(adjustedName(op))! },
          state,
          { name: 'history', region: 'state', offset: STATE_HISTORY_OFFSET },
          { name: 'fed', region: 'state', offset: this.#stateFedOffset },
          { name: 'seen', region: 'state', offset: this.#stateSeenOffset },
          this.#meetingBytes > 0
            ? { name: 'meeting', region: 'state', offset: this.#stateMeetingOffset }
            : none('meeting'),
        ];
    }
  }
}

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
  return op.kind === 'projection' ? sum(op.segments.flatMap(({ weights }) => weights.map(({ bytes }) => bytes))) : 0;
}

/** A key and a value of each head, for each position that is attended to. */
function kvRowBytes(op: FusedOp): number {
  return op.kind === 'attend' ? 2 * op.headCountKv * kvRow(op.headSize) * 2 : 0;
}

function nodeName(op: FusedOp): string {
  return op.kind === 'select_best' ? 'select' : op.output.name;
}

function formatsOf(tensors: readonly { type: GgmlType }[]): GgmlType[] {
  return [...new Set(tensors.map(({ type }) => type))].sort((a, b) => GGML_TYPES[a].id - GGML_TYPES[b].id);
}
