/** JSON that a model writes, as it comes: where a value ends, and objects that are calls. */
import type { Input } from './input.js';
import { begun, type Step, text, written } from './parts.js';

/** How far a value goes. It tells the ends of values from each other, and does not judge what is in them. */
class Extent {
  #depth = 0;
  #inString = false;
  #escaped = false;
  #isScalar: boolean | undefined;
  done = false;

  /** How many of these characters still belong to it. */
  take(characters: string): number {
    for (let i = 0; i < characters.length; i++) {
      const character = characters[i]!;
      if (this.#isScalar === undefined) this.#isScalar = !'{["'.includes(character);
      if (this.#isScalar && /[\s,:\]}]/.test(character)) {
        this.done = true;
        return i;
      }
      this.#next(character);
      if (this.done) return i + 1;
    }
    return characters.length;
  }

  #next(character: string): void {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (character === '\\') this.#escaped = true;
      else if (character === '"') this.#inString = false;
    } else if (character === '"') this.#inString = true;
    else if (character === '{' || character === '[') this.#depth++;
    else if (character === '}' || character === ']') this.#depth--;
    if (!this.#isScalar && !this.#inString && this.#depth <= 0) this.done = true;
  }
}

/** Takes a value; undefined where it does not end. */
function* value(input: Input): Step<string | undefined> {
  const extent = new Extent();
  let taken = '';
  for (;;) {
    const some = yield* input.some();
    if (some === '') return undefined;
    taken += input.take(extent.take(some));
    if (extent.done) return taken === '' ? undefined : taken;
  }
}

/** Hands a value over as the arguments of a call, as it comes. */
export function* handArguments(input: Input): Step {
  const extent = new Extent();
  while (!extent.done) {
    const some = yield* input.some();
    if (some === '') return;
    const taken = input.take(extent.take(some));
    if (taken !== '') yield written(taken);
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** Takes a string. */
function* string(input: Input): Step<string | undefined> {
  if ((yield* input.peek(1)) !== '"') return undefined;
  const json = yield* value(input);
  const read = json === undefined ? undefined : parsed(json);
  return typeof read === 'string' ? read : undefined;
}

const ARGUMENTS = new Set(['arguments', 'parameters', 'args']);
/** What an object may say beside it, and what is not needed. */
const BESIDE = new Set(['id', 'type', 'index', 'call_id', 'tool_call_id']);

export type Accepts = (name: string) => boolean;

/**
 * Reads an object that names a function and its arguments, in whichever order. Returns whether it is one: if not, what was taken of it
 * is what the input has kept. From the point on where name and arguments are known it is one, whatever follows.
 */
export function* readCall(input: Input, accepts: Accepts): Step<boolean> {
  if (!(yield* input.word('{'))) return false;
  const call = new Call(accepts);
  let depth = 1;
  while (depth > 0) {
    if (call.isBegun) input.keep();
    yield* input.blanks();
    if (yield* input.word(',')) continue;
    if (yield* input.word('}')) depth--;
    else if (yield* opensFunction(input, call)) depth++;
    else if (!call.isWhole) {
      if (call.isBegun) yield* input.giveBack();
      return call.isBegun;
    }
  }
  yield* call.end(input);
  if (call.isBegun) input.settle();
  return call.isBegun;
}

/** Reads a key with its value. Returns whether it is "function" and the object that holds the call, of which the brace is read. */
function* opensFunction(input: Input, call: Call): Step<boolean> {
  const key = yield* string(input);
  yield* input.blanks();
  if (key === undefined || !(yield* input.word(':'))) {
    call.isWhole = false;
    return false;
  }
  yield* input.blanks();
  if (key === 'function' && (yield* input.word('{'))) return true;
  call.isWhole = yield* call.entry(input, key);
  return false;
}

/** What is known of an object that may be a call. */
class Call {
  isBegun = false;
  /** All of it could be read so far. */
  isWhole = true;
  #name: string | undefined;
  /** That came before the name. */
  #held: string | undefined;
  #others = '';

  constructor(private readonly accepts: Accepts) {}

  /** Reads the value of a key. Returns whether the object can still be read. */
  *entry(input: Input, key: string): Step<boolean> {
    if (!this.isBegun && (key === 'name' || key === 'function')) return yield* this.#readName(input);
    if (!this.isBegun && ARGUMENTS.has(key)) return yield* this.#readArguments(input);
    const json = yield* value(input);
    if (json === undefined) return false;
    const other = BESIDE.has(key) ? '' : `${JSON.stringify(key)}: ${json}`;
    if (!this.isBegun) this.#others += other;
    else if (other !== '') yield text(other);
    return true;
  }

  /** The object is closed. */
  *end(input: Input): Step {
    if (!this.isBegun && this.#name !== undefined) yield* this.#begin(input, this.#held ?? '{}');
  }

  *#readName(input: Input): Step<boolean> {
    const name = yield* string(input);
    if (!name || !this.accepts(name)) return false;
    this.#name = name;
    if (this.#held !== undefined) yield* this.#begin(input, this.#held);
    return true;
  }

  *#readArguments(input: Input): Step<boolean> {
    const first = yield* input.peek(1);
    if (first === '{' && this.#name !== undefined) {
      yield* this.#begin(input);
      yield* handArguments(input);
      return true;
    }
    const json = yield* value(input);
    const given = json === undefined ? undefined : argumentsOf(json);
    if (given === undefined) return false;
    if (this.#name === undefined) this.#held = given;
    else yield* this.#begin(input, given);
    return true;
  }

  *#begin(input: Input, given = ''): Step {
    input.settle();
    this.isBegun = true;
    if (this.#others !== '') yield text(this.#others);
    yield begun(this.#name!);
    if (given !== '') yield written(given);
  }
}

/** Models write an object, or the text of one, or nothing. */
function argumentsOf(json: string): string | undefined {
  if (json.startsWith('{')) return json;
  const value = parsed(json);
  if (value === null || value === '') return '{}';
  return typeof value === 'string' ? value : undefined;
}

/** Reads an object or a list of them. What is no call is text. Returns whether any was one. */
export function* readCalls(input: Input, accepts: Accepts): Step<boolean> {
  const isList = (yield* input.word('[')) !== undefined;
  let any = false;
  for (;;) {
    yield* input.blanks();
    if ((yield* input.peek(1)) !== '{' || !(yield* readCall(input, accepts))) {
      if (any && isList && (yield* input.word(']'))) input.settle();
      else yield* input.giveBack();
      return any;
    }
    any = true;
    input.keep();
    yield* input.blanks();
    if (isList && (yield* input.word(','))) continue;
    if ((yield* input.peek(1)) !== '{') {
      if (isList) yield* input.word(']');
      input.settle();
      return true;
    }
  }
}
