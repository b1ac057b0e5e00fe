/** The parser's part for operators, a method for each level of precedence, the loosest first. */
import type { Expression } from './nodes.js';
import { Operands } from './operands.js';

export class Expressions extends Operands {
  expression(choices = true): Expression {
    return this.stream.nested(() => (choices ? this.#choice() : this.#or()));
  }

  #choice(): Expression {
    const { stream } = this;
    let { line } = stream;
    let value = this.#or();
    while (stream.skip('name', 'if')) {
      const test = this.#or();
      const no = stream.skip('name', 'else') ? this.expression() : undefined;
      value = { kind: 'choice', test, yes: value, no, line };
      ({ line } = stream);
    }
    return value;
  }

  #or(): Expression {
    return this.#chain(['or'], () => this.#and());
  }

  #and(): Expression {
    return this.#chain(['and'], () => this.#not());
  }

  #chain(words: readonly ['or' | 'and'], operand: () => Expression): Expression {
    const { line } = this.stream;
    let left = operand();
    while (this.stream.skip('name', words[0])) left = { kind: words[0], left, right: operand(), line };
    return left;
  }

  #not(): Expression {
    const { line } = this.stream;
    if (!this.stream.skip('name', 'not')) return this.#compare();
    return { kind: 'not', operand: this.stream.nested(() => this.#not()), line };
  }

  #compare(): Expression {
    const { line } = this.stream;
    const first = this.#sum();
    const rest: (readonly [string, Expression])[] = [];
    for (let operator = this.#comparison(); operator !== undefined; operator = this.#comparison())
      rest.push([operator, this.#sum()]);
    return rest.length === 0 ? first : { kind: 'compare', first, rest, line };
  }

  #comparison(): string | undefined {
    const { stream } = this;
    if (stream.operator('==', '!=', '<', '<=', '>', '>=')) return stream.next().value;
    if (stream.skip('name', 'in')) return 'in';
    const { type, value } = stream.following;
    if (!stream.keyword('not') || type !== 'name' || value !== 'in') return undefined;
    stream.next();
    stream.next();
    return 'not in';
  }

  #binary(operators: readonly string[], operand: () => Expression): Expression {
    const { stream } = this;
    const { line } = stream;
    let left = operand();
    while (stream.operator(...operators)) {
      const operator = stream.next().value;
      left = { kind: 'binary', operator, left, right: operand(), line };
    }
    return left;
  }

  #sum(): Expression {
    return this.#binary(['+', '-'], () => this.#concat());
  }

  #concat(): Expression {
    const { line } = this.stream;
    const parts = [this.#product()];
    while (this.stream.skip('operator', '~')) parts.push(this.#product());
    return parts.length === 1 ? parts[0]! : { kind: 'concat', parts, line };
  }

  #product(): Expression {
    return this.#binary(['*', '/', '//', '%'], () => this.#binary(['**'], () => this.#unary(true)));
  }

  #unary(withFilters: boolean): Expression {
    const { stream } = this;
    const { line } = stream;
    const signed = stream.operator('-', '+') ? stream.next().value : undefined;
    const operand = signed === undefined ? this.primary() : stream.nested(() => this.#unary(false));
    const value: Expression =
      signed === undefined ? operand : { kind: signed === '-' ? 'negative' : 'positive', operand, line };
    const whole = this.postfix(value);
    return withFilters ? this.filters(whole) : whole;
  }
}
