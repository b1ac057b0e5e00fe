/** Macros, and the tags whose bodies are functions as those of macros are. */
import { Activation, type Execute, Output, writing } from './activation.js';
import { set } from './assign.js';
import { call, expression } from './compile_expression.js';
import { JinjaError } from './errors.js';
import type { Frame } from './frame.js';
import { type Definition, Macro } from './macro.js';
import type { Body, CallBlock, Macro as MacroNode, Parameters, Statement } from './nodes.js';
import { str } from './print.js';
import { Symbols } from './symbols.js';
import { undeclared } from './traverse.js';
import { Undefined } from './values.js';

/** `body` of compile_statement.ts. */
type Compile = (statements: Body, frame: Frame) => Execute;

const SPECIAL = ['caller', 'kwargs', 'varargs'] as const;

/** A function that renders the body, and which of the special names it reads. */
function definition(
  node: Parameters & { readonly body: Body; readonly line: number },
  name: string | undefined,
  frame: Frame,
  compile: Compile,
): Definition {
  const { names, defaults } = node;
  const used = undeclared(node.body, SPECIAL);
  if (used.has('caller') && names.indexOf('caller') >= 0 && names.indexOf('caller') < names.length - defaults.length) {
    const problem =
      'When defining macros or call blocks the special "caller" argument must be omitted or be given a default.';
    throw new JinjaError('TemplateSyntaxError', problem, node.line);
  }
  const special = SPECIAL.filter((word) => used.has(word) && !names.includes(word));
  const symbols = new Symbols(frame.symbols);
  for (const parameter of [...names, ...special]) symbols.parameter(parameter);
  symbols.visit([...defaults, ...node.body]);
  const scope = frame.function(symbols);
  const parameters = [...names, ...special].map((parameter) => scope.writer(symbols.find(parameter)!));
  const values = defaults.map((value) => expression(value, scope));
  const [enter, run] = [scope.enter(), compile(node.body, scope)];
  const required = names.length - defaults.length;
  return {
    name,
    parameters: names,
    uses: { caller: used.has('caller'), kwargs: special.includes('kwargs'), varargs: special.includes('varargs') },
    render: (outer, args) => {
      const at = new Activation(outer.state, outer);
      for (const [i, write] of parameters.entries()) write(at, args[i]);
      enter(at);
      for (const [i, parameter] of names.entries()) {
        if (args[i] !== undefined) continue;
        const missing = new Undefined(`parameter '${parameter}' was not provided`);
        parameters[i]!(at, i < required ? missing : values[i - required]!(at));
      }
      const out = new Output();
      run(at, out);
      return out.text;
    },
  };
}

export function macro(node: MacroNode, frame: Frame, compile: Compile): Execute {
  const made = definition(node, node.name, frame, compile);
  const { store } = set({ kind: 'name', name: node.name, line: node.line }, frame);
  return (at) => {
    store(at, new Macro(made, at, at.state));
    return 'next';
  };
}

export function callBlock(node: CallBlock, frame: Frame, compile: Compile): Execute {
  const made = definition(node, undefined, frame, compile);
  const value = call(node.call, frame, (at) => new Macro(made, at, at.state));
  return writing((at) => str(value(at)));
}

/** What the model is to learn when it is trained; for a prompt nothing but a scope. */
export function generation(node: Extract<Statement, { kind: 'generation' }>, frame: Frame, compile: Compile): Execute {
  const made = definition({ ...node, names: [], defaults: [] }, undefined, frame, compile);
  return writing((at) => new Macro(made, at, at.state).call([], new Map()) as string);
}
