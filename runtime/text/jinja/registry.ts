/** The filters and tests by name, with those that apply others. */

import { bind } from './arguments.js';
import { OPERATIONS } from './arithmetic.js';
import { COMPARISONS, contains, equal } from './compare.js';
import { JinjaError } from './errors.js';
import { isIterable, items } from './iterate.js';
import { getter, LIST_FILTERS, lazy } from './list_filters.js';
import { str } from './print.js';
import { type Filter, TEXT_FILTERS } from './text_filters.js';
import * as unicode from './unicode.js';
import {
  Callable,
  Dict,
  isText,
  isTrue,
  type Keywords,
  length,
  Markup,
  plain,
  sequence,
  Undefined,
  type Value,
} from './values.js';

export type Test = (args: readonly Value[], keywords: Keywords) => boolean;

function missing(kind: 'filter' | 'test', name: Value): JinjaError {
  const hint = name instanceof Undefined ? ` (${name.message}; did you forget to quote the callable name?)` : '';
  return new JinjaError('TemplateRuntimeError', `No ${kind} named '${str(name)}'.${hint}`);
}

function named<T>(table: ReadonlyMap<string, T>, kind: 'filter' | 'test', name: Value): T {
  const found = isText(name) ? table.get(plain(name)) : undefined;
  if (!found) throw missing(kind, name);
  return found;
}

function map(args: readonly Value[], keywords: Keywords): Value {
  const [value, ...rest] = args;
  return lazy('generator sync_do_map', function* () {
    if (!isTrue(value!)) return;
    const change = changer(rest, keywords);
    for (const item of items(value!)) yield change(item);
  });
}

function changer(args: readonly Value[], keywords: Keywords): (item: Value) => Value {
  if (args.length === 0 && keywords.has('attribute')) {
    for (const name of keywords.keys())
      if (name !== 'attribute' && name !== 'default')
        throw new JinjaError('FilterArgumentError', `Unexpected keyword argument '${name}'`);
    return getter(keywords.get('attribute')!, keywords.get('default'));
  }
  const [name, ...rest] = args;
  if (name === undefined) throw new JinjaError('FilterArgumentError', 'map requires a filter argument');
  return (item) => named(FILTERS, 'filter', name)([item, ...rest], keywords);
}

/** `byAttribute`: the first argument names what of each item is tested. */
const select =
  (keeps: boolean, byAttribute: boolean): Filter =>
  (args, keywords) => {
    const [value, ...rest] = args;
    return lazy('generator select_or_reject', function* () {
      if (!isTrue(value!)) return;
      const test = tester(rest, keywords, byAttribute);
      for (const item of items(value!)) if (test(item) === keeps) yield item;
    });
  };

function tester(args: readonly Value[], keywords: Keywords, byAttribute: boolean): (item: Value) => boolean {
  const [attribute, ...more] = byAttribute ? args : [null, ...args];
  if (attribute === undefined) throw new JinjaError('FilterArgumentError', 'Missing parameter for attribute name');
  const get = byAttribute ? getter(attribute) : (item: Value) => item;
  const [name, ...rest] = more;
  if (name === undefined) return (item) => isTrue(get(item));
  return (item) => named(TESTS, 'test', name)([get(item), ...rest], keywords);
}

export const FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ...TEXT_FILTERS,
  ...LIST_FILTERS,
  ['map', map],
  ['reject', select(false, false)],
  ['rejectattr', select(false, true)],
  ['select', select(true, false)],
  ['selectattr', select(true, true)],
]);

const test = (name: string, act: (value: Value) => boolean): [string, Test] => [
  name,
  (args, keywords) => act(bind(name, 'value', args, keywords)[0]!),
];
const pair = (name: string, act: (value: Value, other: Value) => boolean, other = 'other'): [string, Test] => [
  name,
  (args, keywords) => {
    const [value, second] = bind(name, `value ${other}`, args, keywords);
    return act(value!, second!);
  },
];

const isWhole = (value: Value): boolean => typeof value === 'bigint';
const isNumber = (value: Value): boolean => isWhole(value) || typeof value === 'number' || typeof value === 'boolean';
const rest = (value: Value, by: Value): Value => OPERATIONS['%']!(value, by);

function isSame(a: Value, b: Value): boolean {
  if (typeof a === 'bigint') return typeof b === 'bigint' && a === b && a >= -5n && a <= 256n;
  return a === b;
}

function isSequence(value: Value): boolean {
  const indexed = isText(value) || sequence(value) !== undefined || value instanceof Dict || value instanceof Undefined;
  return indexed || (length(value) !== undefined && value !== null && typeof value === 'object' && 'step' in value);
}

const COMPARING: Readonly<Record<string, readonly string[]>> = {
  '==': ['==', 'eq', 'equalto'],
  '!=': ['!=', 'ne'],
  '>': ['>', 'gt', 'greaterthan'],
  '>=': ['>=', 'ge'],
  '<': ['<', 'lt', 'lessthan'],
  '<=': ['<=', 'le'],
};

export const TESTS: ReadonlyMap<string, Test> = new Map<string, Test>([
  test('odd', (value) => equal(rest(value, 2n), 1n)),
  test('even', (value) => equal(rest(value, 2n), 0n)),
  pair('divisibleby', (value, by) => equal(rest(value, by), 0n), 'num'),
  test('defined', (value) => !(value instanceof Undefined)),
  test('undefined', (value) => value instanceof Undefined),
  test('filter', (value) => new Dict([...FILTERS.keys()].map((name) => [name, null])).has(value)),
  test('test', (value) => new Dict([...TESTS.keys()].map((name) => [name, null])).has(value)),
  test('none', (value) => value === null),
  test('boolean', (value) => typeof value === 'boolean'),
  test('false', (value) => value === false),
  test('true', (value) => value === true),
  test('integer', isWhole),
  test('float', (value) => typeof value === 'number'),
  test('lower', (value) => unicode.isLower(str(value))),
  test('upper', (value) => unicode.isUpper(str(value))),
  test('string', isText),
  test('mapping', (value) => value instanceof Dict),
  test('number', isNumber),
  test('sequence', isSequence),
  test('iterable', (value) => isIterable(value)),
  test('callable', (value) => value instanceof Callable || value instanceof Undefined),
  pair('sameas', isSame),
  test('escaped', (value) => value instanceof Markup),
  pair('in', (value, within) => contains(within, value), 'seq'),
  ...Object.entries(COMPARING).flatMap(([operator, names]) =>
    names.map((name) => pair(name, COMPARISONS[operator]!, 'other')),
  ),
]);
