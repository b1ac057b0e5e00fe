/** Expressions as functions of what is running. */
import { getAttribute, getItem, slice } from './access.js';
import type { Activation, Evaluate } from './activation.js';
import { NO_KEYWORDS } from './arguments.js';
import { OPERATIONS, unary } from './arithmetic.js';
import { COMPARISONS } from './compare.js';
import { checkText, JinjaError, typeError } from './errors.js';
import type { Frame } from './frame.js';
import { items } from './iterate.js';
import type { Arguments, Call, Expression, Filter } from './nodes.js';
import { str } from './print.js';
import { FILTERS, TESTS } from './registry.js';
import {
  Callable,
  Dict,
  isText,
  isTrue,
  type Keywords,
  plain,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.js';

type Of<Kind> = Extract<Expression, { kind: Kind }>;

export function expression(node: Expression, frame: Frame): Evaluate {
  switch (node.kind) {
    case 'constant': {
      const { value } = node;
      return () => value;
    }
    case 'name':
      return frame.name(node.name);
    case 'tuple':
    case 'list':
      return sequence(node, frame);
    case 'dict':
      return dict(node, frame);
    case 'and':
    case 'or':
      return either(node, frame);
    case 'not': {
      const operand = expression(node.operand, frame);
      return (at) => !isTrue(operand(at));
    }
    case 'negative':
    case 'positive': {
      const operand = expression(node.operand, frame);
      const operator = node.kind === 'negative' ? '-' : '+';
      return (at) => unary(operator, operand(at));
    }
    case 'binary':
      return binary(node, frame);
    case 'compare':
      return compare(node, frame);
    case 'concat':
      return concat(node, frame);
    default:
      return postfix(node, frame);
  }
}

function postfix(node: Exclude<Expression, { kind: 'constant' | 'name' | 'binary' }>, frame: Frame): Evaluate {
  switch (node.kind) {
    case 'choice':
      return choice(node, frame.soft());
    case 'attribute': {
      const of = expression(node.of, frame);
      const { name } = node;
      return (at) => getAttribute(of(at), name);
    }
    case 'item':
      return item(node, frame);
    case 'call':
      return call(node, frame);
    case 'filter': {
      const input = expression(node.input!, frame);
      const apply = filter(node, frame);
      return (at) => apply(at, input(at));
    }
    case 'test':
      return test(node, frame);
    default:
      throw new JinjaError('TypeError', 'slices stand alone in brackets', node.line);
  }
}

function sequence({ kind, items: nodes }: Of<'tuple' | 'list'>, frame: Frame): Evaluate {
  const parts = nodes.map((node) => expression(node, frame));
  const all = (at: Activation) => parts.map((part) => part(at));
  return kind === 'list' ? all : (at) => new Tuple(all(at));
}

function dict({ entries }: Of<'dict'>, frame: Frame): Evaluate {
  const pairs = entries.map(([key, value]) => [expression(key, frame), expression(value, frame)] as const);
  return (at) => {
    const made = new Dict();
    for (const [key, value] of pairs) made.set(key(at), value(at));
    return made;
  };
}

function either(node: Of<'and' | 'or'>, frame: Frame): Evaluate {
  const [left, right] = [expression(node.left, frame), expression(node.right, frame)];
  const stopsAt = node.kind === 'or';
  return (at) => {
    const value = left(at);
    return isTrue(value) === stopsAt ? value : right(at);
  };
}

function binary(node: Of<'binary'>, frame: Frame): Evaluate {
  const [left, right] = [expression(node.left, frame), expression(node.right, frame)];
  const operate = OPERATIONS[node.operator]!;
  return (at) => operate(left(at), right(at));
}

function compare(node: Of<'compare'>, frame: Frame): Evaluate {
  const first = expression(node.first, frame);
  const rest = node.rest.map(([operator, operand]) => [COMPARISONS[operator]!, expression(operand, frame)] as const);
  return (at) => {
    let left = first(at);
    for (const [holds, operand] of rest) {
      const right = operand(at);
      if (!holds(left, right)) return false;
      left = right;
    }
    return true;
  };
}

function concat(node: Of<'concat'>, frame: Frame): Evaluate {
  const parts = node.parts.map((part) => expression(part, frame));
  return (at) => {
    let text = '';
    for (const value of parts.map((part) => part(at))) {
      text += str(value);
      checkText(text.length);
    }
    return text;
  };
}

function choice(node: Of<'choice'>, frame: Frame): Evaluate {
  const [test, yes] = [expression(node.test, frame), expression(node.yes, frame)];
  const nothing = new Undefined(
    `the inline if-expression on line ${node.line} evaluated to false and no else section was defined.`,
  );
  const no = node.no ? expression(node.no, frame) : () => nothing;
  return (at) => (isTrue(test(at)) ? yes(at) : no(at));
}

function item(node: Of<'item'>, frame: Frame): Evaluate {
  const of = expression(node.of, frame);
  if (node.key.kind !== 'slice') {
    const key = expression(node.key, frame);
    return (at) => getItem(of(at), key(at));
  }
  const { key: bounds } = node;
  const [start, stop, step] = [bounds.start, bounds.stop, bounds.step].map((bound) =>
    bound ? expression(bound, frame) : () => null,
  );
  return (at) => slice(of(at), start!(at), stop!(at), step!(at));
}

type Given = (at: Activation) => readonly [args: Value[], keywords: Keywords];

function given({ args, keywords, spread, spreadKeywords }: Arguments, frame: Frame): Given {
  const positional = args.map((arg) => expression(arg, frame));
  const named = keywords.map(([name, value]) => [name, expression(value, frame)] as const);
  const [more, moreNamed] = [spread, spreadKeywords].map((node) => node && expression(node, frame));
  if (named.length === 0 && !more && !moreNamed) return (at) => [positional.map((arg) => arg(at)), NO_KEYWORDS];
  return (at) => {
    const values = positional.map((arg) => arg(at));
    if (more) values.push(...items(more(at)));
    const words = new Map(named.map(([name, value]) => [name, value(at)]));
    if (moreNamed) spreadInto(words, moreNamed(at));
    return [values, words];
  };
}

function spreadInto(words: Map<string, Value>, value: Value): void {
  if (!(value instanceof Dict)) throw typeError(`argument after ** must be a mapping, not ${typeName(value)}`);
  for (const [key, part] of value.entries()) {
    if (!isText(key)) throw typeError('keywords must be strings');
    if (words.has(plain(key))) throw typeError(`got multiple values for keyword argument '${plain(key)}'`);
    words.set(plain(key), part);
  }
}

/** `caller`: what the body of a call block renders. */
export function call(node: Call, frame: Frame, caller?: Evaluate): Evaluate {
  const callee = expression(node.callee, frame);
  const values = given(node, frame);
  const { line } = node;
  return (at) => {
    const called = callee(at);
    const [args, keywords] = values(at);
    at.state.line = line;
    if (called instanceof Undefined) throw called.error();
    if (!(called instanceof Callable)) throw typeError(`'${typeName(called)}' object is not callable`);
    return called.call(args, caller ? new Map([...keywords, ['caller', caller(at)]]) : keywords);
  };
}

/** A filter, to be applied to a value. */
export function filter(node: Filter, frame: Frame): (at: Activation, input: Value) => Value {
  const apply = named(FILTERS, 'filter', node, frame);
  const values = given(node, frame);
  return (at, input) => {
    const [args, keywords] = values(at);
    return apply([input, ...args], keywords);
  };
}

function test(node: Of<'test'>, frame: Frame): Evaluate {
  const apply = named(TESTS, 'test', node, frame);
  const input = expression(node.input, frame);
  const values = given(node, frame);
  return (at) => {
    const value = input(at);
    const [args, keywords] = values(at);
    return apply([value, ...args], keywords);
  };
}

/** Errors: TemplateSyntaxError where there is none, or, under an if, when it is used. */
function named<T>(
  table: ReadonlyMap<string, T>,
  what: string,
  { name, line }: { name: string; line: number },
  frame: Frame,
): T {
  const found = table.get(name);
  if (found) return found;
  const problem = `No ${what} named '${name}'.`;
  if (!frame.kind.isSoft) throw new JinjaError('TemplateSyntaxError', problem, line);
  return (() => {
    throw new JinjaError('TemplateRuntimeError', problem);
  }) as T;
}
