/** Schemas that all hold of one value, without references and combinations: alternatives, of which one holds. */

import { isKnown } from './keywords.js';
import {
  fail,
  isList,
  isObject,
  isText,
  isTexts,
  keyword,
  type Located,
  pointerTo,
  type SchemaObject,
  schemaAt,
} from './located.js';

/** Schemas of simple keywords, all of which hold. */
export type Conjunction = readonly Located[];

const MOST_ALTERNATIVES = 256;
/** Of a whole schema: combinations that are looked at. */
const MOST_STEPS = 200_000;

export class Flattener {
  readonly #root: Located;
  /** oneOf whose options have been compared. */
  readonly #compared = new Set<string>();
  #steps = 0;

  constructor(root: Located) {
    this.#root = root;
  }

  /** Errors: FormatError for a keyword that is not enforced, a reference to elsewhere, and options that may overlap. */
  alternatives(all: Conjunction): Conjunction[] {
    return this.#expand(all, new Set());
  }

  #expand(all: Conjunction, seen: ReadonlySet<string>): Conjunction[] {
    const [first, ...rest] = all;
    if (++this.#steps > MOST_STEPS) fail(first?.pointer ?? '', 'its combinations are too many: make it simpler');
    if (first === undefined) return [[]];
    if (seen.has(first.pointer)) return this.#expand(rest, seen); // it holds already
    const { schema, pointer } = first;
    const seenNow = new Set(seen).add(pointer);
    if (schema === false) return [];
    if (schema === true) return this.#expand(rest, seenNow);
    for (const name of Object.keys(schema))
      if (!isKnown(name) && !(name === '$id' && pointer === ''))
        fail(pointerTo(pointer, name), `${name} is not enforced: leave it out, or say it in another way`);
    const together = [...this.#referred(first), ...this.#all(first)];
    const options = this.#options(first);
    const simple = { schema, pointer };
    const found = options
      .flatMap((option) => this.#expand([...together, ...option, ...rest], seenNow))
      .map((more) => [simple, ...more]);
    if (found.length > MOST_ALTERNATIVES) fail(pointer, `it has more than ${MOST_ALTERNATIVES} alternatives`);
    return found;
  }

  #referred(one: Located): Located[] {
    const reference = keyword(one, '$ref', isText, 'a text');
    return reference === undefined ? [] : [this.#resolve(reference, pointerTo(one.pointer, '$ref'))];
  }

  #resolve(reference: string, pointer: string): Located {
    if (reference !== '#' && !reference.startsWith('#/'))
      return fail(pointer, `$ref ${JSON.stringify(reference)} is not of this document: only "#" and "#/..." are`);
    let names: string[];
    try {
      names = decodeURIComponent(reference.slice(2)).split('/');
    } catch {
      return fail(pointer, 'it is no JSON pointer');
    }
    if (reference === '#') return this.#root;
    let at: unknown = this.#root.schema;
    const path = names.map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
    for (const name of path) {
      if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name))
        return fail(pointer, `the document has nothing at ${JSON.stringify(reference)}`);
      at = (at as SchemaObject)[name];
    }
    return schemaAt(this.#root, ...path);
  }

  #all(one: Located): Located[] {
    const all = keyword(one, 'allOf', isList, 'a list of schemas') ?? [];
    return all.map((_, i) => schemaAt(one, 'allOf', i));
  }

  /** Of anyOf and oneOf: each way to satisfy both. */
  #options(one: Located): Located[][] {
    const listed = (name: string) => {
      const list = keyword(one, name, isList, 'a list of schemas, at least one');
      if (list?.length === 0) fail(pointerTo(one.pointer, name), `${name} is a list of schemas, at least one`);
      return list?.map((_, i) => schemaAt(one, name, i));
    };
    const any = listed('anyOf') ?? [undefined];
    const only = listed('oneOf') ?? [undefined];
    this.#requireApart(
      only.filter((option) => option !== undefined),
      pointerTo(one.pointer, 'oneOf'),
    );
    return any.flatMap((a) => only.map((b) => [a, b].filter((option) => option !== undefined)));
  }

  #requireApart(options: readonly Located[], pointer: string): void {
    if (this.#compared.has(pointer)) return;
    this.#compared.add(pointer); // before: a recursive schema comes here again
    const expanded = options.map((option) => this.alternatives([option]));
    for (const [i, a] of expanded.entries())
      for (const [j, b] of expanded.slice(0, i).entries())
        if (!a.every((one) => b.every((other) => this.areApart(one, other, 3))))
          fail(pointer, `oneOf is enforced where no value can be of two options: options ${j} and ${i} may overlap`);
  }

  /** No value is of both. */
  areApart(a: Conjunction, b: Conjunction, depth: number): boolean {
    const types = typesOf(b);
    if (![...typesOf(a)].some((type) => types.has(type))) return true;
    const [values, others] = [valuesOf(a), valuesOf(b)];
    if (values && others && !values.some((value) => others.includes(value))) return true;
    if (depth === 0) return false;
    const onlyObjects = (all: Conjunction) => [...typesOf(all)].join() === 'object';
    if (!onlyObjects(a) || !onlyObjects(b)) return false;
    const needed = requiredOf(b);
    return requiredOf(a).some((name) => needed.includes(name) && this.#propertyApart(a, b, name, depth));
  }

  #propertyApart(a: Conjunction, b: Conjunction, name: string, depth: number): boolean {
    const [one, other] = [a, b].map((all) => this.alternatives(propertyOf(all, name)));
    return one!.every((x) => other!.every((y) => this.areApart(x, y, depth - 1)));
  }
}

export type Type = 'null' | 'boolean' | 'object' | 'array' | 'number' | 'integer' | 'string';
const TYPES: readonly Type[] = ['null', 'boolean', 'object', 'array', 'number', 'integer', 'string'];
const isType = (value: unknown): value is Type => (TYPES as readonly unknown[]).includes(value);

/** Types that a value may have; every integer is a number, too, and "number" means those that are none. */
export function typesOf(all: Conjunction): Set<Type> {
  const types = new Set(TYPES);
  for (const one of all) {
    const allowed = typesOfOne(one);
    for (const type of types) if (!allowed.has(type)) types.delete(type);
  }
  const values = valuesOf(all)?.map((value) => JSON.parse(value));
  if (values) {
    const found = new Set(values.map(typeOf));
    for (const type of types) if (!found.has(type)) types.delete(type);
  }
  return types;
}

function typesOfOne({ schema, pointer }: Located): Set<Type> {
  if (typeof schema === 'boolean' || !Object.hasOwn(schema, 'type')) return new Set(TYPES);
  const named = Array.isArray(schema.type) ? schema.type : [schema.type];
  const wrong = named.find((name) => !isType(name));
  if (wrong !== undefined || named.length === 0)
    return fail(pointerTo(pointer, 'type'), `type is one of ${TYPES.join(', ')}, or a list of these`);
  const types = new Set(named as Type[]);
  if (types.has('number')) types.add('integer');
  return types;
}

export function typeOf(value: unknown): Type {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  const type = typeof value;
  if (type === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return type as Type;
}

/** Values that enum and const leave, as JSON; undefined where neither says anything. */
export function valuesOf(all: Conjunction): string[] | undefined {
  let left: string[] | undefined;
  for (const one of all) {
    const listed = keyword(one, 'enum', isList, 'a list of values');
    const constant =
      typeof one.schema !== 'boolean' && Object.hasOwn(one.schema, 'const') ? [one.schema.const] : undefined;
    for (const values of [listed, constant]) {
      if (values === undefined) continue;
      const texts = [...new Set(values.map((value) => canonical(value)))];
      left = left?.filter((value) => texts.includes(value)) ?? texts;
    }
  }
  return left;
}

/** With the names of each object in order, so that equal values have equal texts. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

export function requiredOf(all: Conjunction): string[] {
  return [...new Set(all.flatMap((one) => keyword(one, 'required', isTexts, 'a list of names') ?? []))];
}

/** What holds of a property with this name. */
export function propertyOf(all: Conjunction, name: string): Located[] {
  return all.flatMap((one) => {
    const properties = keyword(one, 'properties', isObject, 'an object of schemas');
    if (properties && Object.hasOwn(properties, name)) return [schemaAt(one, 'properties', name)];
    return additionalOf(one);
  });
}

/** What holds of properties that the schema does not name. */
export function additionalOf(one: Located): Located[] {
  if (typeof one.schema === 'boolean' || !Object.hasOwn(one.schema, 'additionalProperties')) return [];
  return [schemaAt(one, 'additionalProperties')];
}
