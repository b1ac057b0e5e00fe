/** The ggml tensor types this compiler knows: their ids in a GGUF file and how they pack elements into blocks. */

export interface GgmlTypeInfo {
  /** ggml_type in the file. */
  readonly id: number;
  /** Elements a block. */
  readonly blockSize: number;
  /** Bytes a block. */
  readonly blockBytes: number;
}

export const GGML_TYPES = {
  F32: { id: 0, blockSize: 1, blockBytes: 4 },
  F16: { id: 1, blockSize: 1, blockBytes: 2 },
  Q4_0: { id: 2, blockSize: 32, blockBytes: 18 },
  Q4_1: { id: 3, blockSize: 32, blockBytes: 20 },
  Q5_0: { id: 6, blockSize: 32, blockBytes: 22 },
  Q5_1: { id: 7, blockSize: 32, blockBytes: 24 },
  Q8_0: { id: 8, blockSize: 32, blockBytes: 34 },
  Q2_K: { id: 10, blockSize: 256, blockBytes: 84 },
  Q3_K: { id: 11, blockSize: 256, blockBytes: 110 },
  Q4_K: { id: 12, blockSize: 256, blockBytes: 144 },
  Q5_K: { id: 13, blockSize: 256, blockBytes: 176 },
  Q6_K: { id: 14, blockSize: 256, blockBytes: 210 },
  IQ2_XXS: { id: 16, blockSize: 256, blockBytes: 66 },
  IQ2_XS: { id: 17, blockSize: 256, blockBytes: 74 },
  IQ3_XXS: { id: 18, blockSize: 256, blockBytes: 98 },
  IQ1_S: { id: 19, blockSize: 256, blockBytes: 50 },
  IQ4_NL: { id: 20, blockSize: 32, blockBytes: 18 },
  IQ3_S: { id: 21, blockSize: 256, blockBytes: 110 },
  IQ2_S: { id: 22, blockSize: 256, blockBytes: 82 },
  IQ4_XS: { id: 23, blockSize: 256, blockBytes: 136 },
  IQ1_M: { id: 29, blockSize: 256, blockBytes: 56 },
  BF16: { id: 30, blockSize: 1, blockBytes: 2 },
  MXFP4: { id: 39, blockSize: 32, blockBytes: 17 },
} as const satisfies Record<string, GgmlTypeInfo>;

export type GgmlType = keyof typeof GGML_TYPES;

/** Types that ggml defines and this compiler has no kernels for: enough to find where their tensors end. */
const OTHER_GGML_TYPES = {
  Q8_1: { id: 9, blockSize: 32, blockBytes: 36 },
  Q8_K: { id: 15, blockSize: 256, blockBytes: 292 },
  I8: { id: 24, blockSize: 1, blockBytes: 1 },
  I16: { id: 25, blockSize: 1, blockBytes: 2 },
  I32: { id: 26, blockSize: 1, blockBytes: 4 },
  I64: { id: 27, blockSize: 1, blockBytes: 8 },
  F64: { id: 28, blockSize: 1, blockBytes: 8 },
  TQ1_0: { id: 34, blockSize: 256, blockBytes: 54 },
  TQ2_0: { id: 35, blockSize: 256, blockBytes: 66 },
  NVFP4: { id: 40, blockSize: 64, blockBytes: 36 },
  Q1_0: { id: 41, blockSize: 128, blockBytes: 18 },
} as const satisfies Record<string, GgmlTypeInfo>;

/** Every type that a file may hold; only a GgmlType can be compiled. */
export type AnyGgmlType = GgmlType | keyof typeof OTHER_GGML_TYPES;

const TYPES_BY_ID = new Map<number, { readonly name: AnyGgmlType; readonly info: GgmlTypeInfo }>(
  Object.entries({ ...GGML_TYPES, ...OTHER_GGML_TYPES }).map(([name, info]) => [
    info.id,
    { name: name as AnyGgmlType, info },
  ]),
);

/** The type with this id in a file, or undefined where ggml defines none or has removed it (Q4_2, Q4_0_4_4, ...). */
export function ggmlTypeOfId(id: number): { readonly name: AnyGgmlType; readonly info: GgmlTypeInfo } | undefined {
  return TYPES_BY_ID.get(id);
}

export function isSupportedType(type: AnyGgmlType): type is GgmlType {
  return Object.hasOwn(GGML_TYPES, type);
}
