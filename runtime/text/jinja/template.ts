/**
 * Jinja2's language, as transformers sets it up for chat templates: the immutable sandbox, trim_blocks and lstrip_blocks, loop
 * controls, the tag generation, tojson without HTML's escapes. A template is parsed once and can be rendered often.
 */
import { type BlockBody, Output, type State } from './activation.js';
import { bind } from './arguments.js';
import { outermost } from './compile_statement.js';
import { JinjaError } from './errors.js';
import { Frame } from './frame.js';
import { GLOBALS } from './globals.js';
import type { Body, Node } from './nodes.js';
import { parse } from './parser.js';
import { Symbols } from './symbols.js';
import { children, undeclared } from './traverse.js';
import { Builtin, type Dict, PyObject, Undefined, type Value } from './values.js';

export class Template {
  readonly #root: BlockBody;
  readonly #blocks = new Map<string, BlockBody>();

  /** Errors: JinjaError, with a line. */
  constructor(source: string) {
    this.#root = attempt(undefined, () => {
      const statements = parse(source);
      const root = part(statements, true);
      this.#findBlocks(statements);
      return root;
    });
  }

  /** Errors: JinjaError; LimitError for more than `limit` characters. */
  render(variables: Dict, limit: number): string {
    const given = new Map(GLOBALS);
    for (const [name, value] of variables.entries()) given.set(String(name), value);
    const state: State = { given, exported: new Map(), blocks: this.#blocks, line: 1, depth: 0 };
    return attempt(state, () => {
      const out = new Output(limit);
      this.#root(state, out);
      return out.text;
    });
  }

  #findBlocks(nodes: readonly Node[]): void {
    for (const node of nodes) {
      this.#findBlocks(children(node));
      if (node.kind !== 'block') continue;
      if (this.#blocks.has(node.name))
        throw new JinjaError('TemplateSyntaxError', `block '${node.name}' defined twice`, node.line);
      this.#blocks.set(node.name, part(node.body, false, node.name));
    }
  }
}

function part(statements: Body, isTop: boolean, name = ''): BlockBody {
  const symbols = new Symbols();
  const used = undeclared(statements, isTop ? ['self'] : ['self', 'super']);
  for (const word of used) symbols.parameter(word);
  symbols.visit(statements);
  const makers = {
    self: (state: State) => new Self(state),
    super: () => new Undefined(`there is no parent block called '${name}'.`),
  };
  const special = [...used].map((word) => [word, makers[word as keyof typeof makers]] as const);
  return outermost(statements, Frame.root(symbols, isTop), special);
}

/** `self`: the blocks of the template by name, to be called. */
class Self extends PyObject {
  readonly typeName = 'TemplateReference';

  constructor(private readonly state: State) {
    super();
  }

  repr(): string {
    return '<TemplateReference None>';
  }

  attribute(name: string): Value | undefined {
    const block = this.state.blocks.get(name);
    if (!block) return undefined;
    return new Builtin(name, (args, keywords) => {
      bind(name, '', args, keywords);
      const out = new Output();
      block(this.state, out);
      return out.text;
    });
  }
}

/** What goes wrong is a JinjaError with a line; JavaScript's own errors are what Python has limits for, too. */
function attempt<T>(state: State | undefined, act: () => T): T {
  try {
    return act();
  } catch (error) {
    const known = error instanceof JinjaError ? error : overflow(error);
    known.line ??= state?.line;
    throw known;
  }
}

function overflow(error: unknown): JinjaError {
  if (!(error instanceof RangeError)) throw error;
  const isStack = /call stack/.test(error.message);
  return new JinjaError(
    'LimitError',
    isStack ? 'expected a template nested less deeply' : `expected less of it: ${error.message}`,
  );
}
