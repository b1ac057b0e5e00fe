import { describe, expect, it } from 'vitest';
import type { Value } from '../../compiler/ir/ops.js';
import { projectionConfig } from '../../compiler/kernels/projection/config.js';
import type { Projection } from '../../compiler/kernels/projection/operation.js';
import { strides } from '../../compiler/kernels/tiling.js';
import type { Weight } from '../../compiler/model/spec.js';
import { WeightPlanner } from '../../compiler/plan/weights.js';
import { hostTarget } from '../../compiler/target/target.js';
import type { GgmlType } from '../../runtime/files/ggml.js';

const value = (cols: number): Value => ({ id: 0, name: 'v', rows: 'token', cols });
const matrix = (name: string, type: GgmlType, rows: number, cols: number): Weight => ({
  name,
  type,
  rows,
  cols,
  offset: 4096,
  bytes: 1000,
});
const vector = (name: string, cols: number, type: GgmlType = 'F32') => matrix(name, type, 1, cols);

function place(planner: WeightPlanner, segments: Weight[][], cols: number) {
  const op: Projection = {
    kind: 'projection',
    input: value(cols),
    segments: segments.map((weights) => ({ weights, biases: [] })),
    output: value(1),
  } as unknown as Projection;
  const config = projectionConfig(op, hostTarget());
  return { start: planner.matrices(op.segments, config), config };
}

const q = matrix('q', 'Q4_K', 96, 512);
const k = matrix('k', 'Q6_K', 20, 512);
const v = matrix('v', 'F16', 20, 512);
const find = (planner: WeightPlanner, name: string) => planner.tensors.find((tensor) => tensor.name === name)!;

describe('the weights region', () => {
  it('holds the matrices of one projection back to back, each where the one before ends', () => {
    const planner = new WeightPlanner();
    planner.vector(vector('norm', 512));
    const { start, config } = place(planner, [[q], [k], [v]], 512);
    expect(start % 256).toBe(0);
    let expected = start;
    for (const weight of [q, k, v]) {
      const { groupStride } = strides([weight.type], 512, config);
      const placed = find(planner, weight.name);
      expect(placed).toMatchObject({ layout: 'tiled', deviceOffset: expected, groupStride, fileOffset: 4096 });
      expected += Math.ceil(weight.rows / config.groupRows) * groupStride;
    }
    expect(planner.totalBytes).toBeGreaterThanOrEqual(expected);
    expect(planner.totalBytes - expected).toBeLessThan(256);
  });

  it('brings MXFP4 in two places to the same slots', () => {
    const planner = new WeightPlanner();
    const whole = matrix('experts', 'MXFP4', 64, 64);
    const pieces = [{ offset: 4096, bytes: 4096 }];
    const { config } = place(
      planner,
      [[{ ...whole, alternate: 'odd', pieces, exponents: { offset: 128, bytes: 256 } }]],
      64,
    );
    const [codes, exponents] = [find(planner, 'experts'), find(planner, 'experts.exponents')];
    expect(codes).toMatchObject({
      alternate: 'odd',
      part: 'codes',
      fileOffset: 4096,
      fileBytes: 4096,
      rowsPerGroup: config.groupRows,
    });
    expect(exponents).toEqual({
      ...codes,
      name: 'experts.exponents',
      part: 'exponents',
      fileOffset: 128,
      fileBytes: 256,
    });
  });

  it('interleaves gate and up: the same strides, the second after a slot of the first', () => {
    const planner = new WeightPlanner();
    const [gate, up] = [matrix('gate', 'Q4_K', 64, 2048), matrix('up', 'Q6_K', 64, 2048)];
    const { start, config } = place(planner, [[gate, up]], 2048);
    const [a, b] = [find(planner, 'gate'), find(planner, 'up')];
    expect(a.deviceOffset).toBe(start);
    expect(b).toMatchObject({ groupStride: a.groupStride, chunkStride: a.chunkStride, rowsPerGroup: config.groupRows });
    expect(b.deviceOffset).toBeGreaterThan(a.deviceOffset);
    expect(b.deviceOffset).toBeLessThan(a.deviceOffset + a.chunkStride);
    expect(b.deviceOffset + b.deviceBytes).toBeLessThanOrEqual(planner.totalBytes);
  });

  it('holds vectors as f32, each once', () => {
    const planner = new WeightPlanner();
    const half = vector('half', 100, 'F16');
    const offset = planner.vector(half);
    expect(planner.vector(vector('other', 7))).toBeGreaterThanOrEqual(offset + 400);
    expect(planner.vector(half)).toBe(offset);
    expect(planner.tensors).toHaveLength(2);
    expect(find(planner, 'half')).toMatchObject({ layout: 'vector', type: 'F16', deviceBytes: 400 });
  });

  it('holds what lies in pieces in one place, and no group of rows of two pieces', () => {
    const planner = new WeightPlanner();
    const piecesOf = (bytes: number) => Array.from({ length: 6 }, (_, i) => ({ offset: 3 * i * bytes, bytes }));
    const weight = { ...matrix('q', 'F16', 6 * 40, 256), pieces: piecesOf(40 * 512) };
    const { start, config } = place(planner, [[weight]], 256);
    expect(40 % config.groupRows).toBe(0);
    const bias = { ...vector('bias', 6 * 40, 'F16'), pieces: piecesOf(80) };
    const offset = planner.vector(bias);
    for (let i = 0; i < 6; i++) {
      expect(find(planner, `q.${i}`)).toMatchObject({
        ...{ rows: 40, fileOffset: 3 * i * 40 * 512, fileBytes: 40 * 512 },
        deviceOffset: start + ((i * 40) / config.groupRows) * find(planner, 'q.0').groupStride,
      });
      expect(find(planner, `bias.${i}`)).toMatchObject({
        ...{
          rows: 1,
          cols: 40,
          deviceOffset: offset + i * 160,
          deviceBytes: 160,
          fileOffset: 3 * i * 80,
          fileBytes: 80,
        },
      });
    }
    expect(planner.vector(bias)).toBe(offset);
    expect(planner.tensors).toHaveLength(12);
  });

  it('shares a tied embedding with the output projection', () => {
    const planner = new WeightPlanner();
    const embedding = matrix('token_embd.weight', 'Q8_0', 100, 256);
    const { start, config } = place(planner, [[embedding]], 256);
    const bytes = planner.totalBytes;
    expect(planner.embedding(embedding)).toEqual({
      offset: start,
      tiling: { groupRows: config.groupRows, chunkCols: config.chunkCols },
    });
    expect(planner.totalBytes).toBe(bytes);
  });

  it('places a lone embedding row by row', () => {
    const planner = new WeightPlanner();
    const { offset, tiling } = planner.embedding(matrix('token_embd.weight', 'Q8_0', 100, 256));
    expect({ offset, tiling }).toEqual({ offset: 0, tiling: { groupRows: 1, chunkCols: 256 } });
    expect(planner.totalBytes).toBeGreaterThanOrEqual((100 * 256 * 34) / 32);
  });

  it('does not place a matrix of two projections', () => {
    const planner = new WeightPlanner();
    place(planner, [[q]], 512);
    expect(() => place(planner, [[q]], 512)).toThrow('q is placed twice');
  });
});
