/** A JSON schema as rules: every text of them is a value that the schema holds of. */
import { Automaton, DEAD } from '../automaton.js';
import { choice, type Expression, Rule, rule, text } from '../expression.js';
import { anyArray, anyObject, anyValue } from '../json_text.js';
import { buildNetwork } from '../network.js';
import { arraysOf } from './arrays.js';
import { type Conjunction, Flattener, type Type, typeOf, typesOf, valuesOf } from './conjunction.js';
import { ANNOTATIONS } from './keywords.js';
import { fail, isSchema, type Located } from './located.js';
import { boundsOf, isWithin, numbersOf } from './numbers.js';
import { objectsOf } from './objects.js';
import { stringsOf } from './strings.js';

/** Errors: FormatError with the keyword and its JSON pointer for what is not enforced; where no value is of the schema. */
export function schemaRule(schema: unknown): Rule {
  if (!isSchema(schema)) return fail('', 'a schema is an object, true or false');
  return new Converter({ schema, pointer: '' }).rule();
}

/** Beside enum and const, what values of objects and arrays are not compared with. */
const PLAIN = new Set<string>(['type', 'enum', 'const', '$ref', 'allOf', 'anyOf', 'oneOf', ...ANNOTATIONS]);

class Converter {
  readonly #flattener: Flattener;
  readonly #rules = new Map<string, Rule>();

  constructor(private readonly root: Located) {
    this.#flattener = new Flattener(root);
  }

  rule(): Rule {
    const start = this.#ruleOf([this.root]);
    buildNetwork(start);
    return start;
  }

  readonly #convert = (all: Conjunction): Expression => {
    if (all.length === 0 || all.every(({ schema }) => schema === true)) return anyValue;
    return rule(this.#ruleOf(all));
  };

  #ruleOf(all: Conjunction): Rule {
    const key = [...new Set(all.map(({ pointer }) => pointer))].sort().join('\n');
    const known = this.#rules.get(key);
    if (known) return known;
    const made = new Rule(all[0]!.pointer || 'value');
    this.#rules.set(key, made);
    made.body = choice(...this.#flattener.alternatives(all).map((one) => this.#simple(one)));
    return made;
  }

  #simple(all: Conjunction): Expression {
    const values = valuesOf(all);
    if (!values) return choice(...this.#types(all).map((type) => this.#ofType(all, type)));
    const types = typesOf(all);
    const isString = onceAsked(() => acceptor(stringsOf(all)));
    const allowed = values.filter((value) => this.#holds(all, value, types, isString));
    return choice(...allowed.map((value) => text(value)));
  }

  /** Numbers that are no integers are written where integers are, too. */
  #types(all: Conjunction): Type[] {
    const types = typesOf(all);
    if (types.has('number')) types.delete('integer');
    return [...types];
  }

  #ofType(all: Conjunction, type: Type): Expression {
    if (type === 'null') return text('null');
    if (type === 'boolean') return choice(text('true'), text('false'));
    if (type === 'string') return stringsOf(all);
    if (type === 'number' || type === 'integer') return numbersOf(all, type === 'integer');
    if (type === 'object') return this.#says(all, OBJECTS) ? objectsOf(all, this.#convert) : anyObject;
    return this.#says(all, ARRAYS) ? arraysOf(all, this.#convert) : anyArray;
  }

  #says(all: Conjunction, keywords: readonly string[]): boolean {
    return all.some(({ schema }) => keywords.some((name) => Object.hasOwn(Object(schema), name)));
  }

  /** Whether a value of enum or const is what the other keywords say. */
  #holds(all: Conjunction, written: string, types: ReadonlySet<Type>, isString: () => Accepts): boolean {
    const value: unknown = JSON.parse(written);
    const type = typeOf(value);
    if (!types.has(type)) return false;
    if (type === 'number' || type === 'integer') return isWithin(value as number, boundsOf(all));
    if (type === 'string') return isString()(written);
    if (type !== 'object' && type !== 'array') return true;
    for (const { schema, pointer } of all)
      for (const name of Object.keys(schema))
        if (!PLAIN.has(name) && (type === 'object' ? OBJECTS : ARRAYS).includes(name))
          fail(`${pointer}/${name}`, `${name} is not enforced beside an enum or const of objects or arrays`);
    return true;
  }
}

const OBJECTS = ['properties', 'required', 'additionalProperties', 'minProperties', 'maxProperties'];
const ARRAYS = ['items', 'prefixItems', 'minItems', 'maxItems'];

type Accepts = (written: string) => boolean;

const onceAsked = <T>(make: () => T): (() => T) => {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
};

function acceptor(expression: Expression): Accepts {
  if (expression.kind === 'choice' && expression.options.length === 0) return () => false;
  const automaton = new Automaton(buildNetwork(new Rule('text', expression)));
  return (written) => {
    let state = Automaton.start;
    for (const byte of Buffer.from(written)) {
      state = automaton.step(state, byte);
      if (state === DEAD) return false;
    }
    return automaton.isFinal(state);
  };
}
