import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildGraph } from '../../compiler/ir/build.js';
import type { Attend, Value } from '../../compiler/ir/ops.js';
import { runPasses } from '../../compiler/passes/index.js';
import { attendConfigs, attendCost, bucketLimits } from '../../compiler/plan/attention.js';
import { attentionBuckets } from '../../compiler/plan/buckets.js';
import { launchOf } from '../../compiler/plan/kernels.js';
import { lower } from '../../compiler/plan/lower.js';
import { cudaTarget, hostTarget, type Target } from '../../compiler/plan/target.js';
import { FAMILIES, makeSpec } from '../support/specs.js';

const TARGETS: Target[] = [hostTarget(), cudaTarget(['sm_80']), cudaTarget(['sm_90a']), cudaTarget(['sm_120'])];
const h100 = cudaTarget(['sm_90a']);
const value = (size: number): Value => ({ id: 0, name: 'v', size });

const attend = (headCount: number, headCountKv: number, headSize: number, window?: number): Attend =>
  ({
    kind: 'attend',
    headCount,
    headCountKv,
    headSize,
    ...(window !== undefined && { window }),
    layer: 0,
    rope: { dimensions: headSize, base: 1e4, pairing: 'half' },
    qkv: value((headCount + 2 * headCountKv) * headSize),
    output: value(headCount * headSize),
  }) as Attend;

const configsOf = (op: Attend, context: number, target: Target) =>
  attendConfigs(op, bucketLimits(context, target), context, target);

describe('an attention', () => {
  it('gives every head to one group of blocks, and every share of the context to one block', () => {
    const kvHeads = fc.integer({ min: 1, max: 16 });
    const ratio = fc.integer({ min: 1, max: 40 });
    const headSize = fc.integer({ min: 16, max: 128 }).map((half) => 2 * half);
    const context = fc.integer({ min: 1, max: 131072 });
    const targets = fc.constantFrom(...TARGETS);
    const windows = fc.option(fc.integer({ min: 1, max: 8192 }), { nil: undefined });
    fc.assert(
      fc.property(kvHeads, ratio, headSize, context, windows, targets, (kv, r, size, positions, window, target) => {
        for (const config of configsOf(attend(kv * r, kv, size, window), positions, target)) {
          const { blocks, sharedBytes } = launchOf(config);
          expect(r % config.headsPerBlock).toBe(0);
          expect(config.headsPerBlock).toBeLessThanOrEqual(target.attention.maxHeadsPerBlock);
          expect(blocks).toBe((config.heads / config.headsPerBlock) * config.splits);
          // No split that can never have a position.
          expect((config.splits - 1) * config.minSplit).toBeLessThan(Math.min(positions, window ?? positions));
          expect(sharedBytes).toBeLessThanOrEqual(target.sharedBytes);
        }
      }),
    );
  });

  it('has work for nearly all multiprocessors from 512 positions on', () => {
    const models: [number, number, number][] = [
      [32, 8, 64],
      [32, 8, 128],
      [14, 2, 64],
      [64, 8, 128],
      [16, 16, 64],
    ];
    for (const [heads, kvHeads, headSize] of models) {
      const limits = bucketLimits(8192, h100);
      for (const [i, config] of configsOf(attend(heads, kvHeads, headSize), 8192, h100).entries()) {
        const seen = Math.max(512, (limits[i - 1] ?? 0) + 1);
        if (limits[i]! < seen) continue;
        const working = (heads / config.headsPerBlock) * Math.min(config.splits, Math.ceil(seen / config.minSplit));
        expect(working, `${heads} heads, ${limits[i]} positions`).toBeGreaterThan(0.7 * h100.multiprocessors);
      }
    }
  });

  it('shares what heads read of a long context, and shares their work in a short one', () => {
    const [short, ...longer] = configsOf(attend(14, 2, 64), 8192, h100);
    expect(short!.headsPerBlock).toBe(1);
    expect(longer.at(-1)).toMatchObject({ headsPerBlock: 7, splits: 66 });
  });

  // Microseconds a layer, from docs/performance.md's rows: 64 positions are the mean of those that depth 0 times.
  it('costs what it was solved for', () => {
    const cost = (op: Attend, heads: number, splits: number, positions: number) => {
      const [config] = configsOf(op, 8192, h100).slice(-1);
      return attendCost({ ...config!, headsPerBlock: heads, splits }, positions, h100);
    };
    const deeper = (op: Attend, heads: number, splits: number) =>
      cost(op, heads, splits, 4096 + 64) - cost(op, heads, splits, 64);
    const us = (tokensPerSecond: number) => 1e6 / tokensPerSecond;
    expect(deeper(attend(32, 8, 64), 4, 16)).toBeCloseTo((us(1818.1) - us(2265)) / 16, 1);
    expect(deeper(attend(32, 8, 128), 4, 16)).toBeCloseTo((us(484) - us(598.9)) / 32, 1);
    const qwen = attend(14, 2, 64);
    expect(deeper(qwen, 1, 9)).toBeCloseTo((us(1679) - us(2668)) / 24, 1);
    expect(deeper(qwen, 7, 66)).toBeCloseTo((558 - 439) / 24, 1);
    expect(cost(qwen, 7, 66, 64) - cost(qwen, 1, 9, 64)).toBeCloseTo((439 - 375) / 24, 1);
  });

  it('does not split further than its window goes', () => {
    const configs = configsOf(attend(16, 8, 128, 512), 32768, h100);
    expect(configs.at(-1)!.splits).toBeLessThanOrEqual(16);
    expect(configs.at(-1)).toEqual(configs.at(-2)); // one kernel from the window on
  });
});

describe('context buckets', () => {
  it('are ascending, no more than the target has, and differ from each other', () => {
    const context = fc.integer({ min: 1, max: 131072 });
    const shapes = fc.array(
      fc.record({ kv: fc.integer({ min: 1, max: 8 }), ratio: fc.integer({ min: 1, max: 8 }), window: fc.nat(4096) }),
      { minLength: 1, maxLength: 3 },
    );
    fc.assert(
      fc.property(shapes, context, fc.constantFrom(...TARGETS), (ops, positions, target) => {
        const graph = ops.map(({ kv, ratio, window }) => attend(kv * ratio, kv, 64, window || undefined));
        const { limits, configs } = attentionBuckets(graph, positions, target);
        expect(limits.length).toBeLessThan(target.attention.maxBuckets);
        for (const [i, limit] of limits.entries()) {
          expect(limit).toBeGreaterThan(limits[i - 1] ?? 0);
          expect(limit).toBeLessThan(positions);
          expect([...configs.values()].some((own) => own[i] !== own[i + 1])).toBe(true);
        }
        for (const own of configs.values()) expect(own).toHaveLength(limits.length + 1);
      }),
    );
  });

  it.each(Object.entries(FAMILIES))('of %s replace the kernels of attention nodes alone', (_, options) => {
    for (const target of TARGETS) {
      const spec = makeSpec({ ...options, layers: 3 });
      const plan = lower(spec, runPasses(buildGraph(spec)), target, { contextLength: 8192, compilerVersion: '0.0.0' });
      for (const { kernels } of plan.buckets)
        for (const { node, kernel } of kernels) {
          expect(plan.nodes[node]!.name).toMatch(/attn_kqv$/);
          expect(plan.kernels[kernel]!.config.kind).toBe('attend');
          expect(kernel).not.toBe(plan.nodes[node]!.kernel);
        }
    }
  });

  it('leave room for the splits of the kernel that has most of them', () => {
    const spec = makeSpec({ layers: 2, heads: 14, kvHeads: 2, headSize: 64 });
    const plan = lower(spec, runPasses(buildGraph(spec)), h100, { contextLength: 8192, compilerVersion: '0.0.0' });
    expect(plan.buckets.map(({ positions }) => positions)).toEqual([2048]);
    const splits = plan.kernels.flatMap(({ config }) =>
      config.kind === 'attend' ? [config.heads * config.splits * (config.headSize + 2)] : [],
    );
    expect(splits).toHaveLength(2);
    expect(plan.buffers.find(({ name }) => name === 'blk.0.attn_kqv.splits')!.bytes).toBe(4 * Math.max(...splits));
  });
});
