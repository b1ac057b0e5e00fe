/**
 * gpt-oss's tensors of all experts as those that GGUF has. Gate and up are one, whose rows alternate; the matrices are
 * transposed, or MXFP4 in two tensors, of codes and of exponents.
 */
import { ModelFileError } from '../../common/errors.js';
import { quote } from '../../common/quote.js';
import { GGML_TYPES } from '../ggml.js';
import type { TensorInfo } from '../tensor_table.js';
import type { GgufName } from './names.js';

const { blockSize } = GGML_TYPES.MXFP4;
const CODE_BYTES = blockSize / 2;

/** Errors: ModelFileError for a tensor of other dimensions than its form has; `label` is its name in the file. */
export function stackedTensors(path: string, label: string, tensor: TensorInfo, found: GgufName): TensorInfo[] {
  const { offset, bytes } = tensor;
  const { name, alternates, form } = found;
  const dims = dimsOf(path, label, tensor, found);
  const count = form === 'transposed' ? dims.at(-1)! : 1;
  const size = bytes / count;
  const pieces = Array.from({ length: count }, (_, i) => ({ offset: offset + i * size, bytes: size }));
  const place = { ...tensor, pieces, ...(form === 'transposed' && { transposed: true as const }) };
  if (alternates === undefined) return [{ ...place, dims }];
  // Of a vector there are only columns and experts.
  const rows = dims.length - 2;
  const half = { bytes: bytes / 2, dims: dims.map((dim, i) => (i === rows ? dim / 2 : dim)) };
  return [
    { ...place, ...half, name, alternate: 'even' },
    { ...place, ...half, name: alternates, alternate: 'odd' },
  ];
}

/** As GGUF's: columns first, experts last. */
function dimsOf(path: string, label: string, { dims }: TensorInfo, { form }: GgufName): readonly number[] {
  const [inner = 0, second = 0, ...others] = dims;
  const expected = (count: number, shape: string) => {
    if (dims.length === count && !dims.includes(0) && (form !== 'codes' || inner === CODE_BYTES)) return;
    const found = [...dims].reverse().join(', ');
    throw new ModelFileError(path, `tensor ${quote(label)}`, `expected a shape [${shape}], found [${found}]`);
  };
  switch (form) {
    case 'transposed':
      expected(3, 'experts, columns, rows');
      return [second, inner, ...others];
    case 'codes':
      expected(4, `experts, rows, blocks, ${CODE_BYTES}`);
      return [second * blockSize, ...others];
    case 'exponents':
      expected(3, 'experts, rows, blocks');
      return [inner * blockSize, second, ...others];
    default:
      expected(2, 'experts, rows');
      return dims;
  }
}

/** Errors: ModelFileError where MXFP4 lacks its exponents, or exponents are of no or of another tensor. */
export function joinExponents(
  path: string,
  tensors: Map<string, TensorInfo>,
  exponents: ReadonlyMap<string, TensorInfo>,
): void {
  for (const [name, codes] of tensors) {
    if (codes.type !== 'MXFP4') continue;
    const found = exponents.get(name);
    if (found === undefined || `${found.dims}` !== `${codes.dims}`)
      throw new ModelFileError(
        path,
        'tensors',
        `expected scales of each block of ${name} [${codes.dims}], found ${found ? `[${found.dims}]` : 'none'}`,
      );
    const [piece] = found.pieces!;
    tensors.set(name, { ...codes, bytes: codes.bytes + found.bytes, exponents: piece! });
  }
  const alone = [...exponents.keys()].find((name) => tensors.get(name)?.type !== 'MXFP4');
  if (alone !== undefined)
    throw new ModelFileError(path, 'tensors', `expected blocks of ${alone}, whose scales there are, found none`);
}
