import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildGraph } from '../../compiler/graph/build.js';
import type { Value } from '../../compiler/ir/ops.js';
import { attendConfigs, attendCost, bucketLimits } from '../../compiler/kernels/attend/config.js';
import type { Attend } from '../../compiler/kernels/attend/operation.js';
import { launchOf } from '../../compiler/kernels/index.js';
import { runPasses } from '../../compiler/passes/index.js';
import { attentionBuckets } from '../../compiler/plan/buckets.js';
import { lower } from '../../compiler/plan/lower.js';
import { cudaTarget, hostTarget, type Target } from '../../compiler/target/target.js';
import { planningOf } from '../support/planning.js';
import { FAMILIES, makeSpec } from '../support/specs.js';

const TARGETS: Target[] = [hostTarget(), cudaTarget(['sm_80']), cudaTarget(['sm_90a']), cudaTarget(['sm_120'])];
const h100 = cudaTarget(['sm_90a']);
const value = (cols: number): Value => ({ id: 0, name: 'v', rows: 'token', cols });

const attend = (headCount: number, headCountKv: number, headSize: number, window?: number): Attend =>
  ({
    kind: 'attend',
    headCount,
    headCountKv,
    headSize,
    ...(window !== undefined && { window }),
    cache: { id: 0, layer: 0, kind: 'kv', heads: headCountKv, headSize },
    rope: { dimensions: headSize, base: 1e4, pairing: 'half' },
    qkv: value((headCount + 2 * headCountKv) * headSize),
    output: value(headCount * headSize),
  }) as Attend;

const configsOf = (op: Attend, context: number, target: Target) =>
  attendConfigs(op, bucketLimits(context, target), planningOf(target, context), target);

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

  it('has as many heads a block as still leave work for all multiprocessors', () => {
    const heads = (op: Attend) => configsOf(op, 8192, h100).map(({ headsPerBlock }) => headsPerBlock);
    expect(heads(attend(14, 2, 64))).toEqual(heads(attend(14, 2, 64)).map(() => 1));
    expect(heads(attend(32, 8, 128))[0]).toBe(1);
    expect(heads(attend(32, 8, 128)).at(-1)).toBe(2);
    expect(heads(attend(64, 8, 128)).at(-1)).toBe(4);
  });

  // Microseconds a layer between two depths, or two numbers of heads a block, from docs/lab/2026-11-28-h100.md's rows. A row of
  // depth d is of 128 tokens, so of d + 64 positions in the mean.
  it('costs what was measured', () => {
    const [llama8b, llama1b, qwen] = [attend(32, 8, 128), attend(32, 8, 64), attend(14, 2, 64)];
    const cost = (op: Attend, headsPerBlock: number, splits: number, depth: number) => {
      const [config] = configsOf(op, 8192, h100);
      const unsplit = splits === 1 ? 8192 : 0;
      return attendCost({ ...config!, headsPerBlock, splits, unsplit }, depth + 64, h100);
    };
    const rows: [number, number][] = [
      [cost(llama8b, 1, 1, 200) - cost(llama8b, 1, 1, 0), (1973.3 - 1899.4) / 32],
      [cost(llama1b, 1, 1, 200) - cost(llama1b, 1, 1, 0), (541.5 - 529.6) / 16],
      [cost(qwen, 1, 1, 500) - cost(qwen, 1, 1, 0), (408.9 - 357) / 24],
      [cost(qwen, 1, 9, 4096) - cost(qwen, 1, 1, 500), (461.3 - 408.9) / 24],
      [cost(qwen, 7, 64, 4096) - cost(qwen, 1, 9, 4096), (567.5 - 461.3) / 24],
      [cost(llama8b, 2, 8, 500) - cost(llama8b, 1, 1, 200), (2000.8 - 1973.3) / 32],
      [cost(llama8b, 2, 8, 4096) - cost(llama8b, 2, 8, 500), (2185.3 - 2000.8) / 32],
      [cost(llama8b, 4, 16, 4096) - cost(llama8b, 2, 8, 4096), (2202.2 - 2185.3) / 32],
    ];
    for (const [planned, measured] of rows) expect(Math.abs(planned - measured)).toBeLessThan(0.8);
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
        const { limits, configs } = attentionBuckets(graph, planningOf(target, positions));
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
      for (const { kernels } of plan.programs[0].buckets)
        for (const { node, kernel } of kernels) {
          expect(plan.programs[0].nodes[node]!.name).toMatch(/attn_(kqv|gated)$/);
          expect(plan.kernels[kernel]!.config.kind).toBe('attend');
          expect(kernel).not.toBe(plan.programs[0].nodes[node]!.kernel);
        }
    }
  });

  it('leave room for the splits of the kernel that has most of them', () => {
    const spec = makeSpec({ layers: 2, heads: 32, kvHeads: 8, headSize: 128 });
    const plan = lower(spec, runPasses(buildGraph(spec)), h100, { contextLength: 8192, compilerVersion: '0.0.0' });
    expect(plan.programs[0].buckets.length).toBeGreaterThan(0);
    const splits = plan.kernels.flatMap(({ config }) =>
      config.kind === 'attend' ? [config.heads * config.splits * (config.headSize + 2)] : [],
    );
    expect(splits).toHaveLength(2);
    expect(plan.programs[0].buffers.find(({ name }) => name === 'blk.0.attn_kqv.splits')!.bytes).toBe(
      4 * Math.max(...splits),
    );
  });
});
