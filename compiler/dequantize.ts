/**
 * What the bytes of a tensor mean: one formula an element for each type of model/ggml.ts. Slow and exact.
 *
 * A block is `blockSize` consecutive elements of a row. Fields are little-endian; `d` and `dmin` are f16.
 */
import { GGML_TYPES, type GgmlType } from './model/ggml.js';

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
