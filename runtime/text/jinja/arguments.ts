/** Arguments as Python binds them to parameters. */
import { typeError } from './errors.js';
import { Builtin, type Keywords, typeName, type Value } from './values.js';

export const NO_KEYWORDS: Keywords = new Map();

/** Parameters by name, in order; those that end in `=` may be left out, and are undefined then. Those before `/` have no name. */
export type Signature = string;

/** Their values, one a parameter. Errors: TypeError, as Python has it. */
export function bind(
  name: string,
  signature: Signature,
  args: readonly Value[],
  keywords: Keywords,
): (Value | undefined)[] {
  const { names, required, unnamed } = parsed(signature);
  if (args.length > names.length)
    throw typeError(`${name}() takes ${names.length} positional arguments but ${args.length} were given`);
  const values: (Value | undefined)[] = [...args];
  for (const [keyword, value] of keywords) {
    const at = names.indexOf(keyword, unnamed);
    if (at < 0) throw typeError(`${name}() got an unexpected keyword argument '${keyword}'`);
    if (values[at] !== undefined) throw typeError(`${name}() got multiple values for argument '${keyword}'`);
    values[at] = value;
  }
  for (let i = 0; i < required; i++)
    if (values[i] === undefined) throw typeError(`${name}() missing required argument '${names[i]}'`);
  return values;
}

interface Parsed {
  readonly names: readonly string[];
  readonly required: number;
  readonly unnamed: number;
}
const signatures = new Map<Signature, Parsed>();

function parsed(signature: Signature): Parsed {
  const known = signatures.get(signature);
  if (known) return known;
  const words = signature.split(' ').filter((word) => word !== '');
  const names = words.filter((word) => word !== '/');
  const required = names.filter((word) => !word.endsWith('=')).length;
  const made = {
    names: names.map((word) => word.replace('=', '')),
    required,
    unnamed: Math.max(words.indexOf('/'), 0),
  };
  signatures.set(signature, made);
  return made;
}

type Act<T> = (self: T, ...args: (Value | undefined)[]) => Value;

/** Methods of a type, by name. */
export class Methods<T extends Value> {
  readonly #known = new Map<string, readonly [Signature, Act<T>]>();

  constructor(methods: Readonly<Record<string, readonly [Signature, Act<T>]>>) {
    for (const [name, method] of Object.entries(methods)) this.#known.set(name, method);
  }

  /** The method of this value, which Python calls `owner`. */
  of(owner: Value, self: T, name: string): Builtin | undefined {
    const method = this.#known.get(name);
    if (!method) return undefined;
    const [signature, act] = method;
    return new Builtin(name, (args, keywords) => act(self, ...bind(name, signature, args, keywords)), { value: owner });
  }
}

/** An int, or a bool as one. */
export function integer(value: Value): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  throw typeError(`'${typeName(value)}' object cannot be interpreted as an integer`);
}

/** As a number that cannot be too large: beyond it there is nothing to count. */
export function count(value: Value): number {
  const exact = integer(value);
  return exact > LARGEST ? Number(LARGEST) : exact < -LARGEST ? -Number(LARGEST) : Number(exact);
}
const LARGEST = BigInt(Number.MAX_SAFE_INTEGER);
