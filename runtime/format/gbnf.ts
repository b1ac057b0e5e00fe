/** Grammars as llama.cpp writes them (GBNF): rules `name ::= ...`, of which "root" is the text. */
import { ALL, type CharSet, charSet, negated } from './char_set.js';
import {
  characters,
  choice,
  EMPTY,
  type Expression,
  Rule,
  repeat,
  rule,
  sequence,
  shared,
  text,
} from './expression.js';
import { FormatError } from './format_error.js';

const NAME = /[A-Za-z0-9_-]+/y;
const SPACE = /(?:[ \t]|#[^\n]*)*/y;
const SPACE_AND_LINES = /(?:[ \t\r\n]|#[^\n]*)*/y;
const COUNT = /\{[ \t]*(\d+)[ \t]*(?:(,)[ \t]*(\d*)[ \t]*)?\}/y;
const ESCAPE = /\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))/suy;
const PLAIN: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };
const MOST_REPEATS = 100_000;

/** Errors: FormatError with the line. */
export function gbnf(source: string): Rule {
  return new Parser(source).grammar();
}

class Parser {
  #at = 0;
  readonly #rules = new Map<string, Rule>();
  readonly #defined = new Set<string>();

  constructor(private readonly source: string) {}

  grammar(): Rule {
    for (this.#take(SPACE_AND_LINES); this.#at < this.source.length; this.#take(SPACE_AND_LINES)) this.#definition();
    const missing = [...this.#rules.keys(), 'root'].find((name) => !this.#defined.has(name));
    if (missing !== undefined) throw new FormatError(`the grammar has no rule "${missing}"`);
    return this.#rules.get('root')!;
  }

  #definition(): void {
    const name = this.#take(NAME) ?? this.#fail('the name of a rule');
    this.#take(SPACE);
    if (!this.#skip('::=')) this.#fail('"::="');
    if (this.#defined.has(name)) this.#fail(`one rule "${name}", not two`);
    this.#defined.add(name);
    this.#rule(name).body = this.#choice(false);
    if (this.#at < this.source.length && !/[\r\n]/.test(this.source[this.#at]!)) this.#fail('the end of the rule');
  }

  #rule(name: string): Rule {
    const known = this.#rules.get(name) ?? new Rule(name);
    this.#rules.set(name, known);
    return known;
  }

  /** In brackets, lines may end anywhere; elsewhere before an option only. */
  #choice(isNested: boolean): Expression {
    const space = isNested ? SPACE_AND_LINES : SPACE;
    const options: Expression[] = [];
    do {
      this.#take(SPACE_AND_LINES);
      options.push(this.#sequence(space));
    } while (this.#nextOption());
    return choice(...options);
  }

  #nextOption(): boolean {
    const before = this.#at;
    this.#take(SPACE_AND_LINES);
    if (this.#skip('|')) return true;
    this.#at = before;
    return false;
  }

  #sequence(space: RegExp): Expression {
    const parts: Expression[] = [];
    for (let part = this.#item(); part; part = this.#item()) {
      parts.push(this.#repeated(part));
      this.#take(space);
    }
    return parts.length === 0 ? EMPTY : sequence(...parts);
  }

  #item(): Expression | undefined {
    if (this.#skip('"')) return this.#literal();
    if (this.#skip('[')) return characters(this.#class());
    if (this.#skip('.')) return characters(ALL);
    if (this.#skip('(')) {
      const inner = this.#choice(true);
      this.#take(SPACE_AND_LINES);
      if (!this.#skip(')')) this.#fail('")"');
      return inner;
    }
    const before = this.#at;
    const name = this.#take(NAME);
    if (name === undefined) return undefined;
    const after = this.#at;
    this.#take(SPACE);
    const begins = this.source.startsWith('::=', this.#at); // the next rule, in an empty option before it
    this.#at = begins ? before : after;
    return begins ? undefined : rule(this.#rule(name));
  }

  #repeated(part: Expression): Expression {
    let all = part;
    for (;;) {
      if (this.#skip('*')) all = repeat(shared('repeated', all));
      else if (this.#skip('+')) all = repeat(shared('repeated', all), 1);
      else if (this.#skip('?')) all = repeat(all, 0, 1);
      else {
        const count = this.#match(COUNT);
        if (!count) return all;
        const [, least, comma, most] = count;
        const last = comma === undefined ? Number(least) : most ? Number(most) : Number.POSITIVE_INFINITY;
        if (Number(least) > MOST_REPEATS || (last !== Number.POSITIVE_INFINITY && last > MOST_REPEATS))
          this.#fail(`at most ${MOST_REPEATS} repetitions`);
        all = repeat(shared('repeated', all), Number(least), last);
      }
    }
  }

  #literal(): Expression {
    let literal = '';
    while (!this.#skip('"')) literal += this.#char();
    return literal === '' ? EMPTY : text(literal);
  }

  #class(): CharSet {
    const isNegated = this.#skip('^');
    const ranges: [number, number][] = [];
    while (!this.#skip(']')) {
      const from = this.#char().codePointAt(0)!;
      const isRange = this.source[this.#at] === '-' && this.source[this.#at + 1] !== ']';
      if (isRange) this.#at++;
      ranges.push([from, isRange ? this.#char().codePointAt(0)! : from]);
    }
    const set = charSet(ranges);
    return isNegated ? negated(set) : set;
  }

  #char(): string {
    const escaped = this.#match(ESCAPE);
    if (escaped) {
      const [, x, u, long, plain] = escaped;
      const code = Number.parseInt(x ?? u ?? long ?? '', 16);
      if (plain !== undefined) return PLAIN[plain] ?? plain;
      if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) this.#fail('the code of a character');
      return String.fromCodePoint(code);
    }
    const code = this.source.codePointAt(this.#at);
    if (code === undefined || code === 0x0a) return this.#fail('an end of the text or class on its line');
    const char = String.fromCodePoint(code);
    this.#at += char.length;
    return char;
  }

  #skip(literal: string): boolean {
    if (!this.source.startsWith(literal, this.#at)) return false;
    this.#at += literal.length;
    return true;
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.source);
    if (match) this.#at = pattern.lastIndex;
    return match ?? undefined;
  }

  #take(pattern: RegExp): string | undefined {
    return this.#match(pattern)?.[0];
  }

  #fail(expected: string): never {
    const line = this.source.slice(0, this.#at).split('\n').length;
    throw new FormatError(`the grammar, line ${line}: expected ${expected}`);
  }
}
