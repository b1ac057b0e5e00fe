/** The parser's part for operands: names, constants, lists, and what stands behind a value, such as calls and filters. */
import type { Arguments, Call, Expression, Filter, Name, Target } from './nodes.js';
import { described, type TokenStream } from './token_stream.js';
import { isIdentifier } from './unicode.js';

const CONSTANTS: Readonly<Record<string, boolean | null>> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
};
const NO_ARGUMENTS: Arguments = { args: [], keywords: [], spread: undefined, spreadKeywords: undefined };

interface TupleOptions {
  /** `a if b else c` may be among the items. */
  readonly choices?: boolean;
  /** An empty tuple is one. */
  readonly inParentheses?: boolean;
  readonly until?: string;
}

export abstract class Operands {
  constructor(protected readonly stream: TokenStream) {}

  /** `choices`: may be `a if b else c`. */
  abstract expression(choices?: boolean): Expression;

  /** One expression, or several with commas between: a tuple. */
  tuple(options: TupleOptions = {}): Expression {
    const { stream } = this;
    const { line } = stream;
    const items: Expression[] = [];
    let hasComma = false;
    while (!this.#tupleEnds(options.until)) {
      items.push(this.expression(options.choices ?? true));
      if (!stream.skip('operator', ',')) break;
      hasComma = true;
    }
    if (!hasComma && items.length === 1) return items[0]!;
    if (items.length === 0 && !options.inParentheses)
      throw stream.fail(`expected an expression, found ${described(stream.current)}`);
    return { kind: 'tuple', items, line };
  }

  #tupleEnds(until: string | undefined): boolean {
    const { stream } = this;
    return (
      stream.is('endPrint') ||
      stream.is('end') ||
      stream.operator(')') ||
      (until !== undefined && stream.keyword(until))
    );
  }

  /** A name; with `fields` also an attribute of a namespace; with commas several. */
  target(until: string | undefined, fields: boolean): Target {
    const { stream } = this;
    const { line } = stream;
    const items: Target[] = [];
    let hasComma = false;
    while (!this.#tupleEnds(until)) {
      items.push(this.#oneTarget(fields));
      if (!stream.skip('operator', ',')) break;
      hasComma = true;
    }
    if (items.length === 0) throw stream.fail(`expected a name, found ${described(stream.current)}`);
    return hasComma ? { kind: 'targets', items, line } : items[0]!;
  }

  #oneTarget(fields: boolean): Target {
    const { stream } = this;
    if (stream.skip('operator', '(')) {
      const inner = this.target(undefined, fields);
      stream.expect('operator', ')');
      return inner;
    }
    const { line } = stream;
    if (!stream.is('name')) throw stream.fail(`can't assign to ${described(stream.current)}`);
    if (!fields || stream.following.type !== 'operator' || stream.following.value !== '.') return this.name();
    const { value } = stream.next();
    stream.next();
    return { kind: 'field', name: value, attribute: this.identifier(), line };
  }

  /** A name to be assigned to. */
  name(): Name {
    const { line } = this.stream;
    const name = this.identifier();
    if (Object.hasOwn(CONSTANTS, name)) throw this.stream.fail(`can't assign to ${name}`, line);
    return { kind: 'name', name, line };
  }

  identifier(): string {
    const { value, line } = this.stream.expect('name');
    if (!isIdentifier(value)) throw this.stream.fail('Invalid character in identifier', line);
    return value;
  }

  protected primary(): Expression {
    const { stream } = this;
    const { type, value, line } = stream.current;
    if (type === 'name') {
      const name = this.identifier();
      return Object.hasOwn(CONSTANTS, name)
        ? { kind: 'constant', value: CONSTANTS[name]!, line }
        : { kind: 'name', name, line };
    }
    if (type === 'string') return { kind: 'constant', value: this.#strings(), line };
    if (type === 'integer') return { kind: 'constant', value: BigInt(stream.next().value.replaceAll('_', '')), line };
    if (type === 'float') return { kind: 'constant', value: Number(stream.next().value.replaceAll('_', '')), line };
    if (stream.skip('operator', '(')) {
      const inner = this.tuple({ inParentheses: true });
      stream.expect('operator', ')');
      return inner;
    }
    if (stream.skip('operator', '[')) return { kind: 'list', items: this.#until(']', () => this.expression()), line };
    if (stream.skip('operator', '{')) return { kind: 'dict', entries: this.#until('}', () => this.#entry()), line };
    throw stream.fail(`unexpected ${type === 'operator' ? `'${value}'` : described(stream.current)}`);
  }

  /** Strings that stand side by side are one. */
  #strings(): string {
    let text = '';
    while (this.stream.is('string')) text += this.stream.next().value;
    return text;
  }

  #entry(): readonly [Expression, Expression] {
    const key = this.expression();
    this.stream.expect('operator', ':');
    return [key, this.expression()];
  }

  #until<T>(end: string, read: () => T): T[] {
    const { stream } = this;
    const all: T[] = [];
    while (!stream.operator(end)) {
      all.push(read());
      if (!stream.skip('operator', ',')) break;
    }
    stream.expect('operator', end);
    return all;
  }

  protected postfix(start: Expression): Expression {
    const { stream } = this;
    let value = start;
    for (;;) {
      if (stream.operator('.')) value = this.#attribute(value);
      else if (stream.operator('[')) value = this.#item(value);
      else if (stream.operator('(')) value = this.#call(value);
      else return value;
    }
  }

  protected filters(start: Expression): Expression {
    const { stream } = this;
    let value = start;
    for (;;) {
      if (stream.operator('|')) value = this.filter(value);
      else if (stream.keyword('is')) value = this.#test(value);
      else if (stream.operator('(')) value = this.#call(value);
      else return value;
    }
  }

  #attribute(of: Expression): Expression {
    const { stream } = this;
    const { line } = stream.next();
    if (stream.is('integer')) return { kind: 'item', of, key: this.primary(), line };
    if (!stream.is('name')) throw stream.fail('expected name or number');
    return { kind: 'attribute', of, name: this.identifier(), line };
  }

  #item(of: Expression): Expression {
    const { stream } = this;
    const { line } = stream.next();
    const keys: Expression[] = [];
    let hasComma = false;
    while (!stream.operator(']')) {
      keys.push(this.#subscript());
      if (!stream.skip('operator', ',')) break;
      hasComma = stream.operator(']');
    }
    if (hasComma) throw stream.fail("unexpected ']'");
    stream.expect('operator', ']');
    return { kind: 'item', of, key: keys.length === 1 ? keys[0]! : { kind: 'tuple', items: keys, line }, line };
  }

  /** A key, or the bounds of a slice. */
  #subscript(): Expression {
    const { stream } = this;
    const { line } = stream;
    const start = stream.operator(':') ? undefined : this.expression();
    if (!stream.skip('operator', ':')) return start!;
    const bound = () => (stream.operator(':', ']', ',') ? undefined : this.expression());
    const stop = bound();
    return { kind: 'slice', start, stop, step: stream.skip('operator', ':') ? bound() : undefined, line };
  }

  #call(callee: Expression): Call {
    const { line } = this.stream;
    return { kind: 'call', callee, ...this.#arguments(), line };
  }

  #arguments(): Arguments {
    const { stream } = this;
    const { line } = stream.expect('operator', '(');
    const args: Expression[] = [];
    const keywords: [string, Expression][] = [];
    let spread: Expression | undefined;
    let spreadKeywords: Expression | undefined;
    const require = (isRight: boolean) => {
      if (!isRight) throw stream.fail('invalid syntax for function call expression', line);
    };
    while (!stream.operator(')')) {
      if (stream.skip('operator', '*')) {
        require(!spread && !spreadKeywords);
        spread = this.expression();
      } else if (stream.skip('operator', '**')) {
        require(!spreadKeywords);
        spreadKeywords = this.expression();
      } else if (stream.is('name') && stream.following.type === 'operator' && stream.following.value === '=') {
        require(!spreadKeywords);
        const name = this.identifier();
        if (keywords.some(([known]) => known === name)) throw stream.fail(`keyword argument repeated: ${name}`);
        stream.next();
        keywords.push([name, this.expression()]);
      } else {
        require(!spread && !spreadKeywords && keywords.length === 0);
        args.push(this.expression());
      }
      if (!stream.skip('operator', ',')) break;
    }
    stream.expect('operator', ')');
    return { args, keywords, spread, spreadKeywords };
  }

  /** A filter whose | or whose name is next. */
  filter(input: Expression | undefined): Filter {
    const { stream } = this;
    stream.skip('operator', '|');
    const { line } = stream;
    const name = this.#dotted();
    const given = stream.operator('(') ? this.#arguments() : NO_ARGUMENTS;
    return { kind: 'filter', name, input, ...given, line };
  }

  #dotted(): string {
    let name = this.identifier();
    while (this.stream.skip('operator', '.')) name += `.${this.identifier()}`;
    return name;
  }

  #test(input: Expression): Expression {
    const { stream } = this;
    const { line } = stream.next();
    const isNegated = stream.skip('name', 'not');
    const name = this.#dotted();
    const test: Expression = { kind: 'test', name, input, ...this.#testArguments(), line };
    return isNegated ? { kind: 'not', operand: test, line } : test;
  }

  #testArguments(): Arguments {
    const { stream } = this;
    if (stream.operator('(')) return this.#arguments();
    const begins =
      stream.is('name') ||
      stream.is('string') ||
      stream.is('integer') ||
      stream.is('float') ||
      stream.operator('[', '{');
    if (!begins || stream.keyword('else', 'or', 'and')) return NO_ARGUMENTS;
    if (stream.keyword('is')) throw stream.fail('You cannot chain multiple tests with is');
    return { ...NO_ARGUMENTS, args: [stream.nested(() => this.postfix(this.primary()))] };
  }
}
