import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Value } from '../../compiler/ir/ops.js';
import { type ExpertsConfig, expertsConfig } from '../../compiler/kernels/experts/config.js';
import type { Experts } from '../../compiler/kernels/experts/operation.js';
import { slotStride } from '../../compiler/kernels/formats.js';
import { launchOf } from '../../compiler/kernels/index.js';
import { strides } from '../../compiler/kernels/tiling.js';
import { checkShared } from '../../compiler/plan/kernel_table.js';
import { WeightPlanner } from '../../compiler/plan/weights.js';
import { cudaTarget, hostTarget, type Target } from '../../compiler/target/target.js';
import { GGML_TYPES, type GgmlType } from '../../runtime/files/ggml.js';

const TYPES = Object.keys(GGML_TYPES) as GgmlType[];
const TARGETS: Target[] = [hostTarget(), cudaTarget(['sm_80']), cudaTarget(['sm_90a'])];

const value = (cols: number): Value => ({ id: 0, name: 'v', rows: 'token', cols });

interface Shape {
  readonly cols: number;
  /** Of an expert. */
  readonly rows: number;
  readonly types: readonly [GgmlType, GgmlType];
  readonly count: number;
  readonly used: number;
  readonly sum: boolean;
}

function expertsOp({ cols, rows, types, count, used, sum }: Shape): Experts {
  const weight = (i: number) => {
    const { blockSize, blockBytes } = GGML_TYPES[types[i]!];
    const bytes = count * rows * Math.ceil(cols / blockSize) * blockBytes;
    return { name: `w${i}`, type: types[i]!, rows: count * rows, cols, offset: 0, bytes };
  };
  return {
    kind: 'experts',
    input: value(sum ? used * cols : cols),
    logits: value(count),
    experts: { count, used, weightsOver: 'chosen' },
    segment: sum
      ? { weights: [weight(0)], biases: [undefined] }
      : { weights: [weight(0), weight(1)], biases: [undefined, undefined] },
    ...(sum ? { sum: {} } : { activation: 'silu_mul' }),
    output: value(sum ? rows : used * rows),
  };
}

const shapes: fc.Arbitrary<Shape> = fc
  .record({
    types: fc.tuple(fc.constantFrom(...TYPES), fc.constantFrom(...TYPES)),
    units: fc.integer({ min: 1, max: 512 }),
    cut: fc.nat(31),
    rows: fc.integer({ min: 1, max: 16384 }),
    count: fc.integer({ min: 1, max: 256 }),
    used: fc.integer({ min: 1, max: 10 }),
    sum: fc.boolean(),
  })
  .map(({ types, units, cut, used, ...rest }) => {
    const grain = Math.max(...types.map((type) => GGML_TYPES[type].blockSize));
    const cols = grain === 1 ? units * 32 - cut : Math.ceil((units * 32) / grain) * grain;
    return { ...rest, types, cols, used: Math.min(used, rest.count) };
  });
const anywhere = fc.tuple(shapes, fc.constantFrom(...TARGETS));

/** What the blocks of experts/kernel.cuh take: groups from first on. */
function blockRuns({ rows, groupRows, used, sum, blocks }: ExpertsConfig): { first: number; groups: number }[] {
  const all = (rows / groupRows) * (sum ? 1 : used);
  const [share, extra] = [Math.floor(all / blocks), all % blocks];
  return Array.from({ length: blocks }, (_, b) => ({
    first: b * share + Math.min(b, extra),
    groups: share + (b < extra ? 1 : 0),
  }));
}

describe('experts', () => {
  it('fit: no group belongs to two experts, every block has work, shared memory is there', () => {
    fc.assert(
      fc.property(anywhere, ([shape, target]) => {
        const config = expertsConfig(expertsOp(shape), target);
        expect(config.rows % config.groupRows).toBe(0);
        expect(config.chunkCols % 32).toBe(0);
        expect(config.chunkCols).toBeLessThan(shape.cols + 32);
        if (config.chunkCols < shape.cols) expect(config.chunkCols % 256).toBe(0);
        expect(config.prefetchStages).toBeGreaterThan(0);
        expect(config.prefetchStages).toBeLessThanOrEqual(config.stages);
        const launch = launchOf(config);
        expect(launch).toEqual({
          blocks: config.blocks,
          threads: config.warps * 32,
          sharedBytes: config.sharedBytes,
        });
        // Four bytes a column of each input as floats, two and some as integers; both where formats are mixed.
        const columns = shape.cols * (shape.sum ? shape.used : 1);
        if (8 * columns < 0.7 * target.sharedBytes) expect(launch.sharedBytes).toBeLessThanOrEqual(target.sharedBytes);
      }),
    );
  });

  it('of a sum ask for no more early than the target says, where one row a slot is not more', () => {
    fc.assert(
      fc.property(anywhere, ([shape, target]) => {
        const [type] = shape.types;
        const slot = (rows: number, cols: number) => slotStride(type, rows, Math.ceil(cols / 32));
        const { prefetchBytes, warps } = target.experts;
        fc.pre(shape.sum && warps * slot(1, shape.cols) <= prefetchBytes);
        const { prefetchStages, groupRows, chunkCols } = expertsConfig(expertsOp(shape), target);
        expect(prefetchStages * warps * slot(groupRows, chunkCols)).toBeLessThanOrEqual(prefetchBytes);
      }),
    );
  });

  it('give the blocks shares that differ by a group, whichever experts are chosen', () => {
    fc.assert(
      fc.property(anywhere, ([shape, target]) => {
        const config = expertsConfig(expertsOp(shape), target);
        const runs = blockRuns(config);
        const counts = runs.map(({ groups }) => groups);
        expect(Math.min(...counts)).toBeGreaterThan(0);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        const all = (config.rows / config.groupRows) * (shape.sum ? 1 : shape.used);
        expect(runs.at(-1)!.first + runs.at(-1)!.groups).toBe(all);
        expect(runs).toHaveLength(Math.min(all, target.multiprocessors));
      }),
    );
  });

  it('ask for more than half of the shared memory, so that no two blocks share a multiprocessor', () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const target = cudaTarget(['sm_90a']);
        expect(expertsConfig(expertsOp(shape), target).sharedBytes).toBeGreaterThan(target.sharedBytes / 2);
      }),
    );
  });

  it('are summed by blocks that begin beside those before them, one each, or by blocks as large as others', () => {
    const target = cudaTarget(['sm_90a']);
    // A multiprocessor has 228 KiB, of which each block takes 1 KiB more than it asks for.
    const fit = (...blocks: readonly number[]) => blocks.reduce((all, bytes) => all + bytes + 1024, 0) <= 228 * 1024;
    let beside = 0;
    fc.assert(
      fc.property(shapes, (shape) => {
        const before = expertsConfig(expertsOp({ ...shape, sum: false }), target);
        const sum = expertsConfig(expertsOp({ ...shape, sum: true }), target, {
          beside: before.blocksPerMultiprocessor > 1 ? before.sharedBytes : undefined,
        });
        expect(fit(before.sharedBytes, sum.sharedBytes, sum.sharedBytes)).toBe(false);
        if (fit(before.sharedBytes, sum.sharedBytes)) {
          beside++;
          expect([before, sum]).toMatchObject([{ blocksPerMultiprocessor: 2 }, { blocksPerMultiprocessor: 2 }]);
        } else expect(fit(sum.sharedBytes, sum.sharedBytes)).toBe(false);
      }),
    );
    expect(beside).toBeGreaterThan(10);
  });

  it('are laid out so that one copy brings all matrices of a chunk, and offsets go beyond 4 GiB', () => {
    const shape: Shape = { cols: 6144, rows: 16384, types: ['Q8_0', 'Q8_0'], count: 128, used: 4, sum: false };
    const op = expertsOp(shape);
    const config = expertsConfig(op, cudaTarget(['sm_90a']));
    const weights = new WeightPlanner();
    weights.matrices([op.segment], config);
    const [gate, up] = weights.tensors;
    const { groupStride, chunkStride, partOffsets } = strides(config.formats, config.cols, config);
    expect(up!.deviceOffset - gate!.deviceOffset).toBe(partOffsets[1]);
    expect(chunkStride).toBe(2 * partOffsets[1]!);
    for (const tensor of weights.tensors) expect(tensor).toMatchObject({ groupStride, chunkStride });
    const lastGroup = (128 * 16384) / config.groupRows - 1;
    expect(lastGroup * groupStride).toBeGreaterThan(2 ** 33);
    expect(lastGroup * groupStride + groupStride).toBeLessThanOrEqual(weights.totalBytes);
  });

  it('that are too wide for the shared memory are refused by name', () => {
    const target = cudaTarget(['sm_89']);
    const shape: Shape = { cols: 16384, rows: 64, types: ['F32', 'F32'], count: 8, used: 8, sum: true };
    const config = expertsConfig(expertsOp(shape), target);
    expect(() => checkShared('blk.0.l_out', launchOf(config), target)).toThrow(
      /^blk\.0\.l_out needs \d+ bytes of shared memory a block, sm_89 has 101376/,
    );
  });
});
