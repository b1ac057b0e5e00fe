/** What is written of a schema, against ajv; and what is refused, by keyword and pointer. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { describe, expect, it } from 'vitest';
import { ANNOTATIONS, ENFORCED } from '../../runtime/format/schema/keywords.js';
import { FORMATS } from '../../runtime/format/schema/strings.js';
import { ROOT } from '../support/artifacts.js';
import { Random } from '../support/random.js';
import { accepts, randomText, schemaAutomaton } from './support.js';

const ajv = new Ajv2020.default({ strict: false, allErrors: true });
addFormats.default(ajv);

/** Texts of a schema that are valid, and how many different ones there were. */
function checkValid(schema: object | boolean, count = 150): number {
  const automaton = schemaAutomaton(schema);
  const validate = ajv.compile(schema);
  const random = new Random(7);
  const seen = new Set<string>();
  for (let i = 0; i < count; i++) {
    const text = randomText(automaton, random, i % 100);
    const isValid = validate(JSON.parse(text));
    expect(isValid, `${text}: ${ajv.errorsText(validate.errors)}`).toBe(true);
    seen.add(text);
  }
  return seen.size;
}

const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more });
const TREE = {
  $ref: '#/$defs/node',
  $defs: {
    node: object(
      { value: { type: 'integer' }, children: { type: 'array', items: { $ref: '#/$defs/node' }, maxItems: 2 } },
      { required: ['value', 'children'], additionalProperties: false },
    ),
  },
};
const option = (kind: string, properties: object) =>
  object({ kind: { const: kind }, ...properties }, { required: ['kind', ...Object.keys(properties)] });

/** For each keyword schemas in which it matters, and texts that it forbids. */
const CASES: Readonly<
  Record<(typeof ENFORCED)[number], readonly (readonly [schema: object, ...forbidden: string[]])[]>
> = {
  type: [
    [{ type: 'string' }, '1', 'null', '"\\ud800"', '"\n"'],
    [{ type: ['integer', 'null'] }, '"a"', '1.5', '01', 'nul'],
    [{ type: 'number' }, '.5', '5.', '+1', '1e', '"1"'],
    [{ type: 'boolean' }, '0', '"true"'],
    [{ type: 'object' }, '[]', '{"a"}', '{,}'],
    [{ type: 'array' }, '{}', '[1,]'],
  ],
  enum: [
    [{ enum: ['a', 'é"\\', 3, null, { x: [1] }] }, '"b"', '4'],
    [{ enum: ['aa', 'b', 3], type: 'string', minLength: 2 }, '"b"', '3'],
    [{ enum: [1, 5, 9], minimum: 4 }, '1'],
  ],
  const: [
    [{ const: { b: 1, a: [2] } }, '{}'],
    [{ const: 1.5 }, '1'],
  ],
  properties: [[object({ a: { type: 'string' }, b: { type: 'integer' } }), '{"a":1}', '{"c":1}', '{"b":1,"a":"x"}']],
  required: [
    [object({ a: {}, b: { type: 'null' } }, { required: ['b'] }), '{}', '{"a":1}'],
    [{ type: 'object', required: ['x'] }, '{}', '{"y":1}'],
  ],
  additionalProperties: [
    [object({ aa: { type: 'null' }, ab: {} }, { additionalProperties: { type: 'integer' } }), '{"aa":1}', '{"c":null}'],
    [object({ a: {} }, { additionalProperties: false }), '{"b":1}'],
    [{ type: 'object', additionalProperties: { type: 'boolean' } }, '{"a":1}'],
    [object({ '': {}, '"': {}, é: {} }, { additionalProperties: true }), '{"\\u0022":1,"x":}'],
  ],
  minProperties: [
    [object({ a: {}, b: {}, c: {} }, { minProperties: 2 }), '{"a":1}', '{}'],
    [{ type: 'object', minProperties: 1 }, '{}'],
  ],
  maxProperties: [
    [object({ a: {}, b: {}, c: {} }, { maxProperties: 1, required: ['b'] }), '{"a":1,"b":1}'],
    [{ type: 'object', maxProperties: 2 }, '{"a":1,"b":1,"c":1}'],
  ],
  items: [
    [{ type: 'array', items: { type: 'integer' } }, '["a"]'],
    [{ type: 'array', items: false }, '[1]'],
  ],
  prefixItems: [
    [{ type: 'array', prefixItems: [{ type: 'string' }, { type: 'null' }], items: false }, '[1]', '["a",null,1]'],
    [{ type: 'array', prefixItems: [{ type: 'string' }], items: { type: 'boolean' }, minItems: 3 }, '["a",true]'],
  ],
  minItems: [[{ type: 'array', items: { type: 'null' }, minItems: 2 }, '[null]', '[]']],
  maxItems: [
    [{ type: 'array', items: { type: 'null' }, maxItems: 2 }, '[null,null,null]'],
    [{ type: 'array', maxItems: 0 }, '[1]'],
  ],
  minLength: [[{ type: 'string', minLength: 3 }, '"ab"', '"\\u00e9"']],
  maxLength: [[{ type: 'string', maxLength: 2 }, '"abc"', '"\\n\\n\\n"']],
  pattern: [
    [{ type: 'string', pattern: '^[a-z]{2,4}-\\d+$' }, '"a-1"', '"ab-1x"'],
    [{ type: 'string', pattern: 'ab|c$' }, '"x"', '"cx"'],
    [{ type: 'string', pattern: '^(?:[^"\\\\]|\\p{Lu})$' }, '"ab"', '"\\""'],
    [{ type: 'string', pattern: '^\\S*\\s?[\\w.-]+$' }, '"a b c"'],
  ],
  format: Object.keys(FORMATS).map((format) => [{ type: 'string', format }, '""', '"-"', '"a b"'] as const),
  minimum: [
    [{ type: 'integer', minimum: -12 }, '-13', '-100'],
    [{ type: 'integer', minimum: 17.5, maximum: 1203 }, '17', '1204', '018'],
    [{ type: 'number', minimum: 0.25, maximum: 0.5 }, '0.24', '0.51', '0.500001', '0', '1'],
    [{ type: 'number', minimum: 100 }, '99.9', '-100'],
  ],
  maximum: [
    [{ type: 'integer', maximum: -3 }, '-2', '0', '3'],
    [{ type: 'number', minimum: -2.5, maximum: 3.75 }, '-2.51', '3.76', '4', '-3'],
    [{ type: 'number', maximum: 1, minimum: 0 }, '1.1', '-0.1', '2'],
  ],
  exclusiveMinimum: [
    [{ type: 'integer', exclusiveMinimum: 5 }, '5'],
    [{ type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 }, '0', '0.0', '1', '1.0', '-0'],
    [{ type: 'number', exclusiveMinimum: 5, maximum: 5.5 }, '5', '5.0', '5.51'],
  ],
  exclusiveMaximum: [
    [{ type: 'number', exclusiveMaximum: -3.5 }, '-3.5', '-3.50', '-3'],
    [{ type: 'number', exclusiveMinimum: -1, exclusiveMaximum: 0 }, '0', '-0', '-0.0', '-1'],
    [{ type: 'integer', exclusiveMaximum: 10, minimum: 9 }, '10'],
  ],
  anyOf: [
    [{ anyOf: [{ type: 'string', maxLength: 2 }, { type: 'null' }] }, '1', '"abc"'],
    [object({ a: { type: 'integer' }, b: {} }, { anyOf: [{ required: ['a'] }, { required: ['b'] }] }), '{}'],
  ],
  oneOf: [
    [{ oneOf: [option('a', { v: { type: 'string' } }), option('b', { n: { type: 'integer' } })] }, '{"kind":"c"}'],
    [{ oneOf: [{ type: 'string' }, { type: 'integer' }, { enum: [true] }] }, 'false'],
  ],
  allOf: [
    [
      {
        allOf: [
          object({ a: { type: 'integer' } }, { required: ['a'] }),
          object({ a: { minimum: 3 }, b: { type: 'null' } }, { required: ['b'] }),
        ],
      },
      '{"a":2,"b":null}',
      '{"a":3}',
    ],
    [{ type: 'string', allOf: [{ minLength: 2 }, { maxLength: 3 }] }, '"a"', '"abcd"'],
  ],
  $ref: [
    [TREE, '{"value":1}', '{"value":1,"children":[{}]}'],
    [object({ a: { $ref: '#/properties/b', maximum: 9 }, b: { type: 'integer', minimum: 2 } }), '{"a":1}', '{"a":10}'],
  ],
};

describe.each(ENFORCED)('%s', (name) => {
  it.each(CASES[name].map(([schema, ...forbidden]) => [JSON.stringify(schema), schema, forbidden] as const))(
    '%s',
    (_, schema, forbidden) => {
      checkValid(schema);
      const automaton = schemaAutomaton(schema);
      for (const text of forbidden) expect(accepts(automaton, text), text).toBe(false);
    },
  );
});

it('docs/format.md lists them, and what is let through', () => {
  const [, section] = readFileSync(join(ROOT, 'docs/format.md'), 'utf8').split('\n## JSON schemas\n');
  const [table, rest] = section!.split('\n\nThese say nothing');
  const names = (part: string) => [...part.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
  const rows = [...table!.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, cell]) => names(cell!));
  expect(rows.sort()).toEqual([...ENFORCED].sort());
  const through = names(rest!.split('\n\n')[0]!);
  expect(through.sort()).toEqual([...ANNOTATIONS, 'x-', '$id'].sort());
  const formats = names(/^\| `format` \| (.*?); others/m.exec(table!)![1]!);
  expect(formats.sort()).toEqual(Object.keys(FORMATS).sort());
});

it('every value and any object can be written', () => {
  for (const schema of [true, {}, { type: 'object' }]) expect(checkValid(schema)).toBeGreaterThan(30);
  const automaton = schemaAutomaton({});
  const nested = { a: [1, -2.5e-7, { b: 'x\n"\u{1f600}é', c: [[]] }], d: true, e: null, f: {} };
  for (const text of [JSON.stringify(nested), JSON.stringify(nested, null, 2), '"\\ud83d\\ude00\\u00e9"', '[ ]', '{ }'])
    expect(accepts(automaton, text), text).toBe(true);
});

it('white space is bounded', () => {
  const automaton = schemaAutomaton({ type: 'array' });
  for (const text of ['[  ]', '[\n\n\n1]', `[\n${' '.repeat(42)}1]`, ' []', '[] ', '[1 ,2]'])
    expect(accepts(automaton, text), text).toBe(text === '[  ]');
});

it('annotations say nothing', () => {
  const said = Object.fromEntries(
    ANNOTATIONS.map((name) => [name, name.startsWith('$d') || name === 'definitions' ? {} : 'x']),
  );
  expect(accepts(schemaAutomaton({ ...said, 'x-order': 1, type: 'null' }), 'null')).toBe(true);
});

const REFUSED: readonly (readonly [schema: unknown, message: string])[] = [
  ...[
    'not',
    'if',
    'contains',
    'patternProperties',
    'propertyNames',
    'dependentRequired',
    'unevaluatedProperties',
    'multipleOf',
  ].map((name) => [object({ 'a/b': { [name]: {} } }), `"/properties/a~1b/${name}": ${name} is not enforced`] as const),
  [object({ a: { type: 'array', uniqueItems: true } }), '"/properties/a/uniqueItems": uniqueItems is not enforced'],
  [{ $anchor: 'x' }, '"/$anchor": $anchor is not enforced'],
  [{ maxlength: 3 }, '"/maxlength": maxlength is not enforced'],
  [{ $ref: 'https://example.com/schema' }, '"/$ref": $ref "https://example.com/schema" is not of this document'],
  [{ $ref: '#/$defs/gone' }, 'the document has nothing at "#/$defs/gone"'],
  [{ type: 'array', items: [{}] }, '"/items": items as a list is not enforced: prefixItems is'],
  [{ type: 'string', pattern: '^(?=a)' }, '"/pattern": "(?=a)": a lookahead is not supported'],
  [{ type: 'string', pattern: '(a)\\1' }, 'a backreference is not supported'],
  [{ type: 'string', pattern: '[' }, 'it is no regular expression'],
  [{ type: 'string', pattern: 'a', maxLength: 3 }, '"/maxLength": a length is not enforced beside pattern'],
  [{ type: 'string', pattern: 'a', format: 'date' }, 'is not enforced beside another pattern or format'],
  [{ type: 'string', format: 'idn-email' }, '"/format": the format "idn-email" is not enforced'],
  [{ oneOf: [{ type: 'number' }, { type: 'integer' }] }, '"/oneOf": oneOf is enforced where no value can be of two'],
  [{ type: 'strng' }, '"/type": type is one of null'],
  [{ minLength: -1, type: 'string' }, '"/minLength": minLength is an integer from 0'],
  [{ properties: { a: 3 }, type: 'object' }, '"/properties/a": a schema is an object, true or false'],
  [{ anyOf: [] }, '"/anyOf": anyOf is a list of schemas, at least one'],
  [{ type: 'object', minProperties: 3 }, '"/minProperties": minProperties is enforced up to'],
  [{ type: 'number', minimum: 1e-30 }, '"/minimum": the bound 1e-30 is no short decimal number'],
  [{ type: 'string', maxLength: 1e9 }, '"/maxLength": a length of more than 100000 is not enforced'],
  // Nothing is of these.
  [false, 'no text satisfies it'],
  [{ type: 'string', enum: [1] }, 'no text satisfies it'],
  [{ type: 'integer', minimum: 4, maximum: 3 }, 'no text satisfies it'],
  [object({ a: false }, { required: ['a'] }), 'no text satisfies it'],
  [
    { $defs: { a: object({ a: { $ref: '#/$defs/a' } }, { required: ['a'] }) }, $ref: '#/$defs/a' },
    'no text satisfies it',
  ],
  [{ type: 'array', items: false, minItems: 1 }, 'no text satisfies it'],
  [[], 'a schema is an object, true or false'],
];

it.each(REFUSED.map(([schema, message]) => [JSON.stringify(schema), schema, message] as const))(
  '%s is refused',
  (_, schema, message) => {
    expect(() => schemaAutomaton(schema)).toThrow(message);
  },
);

it('a hostile schema is refused in time', () => {
  const many = Array.from({ length: 30 }, () => ({ anyOf: [{ type: 'string' }, { type: 'integer' }, { minimum: 3 }] }));
  expect(() => schemaAutomaton({ allOf: many })).toThrow(/alternatives|combinations/);
  expect(() => schemaAutomaton({ type: 'string', pattern: '^a{100000}b{100000}c{100000}d{100000}$' })).toThrow(
    'too large',
  );
  const wide = {
    type: 'array',
    items: { type: 'array', items: { type: 'string', maxLength: 100 }, maxItems: 10_000 },
    maxItems: 10_000,
  };
  expect(accepts(schemaAutomaton(wide), '[["a"]]')).toBe(true);
});
