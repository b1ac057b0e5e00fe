/** What every template finds by name. */
import { bind, integer } from './arguments.js';
import { JinjaError, typeError, unsupported, valueError } from './errors.js';
import { Cycler, Joiner, pairs } from './loop.js';
import { str } from './print.js';
import { strftime } from './strftime.js';
import {
  Builtin,
  Dict,
  isText,
  type Keywords,
  Namespace,
  orElse,
  plain,
  Range,
  typeName,
  Undefined,
  type Value,
} from './values.js';

/** As the sandbox has it. */
const MAX_RANGE = 100_000n;

function range(args: readonly Value[], keywords: Keywords): Value {
  if (keywords.size > 0) throw typeError('range() takes no keyword arguments');
  const [a, b, step = 1n] = args.map(integer);
  if (a === undefined || args.length > 3) throw typeError(`range expected 1 to 3 arguments, got ${args.length}`);
  if (step === 0n) throw valueError('range() arg 3 must not be zero');
  const made = b === undefined ? new Range(0n, a, 1n) : new Range(a, b, step);
  if (made.length > MAX_RANGE)
    throw new JinjaError(
      'OverflowError',
      `Range too big. The sandbox blocks ranges larger than MAX_RANGE (${MAX_RANGE}).`,
    );
  return made;
}

function dict(args: readonly Value[], keywords: Keywords): Dict {
  if (args.length > 1) throw typeError(`dict expected at most 1 argument, got ${args.length}`);
  const [from] = args;
  if (from instanceof Undefined) throw from.error();
  const made = new Dict(from === undefined ? [] : from instanceof Dict ? from.entries() : pairs(from));
  for (const [name, value] of keywords) made.set(name, value);
  return made;
}

function now(args: readonly Value[], keywords: Keywords): Value {
  const [format] = bind('strftime_now', 'format', args, keywords);
  if (!isText(format!)) throw typeError(`strftime() argument 1 must be str, not ${typeName(format!)}`);
  return strftime(new Date(), plain(format));
}

function fail(args: readonly Value[], keywords: Keywords): never {
  const [message] = bind('raise_exception', 'message', args, keywords);
  throw new JinjaError('TemplateError', str(message!));
}

const FUNCTIONS: Readonly<Record<string, (args: readonly Value[], keywords: Keywords) => Value>> = {
  range,
  dict,
  namespace: (args, keywords) => new Namespace(dict(args, keywords)),
  cycler: (args, keywords) => {
    if (keywords.size > 0) throw typeError('cycler takes no keyword arguments');
    return new Cycler(args);
  },
  joiner: (args, keywords) => new Joiner(orElse(bind('joiner', 'sep=', args, keywords)[0], () => ', ')),
  lipsum: () => {
    throw unsupported('lipsum()');
  },
  raise_exception: fail,
  strftime_now: now,
};

export const GLOBALS: ReadonlyMap<string, Value> = new Map(
  Object.entries(FUNCTIONS).map(([name, act]) => [name, new Builtin(name, act)]),
);
