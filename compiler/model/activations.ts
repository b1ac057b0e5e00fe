/** Activations, by their names in runtime/kernels/activation.cuh. A new one is a line here and its formula there. */

/** `gated`: what llama.cpp calls act(gate) * up. `alone`: act of one matrix's rows, in words. Absent: no model has it so. */
interface Ways {
  readonly gated?: string;
  readonly alone?: string;
}

export const ACTIVATIONS = {
  silu: { gated: 'swiglu', alone: 'silu' },
  /** In its tanh form. */
  gelu: { gated: 'geglu', alone: 'gelu' },
  gelu_erf: { alone: 'exact gelu' },
  /** max(x, 0)^2 */
  relu_sqr: { alone: 'relu squared' },
  /** min(gate, 7) * sigmoid(1.702 * min(gate, 7)) * (clamp(up, -7, 7) + 1) */
  swiglu_oai: { gated: 'swiglu' },
} as const satisfies Record<string, Ways>;

export type Activation = keyof typeof ACTIVATIONS;
type Having<Way extends keyof Ways> = {
  [Name in Activation]: Way extends keyof (typeof ACTIVATIONS)[Name] ? Name : never;
}[Activation];
export type Gated = Having<'gated'>;
export type Alone = Having<'alone'>;

const all = Object.keys(ACTIVATIONS) as Activation[];
export const isGated = (name: Activation): name is Gated => 'gated' in ACTIVATIONS[name];
export const isAlone = (name: Activation): name is Alone => 'alone' in ACTIVATIONS[name];
export const GATED: readonly Gated[] = all.filter(isGated);
export const ALONE: readonly Alone[] = all.filter(isAlone);
