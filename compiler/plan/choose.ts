/** Fused graph -> kernels with their shapes, and weights laid out for them. */

import { roundUp } from '../arithmetic.js';
import { CompileError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import type { Embed, Value } from '../ir/ops.js';
import { type AttendConfig, attendCounters } from '../kernels/attend/config.js';
import type { Attend } from '../kernels/attend/operation.js';
import { embedConfig } from '../kernels/embed.js';
import { type ExpertsConfig, expertsConfig } from '../kernels/experts/config.js';
import type { Experts } from '../kernels/experts/operation.js';
import { type FusedOp, type KernelConfig, kernelOf } from '../kernels/index.js';
import { type ProjectionConfig, projectionConfig } from '../kernels/projection/config.js';
import type { Projection } from '../kernels/projection/operation.js';
import { GATHERED_BYTES, type RouterShare } from '../kernels/router.js';
import { meetingBytes, selectConfig } from '../kernels/select.js';
import { aheadConfig, fillsRings, lookAhead } from './ahead.js';
import { attentionBuckets } from './buckets.js';
import { besideAttention, pairedBlocks, targetBeside, targetOfWhole } from './paired.js';
import { STATE_COUNTERS } from './state.js';
import type { Target } from './target.js';
import { shapeOf, type TargetOf } from './tuning.js';
import { WeightPlanner } from './weights.js';

/** A fused operation with its kernel chosen. */
export interface Lowered {
  readonly op: FusedOp;
  readonly name: string;
  readonly config: KernelConfig;
  /** Of an attention: its kernels in shorter contexts, one a bucket. */
  readonly shorter: readonly AttendConfig[];
}

/** Every operation's kernel, and what follows from the kernels together. */
export interface Choice {
  readonly lowered: readonly Lowered[];
  readonly weights: WeightPlanner;
  /** Of an operation with matrices, where they start in the weights. */
  readonly weightStarts: ReadonlyMap<FusedOp, number>;
  /** Of projections that look ahead, the later one. */
  readonly ahead: ReadonlyMap<FusedOp, FusedOp>;
  /** Buckets.limits */
  readonly limits: readonly number[];
  /** Logits of experts that blocks add up, each value's sums and the blocks' squares, as they lie in one buffer. */
  readonly gathered: Gathered;
  /** Blocks of the output projection, each of which leaves its best token. */
  readonly candidates: number;
  /** What the blocks that choose a token need to meet. */
  readonly meetingBytes: number;
}

/** Bytes, of the whole buffer; and of each value from its start. */
export interface Gathered {
  readonly bytes: number;
  readonly values: ReadonlyMap<Value, { readonly offset: number; readonly bytes: number }>;
}

export interface ChoiceOptions {
  readonly vocabSize: number;
  readonly contextLength: number;
  readonly targetOf: TargetOf;
}

/** Errors: CompileError where an attention has more groups of heads than a session has counters for. */
export function chooseKernels(graph: Graph, target: Target, options: ChoiceOptions): Choice {
  return new Chooser(graph.ops as readonly FusedOp[], target, options).choice();
}

class Chooser {
  readonly #weights = new WeightPlanner();
  readonly #weightStarts = new Map<FusedOp, number>();
  readonly #ahead = new Map<FusedOp, FusedOp>();
  /** pairedBlocks */
  readonly #paired: number | null;
  readonly #gathered = new Map<Value, { offset: number; bytes: number; blocks: number }>();
  #gatheredBytes = 0;
  #candidates = 0;

  constructor(
    private readonly ops: readonly FusedOp[],
    private readonly target: Target,
    private readonly options: ChoiceOptions,
  ) {
    this.#paired = pairedBlocks(ops, target);
  }

  /** Projections first: where the model ties its embedding, the output projection decides that matrix's layout. */
  choice(): Choice {
    const { contextLength, targetOf, vocabSize } = this.options;
    const buckets = attentionBuckets(this.ops, contextLength, this.target, { paired: this.#paired !== null, targetOf });
    const configs = new Map<FusedOp, KernelConfig>();
    let meeting = 0;
    for (const [index, op] of this.ops.entries()) {
      const [beforeThat, before] = [this.ops[index - 2], this.ops[index - 1]].map(
        (other) => other && configs.get(other),
      );
      const { configure, vectors } = kernelOf(op);
      if (configure) configs.set(op, configure(op, { target: this.target }));
      if (op.kind === 'projection') configs.set(op, this.#chooseProjection(op, before, beforeThat));
      if (op.kind === 'experts') configs.set(op, this.#chooseExperts(op, before));
      if (op.kind === 'attend') configs.set(op, this.#chooseAttend(op, buckets.configs.get(op)!));
      for (const vector of vectors(op)) if (vector) this.#weights.vector(vector);
    }
    for (const op of this.ops) {
      if (op.kind === 'embed') configs.set(op, this.#chooseEmbed(op));
      if (op.kind !== 'select_best') continue;
      const config = selectConfig(this.#candidates, vocabSize, this.target);
      meeting = meetingBytes(config);
      configs.set(op, config);
    }
    for (const [index, op] of this.ops.entries()) {
      const later = this.#paired ? undefined : lookAhead(this.ops, index);
      if (!later) continue;
      const ahead = aheadConfig(configs.get(later) as ProjectionConfig, this.target.projection.aheadBytes);
      configs.set(op, { ...(configs.get(op) as ProjectionConfig), ahead });
      this.#ahead.set(op, later);
    }
    const lowered = this.ops.map((op): Lowered => {
      const shorter = op.kind === 'attend' ? buckets.configs.get(op)!.slice(0, -1) : [];
      return { op, name: nodeName(op), config: configs.get(op)!, shorter };
    });
    return {
      lowered,
      weights: this.#weights,
      weightStarts: this.#weightStarts,
      ahead: this.#ahead,
      gathered: { bytes: this.#gatheredBytes, values: this.#gathered },
      limits: buckets.limits,
      candidates: this.#candidates,
      meetingBytes: meeting,
    };
  }

  #chooseProjection(op: Projection, before?: KernelConfig, beforeThat?: KernelConfig): ProjectionConfig {
    const where = besideAttention(this.ops, op);
    const place = this.#paired === null ? 'alone' : where ? 'whole' : 'paired';
    const untuned = projectionConfig(op, this.target, place);
    const target = targetOfWhole(this.options.targetOf(shapeOf(untuned)), where ?? 'before');
    const fills = this.#paired !== null && fillsRings(before, beforeThat, target);
    const chosen = projectionConfig(op, fills ? targetBeside(target, this.#paired!) : target, place);
    const config = fills ? { ...chosen, paced: chosen.ring } : chosen;
    this.#weightStarts.set(op, this.#weights.matrices(op.segments, config));
    if (op.best) this.#candidates = config.blocks;
    if (op.router) this.#gather(op.router, config.blocks);
    return config;
  }

  #gather({ logits }: RouterShare, blocks: number): void {
    const bytes = GATHERED_BYTES * logits.size + 4 * blocks;
    this.#gathered.set(logits, { offset: this.#gatheredBytes, bytes, blocks });
    this.#gatheredBytes += roundUp(bytes, GATHERED_BYTES);
  }

  #chooseExperts(op: Experts, before?: KernelConfig): ExpertsConfig {
    const experts = op.sum && before?.kind === 'experts' ? before : undefined;
    const config = expertsConfig(op, this.target, { experts, gathers: this.#gathered.get(op.logits)?.blocks });
    this.#weightStarts.set(op, this.#weights.matrices([op.segment], config));
    return config;
  }

  #chooseAttend(op: Attend, configs: readonly AttendConfig[]): AttendConfig {
    const counters = Math.max(...configs.map(attendCounters));
    if (counters > STATE_COUNTERS)
      throw new CompileError(
        `${op.output.name} has ${counters} groups of heads; at most ${STATE_COUNTERS} are supported`,
      );
    return configs.at(-1)!;
  }

  #chooseEmbed(op: Embed): KernelConfig {
    const { offset, tiling } = this.#weights.embedding(op.weight);
    this.#weightStarts.set(op, offset);
    return embedConfig(op, tiling, this.#gatheredBytes / GATHERED_BYTES);
  }
}

function nodeName(op: FusedOp): string {
  return op.kind === 'select_best' ? 'select' : op.output.name;
}
