/** Random tensor data of every ggml type: not quantised from anything, but valid blocks with all bit patterns in them. */

import { GRIDS } from '../../compiler/model/grids.js';
import { GGML_TYPES, type GgmlType } from '../../runtime/files/ggml.js';
import type { Random } from './random.js';

/** The types whose elements stand alone. */
export type FloatType = 'F32' | 'F16' | 'BF16';
type BlockType = Exclude<GgmlType, FloatType>;

/** Where a block keeps its f16 scale, and what a block of random bytes with scale 1 dequantises to. */
interface BlockInfo {
  /** Absent: the scale is no f16 of its own. */
  readonly scale?: number;
  /** Root mean square of the elements of random blocks whose scale is 1 and whose minimum is `minRatio`. */
  readonly rms: number;
  readonly min?: number;
  /** The minimum to take with scale 1 so that the elements' mean is 0. */
  readonly minRatio?: number;
}

/** Root mean square of the integers low..high. */
function rms(low: number, high: number): number {
  let sum = 0;
  for (let i = low; i <= high; i++) sum += i * i;
  return Math.sqrt(sum / (high - low + 1));
}

/** Root mean square of scale * q - middle * min, with scale and min from 0..scales-1 and q from 0..2*middle. */
function rmsWithMin(scales: number, middle: number): number {
  const scale = rms(0, scales - 1);
  const mean = (scales - 1) / 2;
  return Math.sqrt(scale ** 2 * rms(0, 2 * middle) ** 2 + middle ** 2 * scale ** 2 - 2 * middle ** 2 * mean ** 2);
}

/** Root mean square of q - middle, with q from 0..2*middle. */
function rmsCentred(middle: number): number {
  return Math.sqrt(rms(0, 2 * middle) ** 2 - middle ** 2);
}

/** Root mean square of 2 s + 1, with s from 0..scales-1. */
function odd(scales: number): number {
  return Math.sqrt(Array.from({ length: scales }, (_, s) => (2 * s + 1) ** 2).reduce((a, b) => a + b) / scales);
}

/** Root mean square of the elements of all points of a grid. */
function gridRms(name: keyof typeof GRIDS, magnitudes: readonly number[]): number {
  const bits = magnitudes.length === 3 ? 2 : 4;
  let sum = 0;
  for (const point of GRIDS[name])
    for (let at = 0; at < 16; at += bits) sum += magnitudes[(point >> at) & ((1 << bits) - 1)]! ** 2;
  return Math.sqrt(sum / (GRIDS[name].length * (16 / bits)));
}

const NONLINEAR = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
const NONLINEAR_RMS = Math.sqrt(NONLINEAR.reduce((sum, x) => sum + x * x, 0) / 16);

const BLOCKS: Record<BlockType, BlockInfo> = {
  Q4_0: { scale: 0, rms: rms(-8, 7) },
  Q4_1: { scale: 0, min: 2, minRatio: -7.5, rms: rmsCentred(7.5) },
  Q5_0: { scale: 0, rms: rms(-16, 15) },
  Q5_1: { scale: 0, min: 2, minRatio: -15.5, rms: rmsCentred(15.5) },
  Q8_0: { scale: 0, rms: rms(-128, 127) },
  Q2_K: { scale: 80, min: 82, minRatio: 1.5, rms: rmsWithMin(16, 1.5) },
  Q3_K: { scale: 108, rms: rms(-32, 31) * rms(-4, 3) },
  Q4_K: { scale: 0, min: 2, minRatio: 7.5, rms: rmsWithMin(64, 7.5) },
  Q5_K: { scale: 0, min: 2, minRatio: 15.5, rms: rmsWithMin(64, 15.5) },
  Q6_K: { scale: 208, rms: rms(-128, 127) * rms(-32, 31) },
  IQ4_NL: { scale: 0, rms: NONLINEAR_RMS },
  IQ4_XS: { scale: 0, rms: rms(-32, 31) * NONLINEAR_RMS },
  // Of the codes; exponents are drawn apart.
  MXFP4: { rms: Math.sqrt((2 * (1 + 4 + 9 + 16 + 36 + 64 + 144)) / 16) },
  IQ2_XXS: { scale: 0, rms: (odd(16) * gridRms('IQ2_XXS', [8, 25, 43])) / 8 },
  IQ2_XS: { scale: 0, rms: (odd(16) * gridRms('IQ2_XS', [8, 25, 43])) / 8 },
  IQ2_S: { scale: 0, rms: (odd(16) * gridRms('IQ2_S', [8, 25, 43])) / 8 },
  IQ3_XXS: { scale: 0, rms: (odd(16) * gridRms('IQ3_XXS', [4, 12, 20, 28, 36, 44, 52, 62])) / 4 },
  IQ3_S: { scale: 0, rms: odd(16) * gridRms('IQ3_S', [1, 3, 5, 7, 9, 11, 13, 15]) },
  IQ1_S: { scale: 0, rms: odd(8) * Math.hypot(gridRms('IQ1_S', [-1, 0, 1]), 1 / 8) },
  IQ1_M: { rms: odd(8) * Math.hypot(gridRms('IQ1_S', [-1, 0, 1]), 1 / 8) },
};

/** The bits of the nearest half. Finite numbers only. */
export function toHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude)));
  const steps = Math.round(magnitude * 2 ** (10 - exponent));
  const bits = ((exponent + 14) << 10) + steps;
  if (!(bits < 0x7c00)) throw new RangeError(`${value} has no finite half`);
  return sign | bits;
}

const SINGLE = new DataView(new ArrayBuffer(4));

/** Writes one element of a plain type, rounded to nearest. */
export function writeFloat(data: Buffer, at: number, type: FloatType, value: number): void {
  if (type === 'F16') {
    data.writeUInt16LE(toHalf(value), at);
    return;
  }
  if (type === 'F32') {
    data.writeFloatLE(value, at);
    return;
  }
  SINGLE.setFloat32(0, value);
  data.writeUInt16LE((SINGLE.getUint32(0) + 0x8000) >>> 16, at);
}

function writeScales(random: Random, type: BlockType, block: Buffer, info: BlockInfo, std: number): void {
  if (type === 'MXFP4') {
    writeExponent(random, block, std / info.rms);
    return;
  }
  const spread = random.uniform(0.5, 1.5) / Math.sqrt(13 / 12);
  const scale = ((random.bits() & 1 ? 1 : -1) * spread * std) / info.rms;
  if (type === 'IQ1_M') writeScattered(block, toHalf(scale));
  else block.writeUInt16LE(toHalf(scale), info.scale!);
  if (info.min !== undefined) block.writeUInt16LE(toHalf(scale * info.minRatio!), info.min);
}

/** One of the two powers of two about the scale, such that the mean square is right. */
function writeExponent(random: Random, block: Buffer, scale: number): void {
  const low = Math.floor(Math.log2(scale));
  const share = (scale ** 2 / 4 ** low - 1) / 3;
  block.writeUInt8(128 + low + (random.uniform(0, 1) < share ? 1 : 0), 0);
}

/** The digits of a half into the highest of IQ1_M's four words of scales. */
function writeScattered(block: Buffer, half: number): void {
  for (let word = 0; word < 4; word++) {
    const at = 48 + 2 * word;
    block.writeUInt16LE((block.readUInt16LE(at) & 0x0fff) | (((half >> (4 * word)) & 15) << 12), at);
  }
}

function randomBlocks(random: Random, type: BlockType, elements: number, std: number): Buffer {
  const { blockSize, blockBytes } = GGML_TYPES[type];
  const data = Buffer.alloc((elements / blockSize) * blockBytes);
  for (let at = 0; at < data.length; at++) data[at] = random.bits();
  for (let at = 0; at < data.length; at += blockBytes) {
    writeScales(random, type, data.subarray(at, at + blockBytes), BLOCKS[type], std);
  }
  return data;
}

/**
 * Bytes of `elements` random elements with mean 0 and about the standard deviation asked. F32, F16 and BF16 are normally
 * distributed; in the block types quants and sub-block scales are uniform and the block's scale varies, with either sign.
 */
export function randomTensor(random: Random, type: GgmlType, elements: number, std: number): Buffer {
  const { blockSize, blockBytes } = GGML_TYPES[type];
  if (elements % blockSize !== 0) throw new RangeError(`${elements} elements are no whole number of ${type} blocks`);
  if (type !== 'F32' && type !== 'F16' && type !== 'BF16') return randomBlocks(random, type, elements, std);

  const data = Buffer.alloc(elements * blockBytes);
  for (let at = 0; at < data.length; at += blockBytes) writeFloat(data, at, type, std * random.normal());
  return data;
}
