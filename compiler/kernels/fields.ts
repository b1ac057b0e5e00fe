/** The lines of a kernel's configuration struct in kernels.cu: only what differs from the struct of defaults that it starts from. */
import type { Field } from './kernel.js';

/** A type that takes the place of a default one. */
export const variant = (name: string, type: string | false | null | undefined): Field[] =>
  type ? [`using ${name} = ${type};`] : [];

/** The constants that are not what the default is. */
export function unlike<T extends number | boolean>(usual: T, values: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== usual));
}

/** The lines of a field: none of no constants. */
export function constants(field: Field): string[] {
  if (typeof field === 'string') return [field];
  const [type, values] = field;
  const entries = Object.entries(values);
  if (entries.length === 0) return [];
  const literal = (value: number | boolean) => (type === 'float' ? cFloat(value as number) : value);
  return [`static constexpr ${type} ${entries.map(([name, value]) => `${name} = ${literal(value)}`).join(', ')};`];
}

export const indent = (line: string): string => `  ${line}`;

/** An f32 as a C literal that reads back to the same bits. */
export function cFloat(value: number): string {
  const rounded = Math.fround(value);
  if (!Number.isFinite(rounded)) throw new Error(`${value} is no finite f32`);
  const digits = Number(rounded.toPrecision(9)).toString();
  return /[.e]/.test(digits) ? `${digits}f` : `${digits}.f`;
}
