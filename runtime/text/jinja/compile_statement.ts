/** Statements as functions of what is running. */
import { Activation, type BlockBody, type Execute, Output, type State, writing } from './activation.js';
import { assign, set } from './assign.js';
import { expression, filter } from './compile_expression.js';
import { forLoop } from './compile_loop.js';
import { callBlock, generation, macro } from './compile_macro.js';
import { JinjaError, typeError, unsupported } from './errors.js';
import type { Frame } from './frame.js';
import type { Body, Expression, Filter, If, Statement, Target } from './nodes.js';
import { str } from './print.js';
import { Symbols } from './symbols.js';
import { assigned } from './traverse.js';
import { isText, isTrue, plain, typeName, type Value } from './values.js';

type Of<Kind> = Extract<Statement, { kind: Kind }>;

export function body(statements: Body, frame: Frame): Execute {
  const steps = statements.map((statement) => compiled(statement, frame));
  if (steps.length === 1) return steps[0]!;
  return (at, out) => {
    for (const step of steps) {
      const signal = step(at, out);
      if (signal !== 'next') return signal;
    }
    return 'next';
  };
}

/** A statement that knows its line when it fails. */
function compiled(node: Statement, frame: Frame): Execute {
  const run = statement(node, frame);
  if (node.kind === 'text') return run;
  const { line } = node;
  return (at, out) => {
    at.state.line = line;
    return run(at, out);
  };
}

function statement(node: Statement, frame: Frame): Execute {
  switch (node.kind) {
    case 'text': {
      const { text } = node;
      return writing(() => text);
    }
    case 'print': {
      const value = expression(node.value, frame);
      return writing((at) => str(value(at)));
    }
    case 'set':
      return setTag(node, frame);
    case 'if':
      return choice(node, frame.soft());
    case 'for':
      return forLoop(node, frame, body);
    case 'macro':
      return macro(node, frame, body);
    case 'break':
    case 'continue': {
      const { kind } = node;
      if (!frame.kind.inLoop) throw new JinjaError('TemplateSyntaxError', `'${kind}' outside loop`, node.line);
      return () => kind;
    }
    default:
      return scoped(node, frame);
  }
}

function scoped(
  node: Exclude<Statement, { kind: 'text' | 'print' | 'set' | 'if' | 'for' | 'macro' | 'break' | 'continue' }>,
  frame: Frame,
): Execute {
  switch (node.kind) {
    case 'callBlock':
      return callBlock(node, frame, body);
    case 'generation':
      return generation(node, frame, body);
    case 'setBlock':
      return setBlock(node, frame);
    case 'filterBlock':
      return filterBlock(node, frame);
    case 'with':
      return withTag(node, frame);
    case 'autoescape':
      return autoescape(node, frame);
    case 'block':
      return block(node, frame);
    default:
      return foreign(node, frame);
  }
}

function setTag({ target, value: node }: Of<'set'>, frame: Frame): Execute {
  const value = expression(node, frame);
  const { check, store } = set(target, frame);
  return (at) => {
    check(at);
    store(at, value(at));
    return 'next';
  };
}

function choice({ branches, otherwise }: If, frame: Frame): Execute {
  const tested = branches.map(({ test, body: inner }) => [expression(test, frame), body(inner, frame)] as const);
  const no = body(otherwise, frame);
  return (at, out) => {
    for (const [test, yes] of tested) if (isTrue(test(at))) return yes(at, out);
    return no(at, out);
  };
}

/** A scope inside of the frame's, in the same function, for a body. */
function inside(frame: Frame, nodes: readonly (Statement | Expression)[], targets: readonly Target[] = []): Frame {
  const symbols = new Symbols(frame.symbols);
  for (const target of targets) for (const name of assigned(target)) symbols.parameter(name);
  symbols.visit(nodes);
  return frame.inner(symbols);
}

/** Runs a body in its scope, into a text of its own. */
function captured(statements: Body, scope: Frame, use: (at: Activation, text: string, out: Output) => void): Execute {
  const [enter, leave, run] = [scope.enter(), scope.leave(), body(statements, scope)];
  return (at, out) => {
    enter(at);
    const text = new Output();
    const signal = run(at, text);
    if (signal === 'next') use(at, text.text, out);
    leave(at);
    return signal;
  };
}

/** Filters of a text, each of what the one before it gave. */
function chain(node: Filter, frame: Frame): (at: Activation, text: Value) => Value {
  const apply = filter(node, frame);
  if (!node.input) return apply;
  const before = chain(node.input as Filter, frame);
  return (at, text) => apply(at, before(at, text));
}

function setBlock(node: Of<'setBlock'>, frame: Frame): Execute {
  const scope = inside(frame, node.filter ? [...node.body, ...filterArguments(node.filter)] : node.body);
  const apply = node.filter ? chain(node.filter, scope) : (_at: Activation, text: Value) => text;
  const { check, store } = set(node.target, frame);
  return captured(node.body, scope, (at, text) => {
    check(at);
    store(at, apply(at, text));
  });
}

function filterArguments(node: Filter): Expression[] {
  const { args, keywords, spread, spreadKeywords, input } = node;
  const own = [...args, ...keywords.map(([, value]) => value), spread, spreadKeywords].filter(
    (part) => part !== undefined,
  );
  return input ? [...filterArguments(input as Filter), ...own] : own;
}

function filterBlock(node: Of<'filterBlock'>, frame: Frame): Execute {
  const scope = inside(frame, [...node.body, ...filterArguments(node.filter)]);
  const apply = chain(node.filter, scope);
  return captured(node.body, scope, (at, text, out) => {
    const made = apply(at, text);
    if (!isText(made)) throw typeError(`sequence item 0: expected str instance, ${typeName(made)} found`);
    out.write(plain(made));
  });
}

function withTag({ targets, values: nodes, body: statements }: Of<'with'>, frame: Frame): Execute {
  const scope = inside(frame, statements, targets);
  const values = nodes.map((node) => expression(node, frame));
  const stores = targets.map((target) => assign(target, scope));
  const [enter, leave, run] = [scope.enter(), scope.leave(), body(statements, scope)];
  return (at, out) => {
    enter(at);
    for (const [i, store] of stores.entries()) store(at, values[i]!(at));
    const signal = run(at, out);
    leave(at);
    return signal;
  };
}

function autoescape({ value: node, body: statements }: Of<'autoescape'>, frame: Frame): Execute {
  const scope = inside(frame, [node, ...statements]);
  const [value, enter, leave, run] = [expression(node, scope), scope.enter(), scope.leave(), body(statements, scope)];
  return (at, out) => {
    enter(at);
    if (isTrue(value(at))) throw unsupported('autoescape');
    const signal = run(at, out);
    leave(at);
    return signal;
  };
}

function foreign({ tag, template }: Of<'foreign'>, frame: Frame): Execute {
  const name = expression(template, frame);
  return (at) => {
    name(at);
    throw unsupported(`${tag}, which takes another template,`);
  };
}

function block(node: Of<'block'>, frame: Frame): Execute {
  const { name } = node;
  const stored = node.isScoped
    ? [...frame.symbols.stored()].map(([word, variable]) => [word, frame.reader(variable)] as const)
    : [];
  return (at, out) => {
    if (node.isRequired) throw new JinjaError('TemplateRuntimeError', `Required block '${name}' not found`);
    at.state.blocks.get(name)!(stored.length > 0 ? withLocals(at, stored) : at.state, out);
    return 'next';
  };
}

function withLocals(
  at: Activation,
  stored: readonly (readonly [string, (at: Activation) => Value | undefined])[],
): State {
  const locals = new Map(at.state.exported);
  for (const [name, read] of stored) {
    const value = read(at);
    if (value !== undefined) locals.set(name, value);
  }
  return { ...at.state, exported: locals };
}

/** What a template or a block does: its own scope, and `self` and `super` where it reads them. */
export function outermost(
  statements: Body,
  frame: Frame,
  special: readonly (readonly [string, (state: State) => Value])[],
): BlockBody {
  const writers = special.map(([name, make]) => [frame.writer(frame.symbols.find(name)!), make] as const);
  const [enter, run] = [frame.enter(), body(statements, frame)];
  return (state, out) => {
    const at = new Activation(state);
    for (const [write, make] of writers) write(at, make(state));
    enter(at);
    run(at, out);
  };
}
