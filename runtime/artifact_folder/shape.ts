/**
 * Checks of data that comes from a file: what is there, where it should be. A check answers with the first thing that is
 * wrong and its place, "nodes[3].args[0].offset: expected a whole number from 0, found "x"", or with undefined.
 */
export type Check = (value: unknown, at: string) => string | undefined;

const LONGEST = 40;

/** A value of a foreign file, short and in printable ASCII. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'a table';
  if (value === undefined) return 'nothing';
  const text = typeof value === 'string' && value.length > LONGEST ? `${value.slice(0, LONGEST)}...` : value;
  const ascii = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(text).replace(/[^\x20-\x7e]/g, ascii);
}

const expected = (what: string, value: unknown, at: string): string =>
  `${at || 'the file'}: expected ${what}, found ${shown(value)}`;

/** A check by a condition. */
const that =
  (what: string, holds: (value: unknown) => boolean): Check =>
  (value, at) =>
    holds(value) ? undefined : expected(what, value, at);

export const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `most`: characters. */
export const text = (most = 4096): Check =>
  that(`a text of at most ${most} characters`, (value) => typeof value === 'string' && value.length <= most);
export const count = that('a whole number from 0', (value) => Number.isSafeInteger(value) && (value as number) >= 0);
export const integer = that('a whole number', Number.isSafeInteger);
export const number = that('a number', Number.isFinite);
export const flag = that('true or false', (value) => typeof value === 'boolean');
export const sha256Text = that(
  'a SHA-256 as 64 lower-case hexadecimal digits',
  (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value),
);
export const oneOf = (...values: readonly unknown[]): Check =>
  that(values.map(shown).join(' or '), (value) => values.includes(value));

/** May be left out. */
export const optional =
  (check: Check): Check =>
  (value, at) =>
    value === undefined ? undefined : check(value, at);

export const orNull =
  (check: Check): Check =>
  (value, at) =>
    value === null ? undefined : check(value, at);

export const listOf =
  (check: Check, least = 0, most = Number.POSITIVE_INFINITY): Check =>
  (value, at) => {
    if (!Array.isArray(value) || value.length < least || value.length > most)
      return expected(
        least === most ? `a list of ${least}` : least > 0 ? `a list of at least ${least}` : 'a list',
        value,
        at,
      );
    return firstProblem(value.entries(), ([i, entry]) => check(entry, `${at}[${i}]`));
  };

/** A table with any names, whose values all pass one check. */
export const tableOf =
  (check: Check): Check =>
  (value, at) => {
    if (!isTable(value)) return expected('a table', value, at);
    return firstProblem(Object.entries(value), ([name, entry]) => check(entry, `${at}[${shown(name)}]`));
  };

/** Of each property of T its check; the compiler finds one that is missing. Others are refused. */
export type Fields<T> = { readonly [K in keyof Required<T>]: Check };

export const record =
  <T>(fields: Fields<T>): Check =>
  (value, at) => {
    if (!isTable(value)) return expected('a table', value, at);
    const place = (name: string) => (at === '' ? name : `${at}.${name}`);
    const foreign = Object.keys(value).find((name) => !Object.hasOwn(fields, name));
    if (foreign !== undefined) return `${at || 'the file'}: ${shown(foreign)} is not known here`;
    return firstProblem(Object.entries<Check>(fields), ([name, check]) =>
      check(Object.hasOwn(value, name) ? value[name] : undefined, place(name)),
    );
  };

/** Tables of several kinds, told apart by their `kind`. */
export const byKind =
  (kinds: Readonly<Record<string, Check>>): Check =>
  (value, at) => {
    const kind = isTable(value) ? value.kind : undefined;
    if (typeof kind === 'string' && Object.hasOwn(kinds, kind)) return kinds[kind]!(value, at);
    return expected(`a table whose kind is ${Object.keys(kinds).join(', ')}`, isTable(value) ? kind : value, at);
  };

function firstProblem<T>(entries: Iterable<T>, check: (entry: T) => string | undefined): string | undefined {
  for (const entry of entries) {
    const problem = check(entry);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
