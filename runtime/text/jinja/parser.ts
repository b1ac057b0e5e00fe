/** The parser's part for statements. */
import { Expressions } from './expressions.js';
import { tokenize } from './lexer.js';
import type {
  Block,
  Body,
  CallBlock,
  Expression,
  Filter,
  For,
  If,
  Macro,
  Parameters,
  Statement,
  Target,
} from './nodes.js';
import { described, TokenStream } from './token_stream.js';
import { isSpace } from './unicode.js';

export function parse(source: string): Body {
  return new Parser(new TokenStream(tokenize(source))).template();
}

class Parser extends Expressions {
  template(): Body {
    const body = this.#body();
    if (this.stream.is('eof')) return body;
    throw this.stream.fail(`unknown tag '${this.stream.current.value}'`);
  }

  /** Statements up to a tag that is none of its own, which is next then, or the end. */
  #body(): Body {
    const { stream } = this;
    const body: Statement[] = [];
    while (!stream.is('eof')) {
      const { type, value, line } = stream.current;
      if (type === 'data') {
        stream.next();
        body.push({ kind: 'text', text: value, line });
      } else if (type === 'print') {
        stream.next();
        body.push({ kind: 'print', value: this.tuple(), line });
        stream.expect('endPrint');
      } else {
        if (ENDS.has(stream.following.value)) return body;
        stream.expect('begin');
        body.push(...stream.nested(() => this.#statement()));
        stream.expect('end');
      }
    }
    return body;
  }

  #statement(): readonly Statement[] {
    const { stream } = this;
    if (!stream.is('name')) throw stream.fail(`tag name expected, found ${described(stream.current)}`);
    const { value: tag, line } = stream.next();
    const read = Object.hasOwn(STATEMENTS, tag) ? STATEMENTS[tag] : undefined;
    if (!read) throw stream.fail(`unknown tag '${tag}'`, line);
    return read(this, line);
  }

  /** The body of a tag, after which one of these comes: its begin and name are taken, its end is not. */
  inner(...ends: readonly string[]): Body {
    const { stream } = this;
    const { line } = stream;
    stream.skip('operator', ':');
    stream.expect('end');
    const body = this.#body();
    if (stream.is('eof'))
      throw stream.fail(`unexpected end of the template: expected ${ends.join(' or ')} for the tag of line ${line}`);
    stream.expect('begin');
    if (!stream.keyword(...ends))
      throw stream.fail(`expected ${ends.join(' or ')} for the tag of line ${line}, found ${stream.current.value}`);
    return body;
  }

  /** The same, with the name of its end. */
  closed(end: string): Body {
    const body = this.inner(end);
    this.stream.next();
    return body;
  }

  set(line: number): Statement {
    const target = this.target(undefined, true);
    if (this.stream.skip('operator', '=')) return { kind: 'set', target, value: this.tuple(), line };
    let filter: Filter | undefined;
    while (this.stream.operator('|')) filter = this.filter(filter);
    return { kind: 'setBlock', target, filter, body: this.closed('endset'), line };
  }

  for(line: number): For {
    const { stream } = this;
    const target = this.target('in', false);
    stream.expect('name', 'in');
    const iterable = this.tuple({ choices: false, until: 'recursive' });
    const test = stream.skip('name', 'if') ? this.expression() : undefined;
    const isRecursive = stream.skip('name', 'recursive');
    const body = this.inner('endfor', 'else');
    const otherwise = stream.next().value === 'else' ? this.closed('endfor') : [];
    return { kind: 'for', target, iterable, test, isRecursive, body, otherwise, line };
  }

  if(line: number): If {
    const { stream } = this;
    const branches: { test: Expression; body: Body }[] = [];
    for (;;) {
      const test = this.tuple({ choices: false });
      branches.push({ test, body: this.inner('elif', 'else', 'endif') });
      const { value } = stream.next();
      if (value === 'elif') continue;
      return { kind: 'if', branches, otherwise: value === 'else' ? this.closed('endif') : [], line };
    }
  }

  with(line: number): Statement {
    const { stream } = this;
    const targets: Target[] = [];
    const values: Expression[] = [];
    while (!stream.is('end')) {
      if (targets.length > 0) stream.expect('operator', ',');
      targets.push(this.target(undefined, false));
      stream.expect('operator', '=');
      values.push(this.expression());
    }
    return { kind: 'with', targets, values, body: this.closed('endwith'), line };
  }

  #parameters(): Parameters {
    const { stream } = this;
    const names: string[] = [];
    const defaults: Expression[] = [];
    stream.expect('operator', '(');
    while (!stream.operator(')')) {
      if (names.length > 0) stream.expect('operator', ',');
      const { name } = this.name();
      if (names.includes(name)) throw stream.fail(`duplicate argument '${name}'`);
      if (stream.skip('operator', '=')) defaults.push(this.expression());
      else if (defaults.length > 0) throw stream.fail('non-default argument follows default argument');
      names.push(name);
    }
    stream.expect('operator', ')');
    return { names, defaults };
  }

  macro(line: number): Macro {
    const { name } = this.name();
    const parameters = this.#parameters();
    return { kind: 'macro', name, ...parameters, body: this.closed('endmacro'), line };
  }

  call(line: number): CallBlock {
    const parameters = this.stream.operator('(') ? this.#parameters() : { names: [], defaults: [] };
    const call = this.expression();
    if (call.kind !== 'call') throw this.stream.fail('expected call', line);
    return { kind: 'callBlock', ...parameters, call, body: this.closed('endcall'), line };
  }

  filterBlock(line: number): Statement {
    let filter = this.filter(undefined);
    while (this.stream.operator('|')) filter = this.filter(filter);
    return { kind: 'filterBlock', filter, body: this.closed('endfilter'), line };
  }

  block(line: number): Block {
    const { stream } = this;
    const name = this.identifier();
    const isScoped = stream.skip('name', 'scoped');
    const isRequired = stream.skip('name', 'required');
    if (stream.operator('-')) throw stream.fail('expected the name of a block without hyphens');
    const body = this.closed('endblock');
    stream.skip('name', name);
    const isBlank = body.every((part) => part.kind === 'text' && isSpace(part.text));
    if (isRequired && !isBlank) throw stream.fail('Required blocks can only contain comments or whitespace', line);
    return { kind: 'block', name, isScoped, isRequired, body, line };
  }

  print(line: number): readonly Statement[] {
    const printed: Statement[] = [];
    while (!this.stream.is('end')) {
      if (printed.length > 0) this.stream.expect('operator', ',');
      printed.push({ kind: 'print', value: this.expression(), line });
    }
    return printed;
  }

  /** A tag that names another template. What follows the name says how it would be taken. */
  foreign(tag: string, line: number): Statement {
    const template = this.expression();
    while (!this.stream.is('end') && !this.stream.is('eof')) this.stream.next();
    return { kind: 'foreign', tag, template, line };
  }
}

const ENDS: ReadonlySet<string> = new Set(
  'endset endfor else elif endif endwith endmacro endcall endfilter endblock endautoescape endgeneration'.split(' '),
);

const foreign = (tag: string) => (parser: Parser, line: number) => [parser.foreign(tag, line)];

const STATEMENTS: Readonly<Record<string, (parser: Parser, line: number) => readonly Statement[]>> = {
  for: (parser, line) => [parser.for(line)],
  if: (parser, line) => [parser.if(line)],
  set: (parser, line) => [parser.set(line)],
  with: (parser, line) => [parser.with(line)],
  macro: (parser, line) => [parser.macro(line)],
  call: (parser, line) => [parser.call(line)],
  filter: (parser, line) => [parser.filterBlock(line)],
  block: (parser, line) => [parser.block(line)],
  print: (parser, line) => parser.print(line),
  autoescape: (parser, line) => [
    { kind: 'autoescape', value: parser.expression(), body: parser.closed('endautoescape'), line },
  ],
  generation: (parser, line) => [{ kind: 'generation', body: parser.closed('endgeneration'), line }],
  break: (_parser, line) => [{ kind: 'break', line }],
  continue: (_parser, line) => [{ kind: 'continue', line }],
  include: foreign('include'),
  import: foreign('import'),
  from: foreign('from'),
  extends: foreign('extends'),
};
