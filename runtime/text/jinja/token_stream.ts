/** Tokens as the parser takes them. */
import { JinjaError } from './errors.js';
import type { Token } from './lexer.js';

/** How deep a template's tags and expressions may be nested; Python's compiler gives up at about that. */
const MAX_NESTING = 200;

export class TokenStream {
  #at = 0;
  #depth = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  get current(): Token {
    return this.tokens[this.#at]!;
  }

  get line(): number {
    return this.current.line;
  }

  get following(): Token {
    return this.tokens[this.#at + 1] ?? this.current;
  }

  next(): Token {
    const { current } = this;
    if (current.type !== 'eof') this.#at++;
    return current;
  }

  is(type: Token['type'], ...values: readonly string[]): boolean {
    return this.current.type === type && (values.length === 0 || values.includes(this.current.value));
  }

  operator(...values: readonly string[]): boolean {
    return this.is('operator', ...values);
  }

  keyword(...values: readonly string[]): boolean {
    return this.is('name', ...values);
  }

  /** Takes the token if it is that. */
  skip(type: Token['type'], value: string): boolean {
    if (!this.is(type, value)) return false;
    this.#at++;
    return true;
  }

  expect(type: Token['type'], value?: string): Token {
    if (value === undefined ? this.is(type) : this.is(type, value)) return this.next();
    throw this.fail(`expected ${named(type, value)}, found ${described(this.current)}`);
  }

  /** What is read here is inside of what is being read. */
  nested<T>(read: () => T): T {
    if (++this.#depth > MAX_NESTING)
      throw this.fail(`expected tags and expressions nested at most ${MAX_NESTING} deep`);
    const made = read();
    this.#depth--;
    return made;
  }

  fail(problem: string, line = this.line): JinjaError {
    return new JinjaError('TemplateSyntaxError', problem, line);
  }
}

const NAMES: Partial<Record<Token['type'], string>> = {
  begin: 'the begin of a tag',
  end: '%}',
  print: '{{',
  endPrint: '}}',
  eof: 'the end of the template',
  data: 'text',
};

const named = (type: Token['type'], value?: string): string => value ?? NAMES[type] ?? `a ${type}`;
export const described = ({ type, value }: Token): string => NAMES[type] ?? (type === 'string' ? 'a string' : value);
