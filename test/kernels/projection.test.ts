import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Value } from '../../compiler/ir/ops.js';
import { scalesTogether, slotContent, slotStride } from '../../compiler/kernels/formats.js';
import { launchOf } from '../../compiler/kernels/index.js';
import { holdsAll, type ProjectionConfig, projectionConfig } from '../../compiler/kernels/projection/config.js';
import type { Projection } from '../../compiler/kernels/projection/operation.js';
import { strides } from '../../compiler/kernels/tiling.js';
import { coResidentRoom } from '../../compiler/plan/co_residency.js';
import { checkShared } from '../../compiler/plan/kernel_table.js';
import { cudaTarget, hostTarget, mostBeside, type Target } from '../../compiler/target/target.js';
import { GGML_TYPES, type GgmlType } from '../../runtime/files/ggml.js';

const TYPES = Object.keys(GGML_TYPES) as GgmlType[];
const TARGETS: Target[] = [hostTarget(), cudaTarget(['sm_80']), cudaTarget(['sm_90a']), cudaTarget(['sm_120'])];

const H100 = cudaTarget(['sm_90a']);
const SIDE_BY_SIDE = coResidentRoom(H100, undefined);

const value = (cols: number): Value => ({ id: 0, name: 'v', rows: 'token', cols });

interface Shape {
  readonly cols: number;
  readonly rows: readonly number[];
  readonly types: readonly GgmlType[];
  readonly gated: boolean;
}

/** A projection as the passes make them: up to three segments, or one with gate and up. */
function projection({ cols, rows, types, gated }: Shape): Projection {
  const weight = (i: number, rows: number) => ({ name: `w${i}`, type: types[i]!, rows, cols, offset: 0, bytes: 0 });
  const segments = gated
    ? [{ weights: [weight(0, rows[0]!), weight(1, rows[0]!)], biases: [] }]
    : rows.map((count, i) => ({ weights: [weight(i, count)], biases: [] }));
  const output = value(gated ? rows[0]! : rows.reduce((a, b) => a + b));
  return {
    kind: 'projection',
    input: value(cols),
    segments,
    ...(gated && { activation: 'silu_mul' }),
    output,
  } as Projection;
}

const shapes: fc.Arbitrary<Shape> = fc
  .record({
    type: fc.array(fc.constantFrom(...TYPES), { minLength: 3, maxLength: 3 }),
    units: fc.integer({ min: 1, max: 600 }),
    cut: fc.nat(31),
    rows: fc.array(fc.integer({ min: 1, max: 20000 }), { minLength: 1, maxLength: 3 }),
    gated: fc.boolean(),
  })
  .map(({ type, units, cut, rows, gated }) => {
    const grain = Math.max(...type.map((t) => GGML_TYPES[t].blockSize));
    const cols = grain === 1 ? units * 32 - cut : Math.ceil((units * 32) / grain) * grain;
    return { cols, rows: gated ? rows.slice(0, 1) : rows, types: type, gated };
  });

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
const groups = (c: ProjectionConfig) => sum(c.segments.map(({ rows }) => Math.ceil(rows / c.groupRows)));

describe('bytes of a slot', () => {
  it.each(TYPES)(
    '%s: those of the file, at most 15 to align, and then to holdsAll lines where that takes little',
    (type) => {
      const { blockSize, blockBytes } = GGML_TYPES[type];
      for (const [rows, units] of [
        [1, 8],
        [4, 24],
        [8, 136],
      ] as const) {
        // Points of a grid become 4-bit codes with a byte of scale for each 32 or 16.
        const grid = /^IQ[123]/.test(type);
        const fileBytes = grid ? rows * (units * 17 + units / 4) : (rows * units * 32 * blockBytes) / blockSize;
        const bytes = slotContent(type, rows, units);
        expect(bytes % 16).toBe(0);
        const stride = slotStride(type, rows, units);
        const lines = Math.ceil(bytes / 128) * 128;
        expect([bytes, lines]).toContain(stride);
        expect(stride).toBeLessThan(bytes * (1 + 1 / 32) + 16);
        if (lines <= bytes * (1 + 1 / 64)) expect(stride).toBe(lines);
        // Q2_K, Q3_K and IQ4_XS unpack their scales: no more than an eighth.
        expect(bytes).toBeGreaterThanOrEqual(fileBytes);
        expect(bytes).toBeLessThan(fileBytes * (/Q[2-5]_K|IQ/.test(type) ? 1.125 : 1) + 16);
      }
    },
  );
});

describe('a projection', () => {
  it('fits: blocks have work, columns are covered by chunks, shared memory is there', () => {
    fc.assert(
      fc.property(shapes, fc.constantFrom(...TARGETS), fc.boolean(), (shape, target, pair) => {
        const coResident = pair && target.projection.coResident !== null;
        const config = projectionConfig(
          projection(shape),
          target,
          coResident ? coResidentRoom(target, undefined) : undefined,
        );
        const { blocks, threads, sharedBytes } = launchOf(config);
        expect(blocks).toBeGreaterThan(0);
        expect(blocks).toBeLessThanOrEqual(Math.min(groups(config), target.multiprocessors));
        expect(threads % 32).toBe(0);
        expect(threads).toBeLessThanOrEqual(1024);
        // The input takes four bytes a column as floats and two and some as integers, both where formats are mixed; a
        // row of F32 takes another four.
        if (12 * config.cols < 0.8 * target.sharedBytes) expect(sharedBytes).toBeLessThanOrEqual(target.sharedBytes);
        expect(config.chunkCols % 32).toBe(0);
        // Powers of two of units, so that lanes share them evenly.
        expect(config.chunkCols).toBeLessThan(Math.max(512, 2 * config.cols));
        expect(config.stages).toBeGreaterThan(0);
        expect(config.prefetchAtOnce).toBeGreaterThan(0);
        expect(config.prefetchStages).toBeGreaterThanOrEqual(config.prefetchAtOnce);
        expect(config.prefetchStages).toBeLessThanOrEqual(config.stages);
        expect(config.passGroups % config.rowWarps).toBe(0);
        // By itself it neither fills its stages before its wait nor releases the next node before that.
        expect(config).toMatchObject({ prefetchStages: config.prefetchAtOnce, holdsAll: false, l2Prefetch: null });
        const ofWarp = Math.ceil(groups(config) / blocks / config.rowWarps) * config.segments[0]!.formats.length;
        expect(holdsAll(config, sharedBytes)).toBe(config.stages === ofWarp);
        // A format that scales 256 columns together has holdsAll ones in every chunk but the last.
        const scaled = config.segments.some(({ formats }) => formats.some(scalesTogether));
        if (config.chunkCols < config.cols) expect(config.chunkCols % (scaled ? 256 : 128)).toBe(0);
      }),
    );
  });

  it('halves chunks where the last one would be at most half full, if its format lets it', () => {
    const chunkCols = (cols: number, type: GgmlType) =>
      projectionConfig(projection({ cols, rows: [cols], types: [type], gated: false }), H100, SIDE_BY_SIDE).chunkCols;
    expect(chunkCols(896, 'Q8_0')).toBe(128);
    for (const cols of [1024, 1184]) expect(chunkCols(cols, 'Q8_0') % 256).toBe(0);
    for (const type of ['Q4_K', 'F16'] as const) expect(chunkCols(896, type) % 256).toBe(0);
  });

  it('that adds up its input has registers for four vectors beside what it has otherwise', () => {
    const norm = { weight: { name: 'n', type: 'F32', rows: 1, cols: 0, offset: 0, bytes: 0 }, epsilon: 0 } as const;
    fc.assert(
      fc.property(shapes, fc.boolean(), (shape, coResident) => {
        const op = projection(shape);
        const summed = { ...op, inputSum: { norm, residual: op.input } };
        const config = projectionConfig(summed, H100, coResident ? SIDE_BY_SIDE : undefined);
        const { threads } = launchOf(config);
        const lanes = config.chunkCols / 4 / 32;
        const needed = 40 + 16 * lanes;
        // The least is one warp.
        if (threads > 32) expect(threads * (coResident ? 2 : 1) * needed).toBeLessThanOrEqual(65536);
      }),
    );
  });

  it('has strides that leave each slot its own bytes', () => {
    fc.assert(
      fc.property(shapes, fc.constantFrom(...TARGETS), (shape, target) => {
        const config = projectionConfig(projection(shape), target);
        for (const { formats } of config.segments) {
          const { chunkStride, groupStride, partOffsets } = strides(formats, config.cols, config);
          const units = Math.ceil(config.cols / 32);
          let end = 0;
          for (let first = 0, chunk = 0; first < units; first += config.chunkCols / 32, chunk++) {
            const count = Math.min(config.chunkCols / 32, units - first);
            for (const [part, format] of formats.entries()) {
              const start = chunk * chunkStride + partOffsets[part]!;
              expect(start % 16).toBe(0);
              expect(start).toBeGreaterThanOrEqual(end);
              end = start + slotStride(format, config.groupRows, count);
            }
          }
          expect(groupStride).toBe(end);
        }
      }),
    );
  });

  it('reads little more than the file has: rows are not padded by much', () => {
    const config = projectionConfig(
      projection({ cols: 4096, rows: [14336], types: ['Q4_K', 'Q4_K'], gated: true }),
      cudaTarget(['sm_90a']),
    );
    const file = (2 * 14336 * 4096 * 144) / 256;
    expect((groups(config) * strides(['Q4_K', 'Q4_K'], 4096, config).groupStride) / file).toBeLessThan(1.06);
    const { groupRows, chunkCols } = config;
    const slots = (groups(config) * 2 * 4096) / chunkCols;
    expect((slots * slotContent('Q4_K', groupRows, chunkCols / 32)) / file).toBeLessThan(1.03);
  });

  it('that is too wide for the shared memory is refused by name', () => {
    const target = cudaTarget(['sm_89']);
    const config = projectionConfig(projection({ cols: 2 ** 20, rows: [8], types: ['F32'], gated: false }), target);
    expect(() => checkShared('blk.0.l_out', launchOf(config), target)).toThrow(
      /^blk\.0\.l_out needs \d+ bytes of shared memory a block, sm_89 has 101376/,
    );
  });
});

describe('blocks of two nodes', () => {
  const target = cudaTarget(['sm_90a']);
  const { coResident } = target.projection;
  // A multiprocessor of sm_90 has 228 KiB; each block takes 1 KiB more than it asks for.
  const fit = (...blocks: readonly number[]) => sum(blocks.map((bytes) => bytes + 1024)) <= 228 * 1024;

  it('fit on one multiprocessor, and never two of one node beside another or alone', () => {
    const { holdsAll, mostAfterAttention, mostShared, leastShared, attentionShared } = coResident!;
    for (const next of [mostAfterAttention, holdsAll.leastShared]) {
      const most = mostBeside(target.sharedBytes, next);
      expect(most).toBeGreaterThanOrEqual(mostShared);
      expect(fit(most, next)).toBe(true);
    }
    for (const next of [holdsAll.mostShared, mostAfterAttention, holdsAll.leastShared]) {
      expect(fit(attentionShared, next)).toBe(true);
      expect(fit(attentionShared, next, next)).toBe(false);
    }
    expect(fit(leastShared, leastShared)).toBe(false);
    expect(fit(attentionShared, attentionShared, holdsAll.leastShared)).toBe(false);
    expect(fit(target.projection.alone.leastShared, target.projection.alone.leastShared)).toBe(false);
  });
});
