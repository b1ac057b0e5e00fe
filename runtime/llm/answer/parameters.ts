/** Arguments that a model writes one by one, each as text between delimiters: as the JSON of an object, by what the function's schema says. */
import type { Input } from './input.js';
import { type Step, written } from './parts.js';
import type { Tools } from './tools.js';

/** Writes the arguments of one call. */
export class Parameters {
  #count = 0;

  constructor(
    private readonly tools: Tools,
    private readonly name: string,
  ) {}

  /** Reads the value of a parameter up to one of these words, which is taken. Returns whether it came. */
  *read(input: Input, key: string, ends: readonly string[]): Step<boolean> {
    yield written(`${this.#count++ === 0 ? '{' : ', '}${JSON.stringify(key)}: `);
    const types = this.tools.typesOf(this.name, key);
    return types?.length === 1 && types[0] === 'string'
      ? yield* handText(input, ends)
      : yield* handValue(input, ends, types);
  }

  /** There are no more. */
  *end(): Step {
    yield written(this.#count === 0 ? '{}' : '}');
  }
}

/** A value that is a text goes on as it comes. Where it does not end its JSON does not, either: it is no whole value. */
function* handText(input: Input, ends: readonly string[]): Step<boolean> {
  yield written('"');
  const end = yield* input.hand((part) => written(JSON.stringify(part).slice(1, -1)), ends, 'verbatim');
  if (end === undefined) return false;
  input.take(end.length);
  yield written('"');
  return true;
}

function* handValue(input: Input, ends: readonly string[], types: readonly string[] | undefined): Step<boolean> {
  const end = yield* input.find(ends);
  if (end === undefined) return yield* handText(input, ends);
  const raw = input.take(end.start);
  input.take(end.stop.length);
  yield written(jsonOf(raw, types));
  return true;
}

/** JSON where it is JSON of a type that the schema knows, or Python's words for the same; else the text itself. */
function jsonOf(raw: string, types: readonly string[] | undefined): string {
  const json = PYTHON[raw.trim()] ?? raw.trim();
  const type = typeOf(json);
  const fits = type !== undefined && type !== 'string' && (types?.includes(type) ?? true);
  return fits || (type === 'number' && types?.includes('integer')) ? json : JSON.stringify(raw);
}

const PYTHON: Readonly<Record<string, string>> = { True: 'true', False: 'false', None: 'null' };

/** Of JSON; undefined where it is none. */
function typeOf(json: string): string | undefined {
  try {
    const value: unknown = JSON.parse(json);
    if (value === null) return 'null';
    return Array.isArray(value) ? 'array' : typeof value;
  } catch {
    return undefined;
  }
}
