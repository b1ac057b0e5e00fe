/** A template's text as tokens, with Jinja's rules of white space: trim_blocks and lstrip_blocks are on, as in transformers. */
import { JinjaError } from './errors.js';
import { decodeString } from './string_literal.js';
import { isSpace, SPACES, stripEnd } from './unicode.js';

export interface Token {
  readonly type:
    | 'data'
    | 'name'
    | 'string'
    | 'integer'
    | 'float'
    | 'operator'
    | 'begin'
    | 'end'
    | 'print'
    | 'endPrint'
    | 'eof';
  readonly value: string;
  readonly line: number;
}

const s = `${SPACES}*`;
const sticky = (source: string) => new RegExp(source, 'yu');
const RAW = sticky(`\\{%([-+]?)${s}raw${s}(?:-%\\}${s}|%\\})`);
const END_RAW = new RegExp(`\\{%([-+]?)${s}endraw${s}(?:\\+%\\}|-%\\}${s}|%\\}\\n?)`, 'gu');
const END_COMMENT = new RegExp(`\\+#\\}|-#\\}${s}|#\\}\\n?`, 'gu');
const END_BLOCK = sticky(`\\+%\\}|-%\\}${s}|%\\}\\n?`);
const END_PRINT = sticky(`-\\}\\}${s}|\\}\\}`);
const WHITE = sticky(`${SPACES}+`);
const FLOAT = sticky('(?<!\\.)(?:\\d+_)*\\d+(?:(?:\\.(?:\\d+_)*\\d+)?[eE][+\\-]?(?:\\d+_)*\\d+|\\.(?:\\d+_)*\\d+)');
const INTEGER = sticky('0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[\\da-fA-F])+|[1-9](?:_?\\d)*|0(?:_?0)*');
const NAME = sticky('[\\p{L}\\p{N}\\p{Mn}\\p{Mc}\\p{Pc}\\xb7\\u0387]+');
const STRING = /'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*"/suy;
const OPERATOR = sticky('\\*\\*|//|==|!=|>=|<=|[-+/*%~[\\](){}><=.:|,;]');
const CLOSES: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

export function tokenize(source: string): Token[] {
  return new Lexer(source).read();
}

class Lexer {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  #at = 0;
  #line = 1;
  /** What came last ended a line, or nothing came yet. */
  #startsLine = true;

  constructor(source: string) {
    const text = source.replace(/\r\n?/g, '\n');
    this.#source = text.endsWith('\n') ? text.slice(0, -1) : text;
  }

  read(): Token[] {
    while (this.#at < this.#source.length) this.#step();
    this.#push('eof', '');
    return this.#tokens;
  }

  /** Text up to the next tag, and that tag. */
  #step(): void {
    const start = this.#tag();
    if (start === undefined) {
      this.#push('data', this.#source.slice(this.#at));
      this.#at = this.#source.length;
      return;
    }
    const raw = this.#match(RAW, start);
    const mark = this.#source[start + 2]!;
    const sign = raw ? raw[1]! : mark === '-' || mark === '+' ? mark : '';
    const opener = this.#source.slice(start, start + 2);
    this.#data(this.#source.slice(this.#at, start), sign, opener === '{{');
    const begin = raw ? raw[0] : opener + sign;
    this.#startsLine = begin.endsWith('\n');
    this.#at = start + begin.length;
    if (raw) this.#raw(begin);
    else if (opener === '{#') this.#comment();
    else this.#inside(opener === '{{');
  }

  #tag(): number | undefined {
    for (let at = this.#source.indexOf('{', this.#at); at >= 0; at = this.#source.indexOf('{', at + 1))
      if ('{%#'.includes(this.#source[at + 1] ?? ' ')) return at;
    return undefined;
  }

  /** Text before a tag, less the white space that the tag takes. */
  #data(text: string, sign: string, isPrint: boolean): void {
    let kept = text;
    if (sign === '-') kept = stripEnd(text);
    else if (sign === '' && !isPrint) {
      const lineStart = text.lastIndexOf('\n') + 1;
      if ((lineStart > 0 || this.#startsLine) && isSpace(text.slice(lineStart))) kept = text.slice(0, lineStart);
    }
    if (kept !== '') this.#push('data', kept);
    this.#count(text);
  }

  #raw(begin: string): void {
    this.#count(begin);
    END_RAW.lastIndex = this.#at;
    const end = END_RAW.exec(this.#source);
    if (!end) throw this.#fail('Missing end of raw directive');
    this.#data(this.#source.slice(this.#at, end.index), end[1]!, false);
    this.#finish(end[0], end.index);
  }

  #comment(): void {
    END_COMMENT.lastIndex = this.#at;
    const end = END_COMMENT.exec(this.#source);
    if (!end) throw this.#fail('Missing end of comment tag');
    this.#count(this.#source.slice(this.#at, end.index));
    this.#finish(end[0], end.index);
  }

  #finish(end: string, index: number): void {
    this.#count(end);
    this.#startsLine = end.endsWith('\n');
    this.#at = index + end.length;
  }

  #inside(isPrint: boolean): void {
    this.#push(isPrint ? 'print' : 'begin', '');
    const open: string[] = [];
    for (;;) {
      const end = open.length === 0 ? this.#match(isPrint ? END_PRINT : END_BLOCK, this.#at) : undefined;
      if (end) {
        this.#push(isPrint ? 'endPrint' : 'end', '');
        this.#finish(end[0], this.#at);
        return;
      }
      if (this.#at >= this.#source.length) return;
      this.#code(open);
    }
  }

  /** One token inside of a tag. */
  #code(open: string[]): void {
    const white = this.#match(WHITE, this.#at);
    if (white) {
      this.#advance(white[0]);
      return;
    }
    for (const [type, pattern] of CODE) {
      const found = this.#match(pattern, this.#at);
      if (!found) continue;
      if (type === 'operator') this.#balance(open, found[0]);
      this.#push(type, type === 'string' ? this.#text(found[0]) : found[0]);
      this.#advance(found[0]);
      return;
    }
    throw this.#fail(
      `unexpected char ${JSON.stringify(String.fromCodePoint(this.#source.codePointAt(this.#at)!))} at ${this.#at}`,
    );
  }

  #text(literal: string): string {
    const value = decodeString(literal.slice(1, -1));
    if (typeof value === 'string') return value;
    throw this.#fail(value.problem);
  }

  #balance(open: string[], mark: string): void {
    const closes = CLOSES[mark];
    if (closes) open.push(closes);
    if (!')]}'.includes(mark)) return;
    const expected = open.pop();
    if (expected === undefined) throw this.#fail(`unexpected '${mark}'`);
    if (expected !== mark) throw this.#fail(`unexpected '${mark}', expected '${expected}'`);
  }

  #advance(text: string): void {
    this.#count(text);
    this.#at += text.length;
  }

  #count(text: string): void {
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) this.#line++;
  }

  #match(pattern: RegExp, at: number): RegExpExecArray | undefined {
    pattern.lastIndex = at;
    return pattern.exec(this.#source) ?? undefined;
  }

  #push(type: Token['type'], value: string): void {
    this.#tokens.push({ type, value, line: this.#line });
  }

  #fail(problem: string): JinjaError {
    return new JinjaError('TemplateSyntaxError', problem, this.#line);
  }
}

const CODE: readonly (readonly [Token['type'], RegExp])[] = [
  ['float', FLOAT],
  ['integer', INTEGER],
  ['name', NAME],
  ['string', STRING],
  ['operator', OPERATOR],
];
