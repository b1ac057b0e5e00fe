/** For loops as functions of what is running. */
import { Activation, type Evaluate, type Execute, Output, type Signal, within } from './activation.js';
import { assign, shape } from './assign.js';
import { expression } from './compile_expression.js';
import { JinjaError } from './errors.js';
import type { Frame } from './frame.js';
import { items } from './iterate.js';
import { Loop, type Recurse } from './loop.js';
import type { Body, For, Node } from './nodes.js';
import { Symbols } from './symbols.js';
import { assigned, children, undeclared } from './traverse.js';
import { isTrue, Once, type Value } from './values.js';

/** How bodies are compiled; what is below is part of that. */
export type CompileBody = (body: Body, frame: Frame) => Execute;

/** Goes through these items. Of a recursive loop also what renders it again, so deep. */
type Run = (at: Activation, iterable: Value, out: Output, recurse?: Recurse, depth?: number) => Signal;

export function forLoop(node: For, frame: Frame, compile: CompileBody): Execute {
  checkTargets(node);
  const iterable = expression(node.iterable, frame);
  if (!node.isRecursive) {
    const run = loop(node, frame, (symbols, inLoop) => frame.inner(symbols, inLoop), compile);
    return (at, out) => run(at, iterable(at), out);
  }
  const holder = frame.function(new Symbols(frame.symbols));
  const run = loop(node, holder, (symbols, inLoop) => holder.inner(symbols, inLoop), compile, frame.symbols);
  return (at, out) => {
    const render: Recurse = (inner, depth) =>
      within(at.state, () => {
        const text = new Output();
        run(new Activation(at.state, at), inner, text, render, depth);
        return text.text;
      });
    out.write(render(iterable(at), 0) as string);
    return 'next';
  };
}

function checkTargets(node: For): void {
  const check = (inner: Node): void => {
    const names =
      inner.kind === 'for' || inner.kind === 'set' || inner.kind === 'setBlock' ? assigned(inner.target) : [];
    const targets = inner.kind === 'with' ? inner.targets.flatMap(assigned) : names;
    if (targets.includes('loop'))
      throw new JinjaError(
        'TemplateSyntaxError',
        "Can't assign to special loop variable in for-loop target",
        inner.line,
      );
    children(inner).forEach(check);
  };
  check(node);
}

function loop(
  node: For,
  frame: Frame,
  inner: (symbols: Symbols, inLoop?: boolean) => Frame,
  compile: CompileBody,
  outer: Symbols = frame.symbols,
): Run {
  const hasLoop = node.isRecursive || undeclared(node.body, ['loop']).has('loop') || hasScopedBlock(node);
  const symbols = new Symbols(outer);
  if (hasLoop) symbols.parameter('loop');
  for (const name of assigned(node.target)) symbols.parameter(name);
  symbols.visit(node.body);
  const scope = inner(symbols, true);
  const [enter, leave] = [scope.enter(), scope.leave()];
  const store = assign(node.target, scope);
  const setLoop = hasLoop ? scope.writer(symbols.find('loop')!) : undefined;
  const filtered = node.test ? testing(node, frame, outer) : undefined;
  const body = compile(node.body, scope);
  const otherwise = other(node, outer, inner, compile);
  return (at, iterable, out, recurse, depth = 0) => {
    const source = filtered ? filtered(at, iterable) : iterable;
    const state = new Loop(source, recurse, depth);
    let isWhole = false;
    for (let item = state.next(); item !== undefined; item = state.next()) {
      store(at, item);
      setLoop?.(at, state);
      enter(at);
      const signal = body(at, out);
      if (signal === 'break') break;
      // Of a loop that only breaks or continues Jinja2 runs the else, too.
      isWhole ||= signal === 'next';
    }
    leave(at);
    return isWhole ? 'next' : otherwise(at, out);
  };
}

function hasScopedBlock(node: Node): boolean {
  return (node.kind === 'block' && node.isScoped) || children(node).some(hasScopedBlock);
}

function other(node: For, outer: Symbols, inner: (symbols: Symbols) => Frame, compile: CompileBody): Execute {
  if (node.otherwise.length === 0) return () => 'next';
  const symbols = new Symbols(outer);
  symbols.visit(node.otherwise);
  const scope = inner(symbols);
  const [enter, leave] = [scope.enter(), scope.leave()];
  const body = compile(node.otherwise, scope);
  return (at, out) => {
    enter(at);
    const signal = body(at, out);
    leave(at);
    return signal;
  };
}

/** The items for which the test holds; they are tested as the loop comes to them. */
function testing(node: For, frame: Frame, outer: Symbols): (at: Activation, iterable: Value) => Value {
  const symbols = new Symbols(outer);
  for (const name of assigned(node.target)) symbols.parameter(name);
  symbols.visit([node.test!]);
  const scope = frame.function(symbols);
  const enter = scope.enter();
  const store = assign(node.target, scope);
  const test: Evaluate = expression(node.test!, scope);
  function* kept(at: Activation, iterable: Iterable<Value>): Generator<Value> {
    const inside = new Activation(at.state, at);
    enter(inside);
    for (const item of iterable) {
      store(inside, item);
      if (isTrue(test(inside))) yield shape(node.target, item);
    }
  }
  return (at, iterable) => new Once('generator', kept(at, items(iterable)));
}
