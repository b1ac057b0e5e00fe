/** Where every weight goes on the device, and how its rows are cut for the kernel that reads them. */

import type { GgmlType } from '../../runtime/files/ggml.js';
import type { Stored } from '../../runtime/files/tensor_table.js';
import { roundUp } from '../arithmetic.js';
import type { Segment } from '../ir/ops.js';
import { rowTiling } from '../kernels/embed.js';
import { strides, type Tiling } from '../kernels/tiling.js';
import type { Weight } from '../model/spec.js';

/** One tensor of the file and its place in the weights region; offsets and strides are bytes. */
export interface PlacedTensor {
  readonly name: string;
  readonly type: GgmlType;
  readonly rows: number;
  readonly cols: number;
  readonly fileOffset: number;
  readonly fileBytes: number;
  readonly deviceOffset: number;
  readonly deviceBytes: number;
  /** tiled: runtime/kernels/formats.cuh; vector: f32, widened where the file has 16 bits; a small matrix as one row. */
  readonly layout: 'tiled' | 'vector';
  readonly rowsPerGroup: number;
  readonly colsPerChunk: number;
  readonly groupStride: number;
  readonly chunkStride: number;
  /** Stored (model/tensor_table.ts). Of a tensor that alternates, the bytes in the file are of both. */
  readonly storedAs?: Stored['storedAs'];
  readonly plusOne?: Stored['plusOne'];
  readonly alternate?: Stored['alternate'];
  readonly transposed?: Stored['transposed'];
  /** Of MXFP4 in two places, which part this is; both go to the same slots. */
  readonly part?: 'codes' | 'exponents';
}

/** Start of each allocation in the weights region; as cudaMalloc aligns. */
const ALIGNMENT = 256;

/** Lays weights out in the order that nodes ask for them. A weight asked for twice keeps its first place. */
export class WeightPlanner {
  readonly #tensors = new Map<string, PlacedTensor>();
  /** Of a weight, the names of the tensors that it is: one, or several where it lies in pieces. */
  readonly #parts = new Map<string, string[]>();
  /** By a product's first matrix. */
  readonly #largest = new Map<string, number>();
  #end = 0;

  get tensors(): PlacedTensor[] {
    return [...this.#tensors.values()];
  }

  get totalBytes(): number {
    return this.#end;
  }

  /**
   * All matrices of a projection, or of all experts, so that each block's share is contiguous; returns where they start.
   */
  matrices(segments: readonly Segment[], config: Tiling & { readonly cols: number }): number {
    const start = this.#end;
    const { places, bytes } = layOut(segments, config);
    for (const [weight, place] of places) this.#add(weight, { ...place, deviceOffset: start + place.deviceOffset });
    this.#end = roundUp(start + bytes, ALIGNMENT);
    return start;
  }

  /** How a matrix that has its place is cut. */
  tilingOf(weight: Weight): Tiling {
    const { rowsPerGroup, colsPerChunk } = this.#placed(weight);
    return { groupRows: rowsPerGroup, chunkCols: colsPerChunk };
  }

  /** Has the matrix its place as f32 rows, one after another? */
  isPlain(weight: Weight): boolean {
    return this.#placed(weight).layout === 'vector';
  }

  /** Where matrices start that have their places already, as one run. */
  placeOf(segments: readonly Segment[]): number {
    const first = segments[0]!.weights[0]!;
    const start = this.#placed(first).deviceOffset;
    if (segments.length === 1 && this.isPlain(first)) return start;
    const { places } = layOut(segments, { ...this.tilingOf(first), cols: first.cols });
    for (const [weight, { deviceOffset, groupStride }] of places) {
      const placed = this.#placed(weight);
      if (placed.deviceOffset !== start + deviceOffset || placed.groupStride !== groupStride)
        throw new Error(`${weight.name} does not lie with ${first.name}`);
    }
    return start;
  }

  /**
   * Where the largest magnitudes of matrices lie, or of each of those that experts have in each, f32 one after another: after
   * all tensors, where programs of many rows want them.
   */
  largestOf(segments: readonly Segment[], experts = 1): number {
    const matrices = segments.flatMap(({ weights }) => weights);
    const { name } = matrices[0]!;
    const start = this.#largest.get(name) ?? this.#end;
    if (start === this.#end) this.#end += roundUp(4 * matrices.length * experts, ALIGNMENT);
    this.#largest.set(name, start);
    return start;
  }

  /** The embedding, where the output projection has not placed it already. */
  embedding(weight: Weight): { offset: number; tiling: Tiling } {
    const placed = this.#tensors.get(weight.name);
    if (placed)
      return {
        offset: placed.deviceOffset,
        tiling: { groupRows: placed.rowsPerGroup, chunkCols: placed.colsPerChunk },
      };
    const tiling = rowTiling(weight);
    const { chunkStride, groupStride } = strides([weight.type], weight.cols, tiling);
    const offset = this.#end;
    const deviceBytes = weight.rows * groupStride;
    this.#add(weight, {
      layout: 'tiled',
      deviceOffset: offset,
      deviceBytes,
      rowsPerGroup: tiling.groupRows,
      colsPerChunk: tiling.chunkCols,
      groupStride,
      chunkStride,
    });
    this.#end = roundUp(offset + deviceBytes, ALIGNMENT);
    return { offset, tiling };
  }

  /** A norm weight, bias or rope factors, as f32; or the rows of a small matrix, one after another. */
  vector(weight: Weight): number {
    const { pieces = [weight], ...whole } = weight;
    const nameOf = (piece: number) => (pieces.length > 1 ? `${weight.name}.${piece}` : weight.name);
    const placed = this.#tensors.get(nameOf(0));
    if (placed) return placed.deviceOffset;
    const offset = this.#end;
    const cols = (weight.rows * weight.cols) / pieces.length;
    const deviceBytes = cols * 4;
    for (const [i, piece] of pieces.entries())
      this.#add(
        { ...whole, ...piece, name: nameOf(i), rows: 1, cols },
        {
          layout: 'vector',
          deviceOffset: offset + i * deviceBytes,
          deviceBytes,
          rowsPerGroup: 1,
          colsPerChunk: cols,
          groupStride: deviceBytes,
          chunkStride: deviceBytes,
        },
      );
    this.#end = roundUp(offset + pieces.length * deviceBytes, ALIGNMENT);
    return offset;
  }

  #add(
    weight: Weight,
    place: Omit<PlacedTensor, Exclude<keyof Weight, 'offset' | 'bytes'> | 'fileOffset' | 'fileBytes' | 'part'>,
  ): void {
    if (this.#tensors.has(weight.name) || this.#tensors.has(`${weight.name}.0`))
      throw new Error(`${weight.name} is placed twice`);
    const { name, type, rows, cols, storedAs, plusOne, alternate, transposed, exponents, pieces = [weight] } = weight;
    const change = {
      ...(storedAs && { storedAs }),
      ...(plusOne && { plusOne }),
      ...(alternate && { alternate }),
      ...(transposed && { transposed }),
      ...(exponents && { part: 'codes' as const }),
    };
    const share = rows / pieces.length;
    const step = (share / place.rowsPerGroup) * place.groupStride;
    if (pieces.length > 1 && share % place.rowsPerGroup !== 0) throw new Error(`${name}: a group spans two pieces`);
    for (const [i, { offset, bytes }] of pieces.entries()) {
      const part = pieces.length > 1 ? `${name}.${i}` : name;
      const rest = place.deviceBytes - i * step;
      const device = {
        deviceOffset: place.deviceOffset + i * step,
        deviceBytes: i < pieces.length - 1 ? Math.min(step, rest) : rest,
      };
      const file = { fileOffset: offset, fileBytes: bytes };
      this.#keep(weight, { name: part, type, rows: share, cols, ...file, ...place, ...device, ...change });
    }
    if (!exponents) return;
    const codes = this.#tensors.get(name)!;
    const file = { fileOffset: exponents.offset, fileBytes: exponents.bytes };
    this.#keep(weight, { ...codes, name: `${name}.exponents`, ...file, part: 'exponents' });
  }

  #keep({ name }: Weight, tensor: PlacedTensor): void {
    this.#tensors.set(tensor.name, tensor);
    this.#parts.set(name, [...(this.#parts.get(name) ?? []), tensor.name]);
  }

  /** The first part of a weight. */
  #placed({ name }: Weight): PlacedTensor {
    const first = this.#parts.get(name)?.[0];
    if (first === undefined) throw new Error(`${name} has no place`);
    return this.#tensors.get(first)!;
  }
}

type Place = Pick<
  PlacedTensor,
  'layout' | 'deviceOffset' | 'deviceBytes' | 'rowsPerGroup' | 'colsPerChunk' | 'groupStride' | 'chunkStride'
>;

/** Matrices one after another, each segment's interleaved; offsets from the first one's. */
function layOut(segments: readonly Segment[], config: Tiling & { readonly cols: number }) {
  const places: [Weight, Place][] = [];
  let bytes = 0;
  for (const { weights } of segments) {
    const formats = weights.map(({ type }) => type);
    const { chunkStride, groupStride, partOffsets } = strides(formats, config.cols, config);
    const segmentBytes = Math.ceil(weights[0]!.rows / config.groupRows) * groupStride;
    for (const [part, weight] of weights.entries())
      places.push([
        weight,
        {
          layout: 'tiled',
          deviceOffset: bytes + partOffsets[part]!,
          deviceBytes: segmentBytes - partOffsets[part]!,
          rowsPerGroup: config.groupRows,
          colsPerChunk: config.chunkCols,
          groupStride,
          chunkStride,
        },
      ]);
    bytes += segmentBytes;
  }
  return { places, bytes };
}
