/** A schema and where in the document it is, so that what is wrong with it can be found. */
import { quote } from '../../common/quote.js';
import { FormatError } from '../format_error.js';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
export type SchemaObject = { readonly [keyword: string]: Json };

export interface Located {
  readonly schema: SchemaObject | boolean;
  /** JSON pointer: "" is the document. */
  readonly pointer: string;
}

export const isObject = (value: unknown): value is SchemaObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const escaped = (name: string | number) => String(name).replaceAll('~', '~0').replaceAll('/', '~1');
export const pointerTo = (pointer: string, ...names: readonly (string | number)[]): string =>
  [pointer, ...names.map(escaped)].join('/');

export const fail = (pointer: string, message: string): never => {
  throw new FormatError(`the schema at ${quote(pointer)}: ${message}`);
};

/** The schema that a schema has under these names. */
export function schemaAt(parent: Located, ...names: readonly (string | number)[]): Located {
  let value: Json = parent.schema as Json;
  for (const name of names) value = (value as { readonly [name: string]: Json })[name]!;
  const pointer = pointerTo(parent.pointer, ...names);
  return isSchema(value) ? { schema: value, pointer } : fail(pointer, 'a schema is an object, true or false');
}

export const isSchema = (value: unknown): value is SchemaObject | boolean =>
  typeof value === 'boolean' || isObject(value);

/** A keyword's value, checked. */
export function keyword<T extends Json>(
  { schema, pointer }: Located,
  name: string,
  isRight: (value: Json) => value is T,
  expected: string,
): T | undefined {
  if (typeof schema === 'boolean' || !Object.hasOwn(schema, name)) return undefined;
  const value = schema[name]!;
  return isRight(value) ? value : fail(pointerTo(pointer, name), `${name} is ${expected}`);
}

export const isText = (value: Json): value is string => typeof value === 'string';
export const isNumber = (value: Json): value is number => typeof value === 'number';
export const isCount = (value: Json): value is number => isNumber(value) && Number.isInteger(value) && value >= 0;
export const isList = (value: Json): value is readonly Json[] => Array.isArray(value);
export const isTexts = (value: Json): value is readonly string[] => isList(value) && value.every(isText);

/** The largest of what several schemas say, and who says it. */
export function largest(
  all: readonly Located[],
  name: string,
  isRight: (value: Json) => value is number,
  expected: string,
): { readonly value: number; readonly pointer: string } | undefined {
  return said(all, name, isRight, expected).reduce<Said | undefined>(
    (a, b) => (a && a.value >= b.value ? a : b),
    undefined,
  );
}

/** The smallest. */
export function smallest(...args: Parameters<typeof largest>): ReturnType<typeof largest> {
  return said(...args).reduce<Said | undefined>((a, b) => (a && a.value <= b.value ? a : b), undefined);
}

interface Said {
  readonly value: number;
  readonly pointer: string;
}

function said(...[all, name, isRight, expected]: Parameters<typeof largest>): Said[] {
  return all.flatMap((one) => {
    const value = keyword(one, name, isRight, expected);
    return value === undefined ? [] : [{ value, pointer: pointerTo(one.pointer, name) }];
  });
}
