/** What a kernel makes of its input before all else: a sum, a norm; the variants of input_sum.cuh and norm.cuh. */
import type { Checks } from '../ir/checks.js';
import type { Norm, Value } from '../ir/ops.js';
import type { Weight } from '../model/spec.js';
import { cFloat, variant } from './fields.js';
import type { Field } from './kernel.js';

/** norm(input) + residual, of a norm about 0 without a bias. */
export interface InputSum {
  readonly norm: Norm;
  readonly residual: Value;
  /** The sum, left for later operations; absent: none reads it. */
  readonly output?: Value;
}

interface Input {
  readonly input: Value;
  /** Stands in for the input. */
  readonly inputSum?: InputSum;
  readonly norm?: Norm;
}

export interface NormConfig {
  readonly normalize: boolean;
  readonly centred: boolean;
  readonly normBias: boolean;
  readonly epsilon: number;
}

export interface InputConfig extends NormConfig {
  /** The input is the sum of itself, normed, and a residual; stored where later nodes read it. */
  readonly sumInput: boolean;
  readonly storeSum: boolean;
  readonly sumEpsilon: number;
}

export const inputConfig = ({ inputSum, norm }: Omit<Input, 'input'>): InputConfig => ({
  sumInput: inputSum !== undefined,
  storeSum: inputSum?.output !== undefined,
  sumEpsilon: inputSum?.norm.epsilon ?? 0,
  ...normConfig(norm),
});

export const normConfig = (norm: Norm | undefined): NormConfig => ({
  normalize: norm !== undefined,
  centred: norm?.centred ?? false,
  normBias: norm?.bias !== undefined,
  epsilon: norm?.epsilon ?? 0,
});

export const inputFields = (c: InputConfig): Field[] => [
  ...variant('input', c.sumInput && `SummedInput<${cFloat(c.sumEpsilon)}, ${c.storeSum}>`),
  ...normFields(c),
];

export const normFields = (c: NormConfig): Field[] => variant('norm', normType(c));

function normType({ normalize, centred, normBias, epsilon }: NormConfig): string | false {
  if (!normalize) return false;
  return centred ? `LayerNorm<${cFloat(epsilon)}, ${normBias}>` : `RmsNorm<${cFloat(epsilon)}>`;
}

export function checkInput({ input, inputSum, norm }: Input, checks: Checks): void {
  if (norm) checks.norm(norm, input.cols);
  if (!inputSum) return;
  const { norm: first, residual, output = residual } = inputSum;
  checks.norm(first, input.cols);
  checks.need(!first.centred && !first.bias && !norm?.centred, 'a sum of the input beside a norm about the mean');
  checks.equal('what is added to the input', residual.cols, 'input', input.cols);
  checks.equal('the sum', output.cols, 'input', input.cols);
}

export function inputTexts({ inputSum: sum, norm }: Omit<Input, 'input'>): string[] {
  return [
    ...(sum ? [`norm, + ${sum.residual.name}${sum.output ? ` -> ${sum.output.name}` : ''}`] : []),
    ...(norm ? ['norm'] : []),
  ];
}

export const inputVectors = ({ inputSum, norm }: Omit<Input, 'input'>): (Weight | undefined)[] => [
  inputSum?.norm.weight,
  inputSum?.norm.bias,
  norm?.weight,
  norm?.bias,
];
