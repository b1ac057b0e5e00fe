/** Objects of a schema: the properties that it names, in its order, then others where it says what they are. */
import { choice, EMPTY, type Expression, NOTHING, Rule, rule, sequence } from '../expression.js';
import { anyString, anyValue, comma, exactly, list, member, stringBut } from '../json_text.js';
import { additionalOf, type Conjunction, propertyOf, requiredOf } from './conjunction.js';
import { fail, isCount, isObject, keyword, type Located, largest, smallest } from './located.js';

/** An expression for what all of these hold of. */
export type Convert = (all: Conjunction) => Expression;

const MOST_RULES = 20_000;

export function objectsOf(all: Conjunction, convert: Convert): Expression {
  const properties = all.flatMap((one) =>
    Object.keys(keyword(one, 'properties', isObject, 'an object of schemas') ?? {}),
  );
  const required = requiredOf(all);
  const names = [...new Set([...properties, ...required])];
  const least = largest(all, 'minProperties', isCount, 'an integer from 0');
  const most = smallest(all, 'maxProperties', isCount, 'an integer from 0');
  // Of names of their own, two might be the same: only the first is sure to count.
  const others = additional(all, names, convert);
  const sure = names.length + (others ? 1 : 0);
  if (least && least.value > sure)
    fail(least.pointer, `minProperties is enforced up to the ${names.length} properties that have names, and one more`);
  return new Members(names, required, others, least?.value ?? 0, most?.value ?? Number.POSITIVE_INFINITY, (name) =>
    convert(propertyOf(all, name)),
  ).expression();
}

/** A property of another name; undefined where none is written. */
function additional(all: Conjunction, names: readonly string[], convert: Convert): Expression | undefined {
  const said = all.flatMap((one): Located[] => additionalOf(one));
  if (said.length === 0 && names.length > 0) return undefined;
  if (said.some(({ schema }) => schema === false)) return undefined;
  const value = said.length === 0 ? anyValue : convert(said);
  return member(names.length === 0 ? anyString() : stringBut(names), value);
}

class Members {
  readonly #rules = new Map<string, Rule>();
  /** Beyond this many, how many there are makes no difference. */
  readonly #counted: number;

  constructor(
    private readonly names: readonly string[],
    private readonly required: readonly string[],
    private readonly others: Expression | undefined,
    private readonly least: number,
    private readonly most: number,
    private readonly schemaOf: (name: string) => Expression,
  ) {
    this.#counted = Number.isFinite(most) ? most : Math.max(1, least);
  }

  expression(): Expression {
    if (this.most < Math.max(this.least, this.required.length)) return NOTHING;
    return list('{', this.#from(0, 0), '}');
  }

  /** The properties from this one on, after so many. */
  #from(index: number, count: number): Expression {
    const key = `${index} ${count}`;
    const known = this.#rules.get(key);
    if (known) return rule(known);
    if (this.#rules.size > MOST_RULES) fail('', 'its objects have too many properties to count');
    const made = new Rule(`properties from ${index}`);
    this.#rules.set(key, made);
    made.body = index < this.names.length ? this.#named(index, count) : this.#rest(count);
    return rule(made);
  }

  #named(index: number, count: number): Expression {
    const name = this.names[index]!;
    const one = member(exactly(name), this.schemaOf(name));
    return choice(
      ...(this.required.includes(name) ? [] : [this.#from(index + 1, count)]),
      ...this.#with(one, count, () => this.#from(index + 1, this.#next(count))),
    );
  }

  #rest(count: number): Expression {
    const end = count >= this.least ? [EMPTY] : [];
    const { others } = this;
    if (!others) return choice(...end);
    const after = () =>
      Number.isFinite(this.most) || count === 0
        ? this.#from(this.names.length, this.#next(count))
        : this.#from(this.names.length, count);
    return choice(...end, ...(count + 1 >= this.least ? this.#with(others, count, after) : []));
  }

  #with(one: Expression, count: number, after: () => Expression): Expression[] {
    if (count >= this.most) return [];
    return [count > 0 ? sequence(comma, one, after()) : sequence(one, after())];
  }

  #next(count: number): number {
    return Math.min(count + 1, this.#counted);
  }
}
