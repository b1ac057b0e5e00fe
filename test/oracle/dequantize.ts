/**
 * What the bytes of a tensor mean: one formula an element for each type of model/ggml.ts. Slow and exact.
 *
 * A block is `blockSize` consecutive elements of a row. Fields are little-endian; `d` and `dmin` are f16.
 */

import { GRIDS } from '../../compiler/model/grids.js';
import { GGML_TYPES, type GgmlType } from '../../runtime/files/ggml.js';

/** The value of element `e` of the block that starts at byte `at`. */
type Element = (bytes: DataView, at: number, e: number) => number;

/** The value of an IEEE 754 half. */
function f16(bytes: DataView, at: number): number {
  const bits = bytes.getUint16(at, true);
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = (bits & 0x3ff) / 1024;
  if (exponent === 0) return sign * fraction * 2 ** -14;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction) * 2 ** (exponent - 15);
}

function bf16(bytes: DataView, at: number): number {
  const widened = new DataView(new ArrayBuffer(4));
  widened.setUint32(0, bytes.getUint16(at, true) << 16);
  return widened.getFloat32(0);
}

/** Bits [shift, shift + width) of the byte at `at`. */
function bits(bytes: DataView, at: number, shift: number, width: number): number {
  return (bytes.getUint8(at) >> shift) & ((1 << width) - 1);
}

/** 32 four-bit numbers in 16 bytes: elements 0..15 are the low halves, 16..31 the high ones. */
function nibble32(bytes: DataView, at: number, e: number): number {
  return bits(bytes, at + (e % 16), e < 16 ? 0 : 4, 4);
}

/** 256 four-bit numbers in 128 bytes: each run of 64 elements has 32 bytes, low halves first. */
function nibble256(bytes: DataView, at: number, e: number): number {
  return bits(bytes, at + 32 * Math.floor(e / 64) + (e % 32), e % 64 < 32 ? 0 : 4, 4);
}

/** 256 two-bit numbers in 64 bytes: each run of 128 elements has 32 bytes, and byte l holds elements l, l+32, l+64, l+96. */
function pair256(bytes: DataView, at: number, e: number): number {
  return bits(bytes, at + 32 * Math.floor(e / 128) + (e % 32), 2 * Math.floor((e % 128) / 32), 2);
}

/** 256 single bits in 32 bytes: byte l holds elements l, l+32, ... l+224 from its lowest bit. */
function bit256(bytes: DataView, at: number, e: number): number {
  return bits(bytes, at + (e % 32), Math.floor(e / 32), 1);
}

/** 32 single bits as one 32-bit number. */
function bit32(bytes: DataView, at: number, e: number): number {
  return bits(bytes, at + Math.floor(e / 8), e % 8, 1);
}

/** Q4_K, Q5_K: eight six-bit scales and eight six-bit minimums in 12 bytes. Returns those of sub-block j. */
function scaleAndMin(bytes: DataView, at: number, j: number): [scale: number, min: number] {
  if (j < 4) return [bits(bytes, at + j, 0, 6), bits(bytes, at + 4 + j, 0, 6)];
  const low = at + 4 + j;
  return [
    bits(bytes, low, 0, 4) | (bits(bytes, at + j - 4, 6, 2) << 4),
    bits(bytes, low, 4, 4) | (bits(bytes, at + j, 6, 2) << 4),
  ];
}

/** Q3_K: sixteen six-bit scales in 12 bytes: 8 bytes of low halves, then 4 bytes of two high bits each. */
function scaleQ3(bytes: DataView, at: number, j: number): number {
  return bits(bytes, at + (j % 8), j < 8 ? 0 : 4, 4) | (bits(bytes, at + 8 + (j % 4), 2 * Math.floor(j / 4), 2) << 4);
}

/** d * scale * q - dmin * min, with d at `at` and dmin after it. */
function scaled(bytes: DataView, at: number, scale: number, min: number, q: number): number {
  return f16(bytes, at) * scale * q - f16(bytes, at + 2) * min;
}

/** What the codes of IQ4_NL and IQ4_XS stand for, and those of MXFP4, doubled. */
const NONLINEAR = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
const E2M1 = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/** Magnitudes of the grids' points. */
const IQ2 = [8, 25, 43];
const IQ3_XXS = [4, 12, 20, 28, 36, 44, 52, 62];
const IQ3_S = [1, 3, 5, 7, 9, 11, 13, 15];
const IQ1 = [-1, 0, 1];

/** Element `i` of a point of 8 or 4 elements. */
function pointElement(points: Uint16Array, index: number, size: 8 | 4, i: number): number {
  return (points[index]! >> (i * (16 / size))) & (size === 8 ? 3 : 7);
}

/** -1 where bit i of eight is set, else 1. */
const sign = (bits: number, i: number): number => ((bits >> i) & 1 ? -1 : 1);

/** Of seven bits, the eighth being what makes the number of set ones even. */
function evenSign(bits: number, i: number): number {
  if (i < 7) return sign(bits, i);
  let odd = 0;
  for (let rest = bits; rest > 0; rest >>= 1) odd ^= rest & 1;
  return odd ? -1 : 1;
}

/** IQ1_M: the highest digits of its four words of scales. */
function scattered(bytes: DataView, at: number): number {
  const d = new DataView(new ArrayBuffer(2));
  const digit = (word: number) => bytes.getUint16(at + 2 * word, true) >> 12;
  d.setUint16(0, digit(0) | (digit(1) << 4) | (digit(2) << 8) | (digit(3) << 12), true);
  return f16(d, 0);
}

const ELEMENT: Record<GgmlType, Element> = {
  F32: (b, at) => b.getFloat32(at, true),
  F16: f16,
  BF16: bf16,
  /** d, qs[16]. */
  Q4_0: (b, at, e) => f16(b, at) * (nibble32(b, at + 2, e) - 8),
  /** d, m, qs[16]. */
  Q4_1: (b, at, e) => f16(b, at) * nibble32(b, at + 4, e) + f16(b, at + 2),
  /** d, qh[4], qs[16]. */
  Q5_0: (b, at, e) => f16(b, at) * ((nibble32(b, at + 6, e) | (bit32(b, at + 2, e) << 4)) - 16),
  /** d, m, qh[4], qs[16]. */
  Q5_1: (b, at, e) => f16(b, at) * (nibble32(b, at + 8, e) | (bit32(b, at + 4, e) << 4)) + f16(b, at + 2),
  /** d, qs[32]. */
  Q8_0: (b, at, e) => f16(b, at) * b.getInt8(at + 2 + e),
  /** scales[16] (scale low, minimum high), qs[64], d, dmin; sub-blocks of 16. */
  Q2_K: (b, at, e) => {
    const sub = at + Math.floor(e / 16);
    return scaled(b, at + 80, bits(b, sub, 0, 4), bits(b, sub, 4, 4), pair256(b, at + 16, e));
  },
  /** hmask[32], qs[64], scales[12], d; sub-blocks of 16. */
  Q3_K: (b, at, e) => {
    const scale = scaleQ3(b, at + 96, Math.floor(e / 16)) - 32;
    return f16(b, at + 108) * scale * ((pair256(b, at + 32, e) | (bit256(b, at, e) << 2)) - 4);
  },
  /** d, dmin, scales[12], qs[128]; sub-blocks of 32. */
  Q4_K: (b, at, e) => {
    const [scale, min] = scaleAndMin(b, at + 4, Math.floor(e / 32));
    return scaled(b, at, scale, min, nibble256(b, at + 16, e));
  },
  /** d, dmin, scales[12], qh[32], qs[128]; sub-blocks of 32. */
  Q5_K: (b, at, e) => {
    const [scale, min] = scaleAndMin(b, at + 4, Math.floor(e / 32));
    return scaled(b, at, scale, min, nibble256(b, at + 48, e) | (bit256(b, at + 16, e) << 4));
  },
  /** ql[128], qh[64], scales[16] (int8), d; sub-blocks of 16. ql: of each 128 elements, 64 low halves and then 64 high. */
  Q6_K: (b, at, e) => {
    const low = bits(b, at + 64 * Math.floor(e / 128) + (e % 64), e % 128 < 64 ? 0 : 4, 4);
    const q = (low | (pair256(b, at + 128, e) << 4)) - 32;
    return f16(b, at + 208) * b.getInt8(at + 192 + Math.floor(e / 16)) * q;
  },
  /** d, codes[16]. */
  IQ4_NL: (b, at, e) => f16(b, at) * NONLINEAR[nibble32(b, at + 2, e)]!,
  /** d, scales_h (2 bits a sub-block), scales_l[4], codes[128]; sub-blocks of 32. */
  IQ4_XS: (b, at, e) => {
    const j = Math.floor(e / 32);
    const scale = bits(b, at + 4 + (j >> 1), 4 * (j % 2), 4) | (((b.getUint16(at + 2, true) >> (2 * j)) & 3) << 4);
    return f16(b, at) * (scale - 32) * NONLINEAR[nibble32(b, at + 8 + 16 * j, e % 32)]!;
  },
  /** Exponent (biased by 127, of numbers that the table doubles), codes[16]. */
  MXFP4: (b, at, e) => 2 ** (b.getUint8(at) - 128) * E2M1[nibble32(b, at + 1, e)]!,
  /** d, then for each 32 elements four points[8], 4 x 7 bits of signs and 4 of scale. */
  IQ2_XXS: (b, at, e) => {
    const [sub, i] = [at + 2 + 8 * Math.floor(e / 32), Math.floor((e % 32) / 8)];
    const more = b.getUint32(sub + 4, true);
    const q = IQ2[pointElement(GRIDS.IQ2_XXS, b.getUint8(sub + i), 8, e % 8)]!;
    return ((f16(b, at) * (2 * (more >>> 28) + 1)) / 8) * q * evenSign((more >>> (7 * i)) & 127, e % 8);
  },
  /** d, 32 x (9 bits of a point, 7 of signs), scales[8] of 16 elements a digit. */
  IQ2_XS: (b, at, e) => {
    const point = b.getUint16(at + 2 + 2 * Math.floor(e / 8), true);
    const scale = bits(b, at + 66 + Math.floor(e / 32), e % 32 < 16 ? 0 : 4, 4);
    const q = IQ2[pointElement(GRIDS.IQ2_XS, point & 511, 8, e % 8)]!;
    return ((f16(b, at) * (2 * scale + 1)) / 8) * q * evenSign(point >> 9, e % 8);
  },
  /** d, low bytes of 32 points, signs[32], two high bits of each point, scales[8] of 16 elements a digit. */
  IQ2_S: (b, at, e) => {
    const i = Math.floor(e / 8);
    const point = b.getUint8(at + 2 + i) | (bits(b, at + 66 + (i >> 2), 2 * (i % 4), 2) << 8);
    const scale = bits(b, at + 74 + Math.floor(e / 32), e % 32 < 16 ? 0 : 4, 4);
    const q = IQ2[pointElement(GRIDS.IQ2_S, point, 8, e % 8)]!;
    return ((f16(b, at) * (2 * scale + 1)) / 8) * q * sign(b.getUint8(at + 34 + i), e % 8);
  },
  /** d, 64 points[4], then for each 32 elements 4 x 7 bits of signs and 4 of scale. */
  IQ3_XXS: (b, at, e) => {
    const more = b.getUint32(at + 66 + 4 * Math.floor(e / 32), true);
    const q = IQ3_XXS[pointElement(GRIDS.IQ3_XXS, b.getUint8(at + 2 + Math.floor(e / 4)), 4, e % 4)]!;
    const signs = (more >>> (7 * Math.floor((e % 32) / 8))) & 127;
    return ((f16(b, at) * (2 * (more >>> 28) + 1)) / 4) * q * evenSign(signs, e % 8);
  },
  /** d, low bytes of 64 points, their high bits[8], signs[32], scales[4] of 32 elements a digit. */
  IQ3_S: (b, at, e) => {
    const i = Math.floor(e / 4);
    const point = b.getUint8(at + 2 + i) | (bits(b, at + 66 + (i >> 3), i % 8, 1) << 8);
    const scale = bits(b, at + 106 + Math.floor(e / 64), e % 64 < 32 ? 0 : 4, 4);
    const q = IQ3_S[pointElement(GRIDS.IQ3_S, point, 4, e % 4)]!;
    return f16(b, at) * (2 * scale + 1) * q * sign(b.getUint8(at + 74 + Math.floor(e / 8)), e % 8);
  },
  /** d, low bytes of 32 points, for each 32 elements a word: 4 x 3 high bits, 3 of scale, 1 of the eighth's sign. */
  IQ1_S: (b, at, e) => {
    const i = Math.floor(e / 8);
    const word = b.getUint16(at + 34 + 2 * Math.floor(e / 32), true);
    const point = b.getUint8(at + 2 + i) | (((word >> (3 * (i % 4))) & 7) << 8);
    const q = IQ1[pointElement(GRIDS.IQ1_S, point, 8, e % 8)]! + sign(word >> 15, 0) / 8;
    return f16(b, at) * (2 * ((word >> 12) & 7) + 1) * q;
  },
  /** Low bytes of 32 points, for each a digit: 3 high bits and the eighth's sign; 4 words of 4 scales each and d. */
  IQ1_M: (b, at, e) => {
    const [i, sub] = [Math.floor(e / 8), Math.floor(e / 16)];
    const digit = bits(b, at + 32 + (i >> 1), 4 * (i % 2), 4);
    const q = IQ1[pointElement(GRIDS.IQ1_M, b.getUint8(at + i) | ((digit & 7) << 8), 8, e % 8)]! + sign(digit, 3) / 8;
    const scale = (b.getUint16(at + 48 + 2 * (sub >> 2), true) >> (3 * (sub % 4))) & 7;
    return scattered(b, at + 48) * (2 * scale + 1) * q;
  },
};

/**
 * The elements of a tensor. Every one is exact, so that rounding it to float32 gives what an engine computing in float32
 * with one rounding at the end would have; infinities and NaN come through as they are.
 * @throws RangeError if the bytes are no whole number of blocks.
 */
export function dequantize(type: GgmlType, data: Uint8Array): Float64Array {
  const { blockSize, blockBytes } = GGML_TYPES[type];
  if (data.length % blockBytes !== 0) {
    throw new RangeError(`${data.length} bytes are no whole number of ${type} blocks of ${blockBytes} bytes`);
  }
  const bytes = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const element = ELEMENT[type];
  const values = new Float64Array((data.length / blockBytes) * blockSize);
  for (let i = 0; i < values.length; i++) {
    values[i] = element(bytes, Math.floor(i / blockSize) * blockBytes, i % blockSize);
  }
  return values;
}
