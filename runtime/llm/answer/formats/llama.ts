/** `{"name": ..., "parameters": {...}}`, alone or after `<|python_tag|>`, and `<|python_tag|>NAME.call(KEY="VALUE")`: Llama 3. */
import type { Input } from '../input.js';
import { readCalls } from '../json.js';
import { begun, type Step, text, written } from '../parts.js';
import type { Tools } from '../tools.js';
import type { ToolFormat } from './format.js';

const TAG = '<|python_tag|>';
/** What is given code that follows the tag, where there is such a function. */
const INTERPRETERS = ['python', 'code_interpreter', 'ipython'];

export const llama: ToolFormat = {
  name: 'llama',
  delimiters: [TAG],
  opens: [TAG],
  isIn: (call) => call.includes(TAG) || /\{\s*"name"\s*:\s*"[^"]*"\s*,\s*"parameters"\s*:/.test(call),
  read,
};

function* read(input: Input, tools: Tools): Step {
  // Without a delimiter only what an answer begins with can be a call, of a function that there is.
  let mayBeBare = true;
  do {
    input.keep();
    yield* input.blanks();
    if (yield* input.word(';')) yield* input.blanks(); // between calls
    if (yield* input.word(TAG)) mayBeBare = yield* readTagged(input, tools);
    else if (mayBeBare && (yield* input.peek(1)) === '{') mayBeBare = yield* readCalls(input, tools.has);
    else {
      yield* input.giveBack();
      mayBeBare = false;
    }
    if (mayBeBare) input.called();
  } while (mayBeBare || (yield* input.hand(text, [TAG])));
}

function* readTagged(input: Input, tools: Tools): Step<boolean> {
  yield* input.blanks();
  if ((yield* input.peek(1)) === '{') return yield* readCalls(input, () => true);
  const call = callOf(yield* input.all(), tools);
  if (!call) {
    yield* input.giveBack();
    return false;
  }
  input.settle();
  yield begun(call.name);
  yield written(JSON.stringify(call.given));
  return true;
}

/** Of what follows the tag to the end. */
function callOf(code: string, tools: Tools) {
  const [, name = '', list = ''] = /^([\w-]+)\.call\((.*)\)\s*$/s.exec(code) ?? [];
  const given = name && namedArguments(list);
  if (given) return { name, given };
  const interpreter = INTERPRETERS.find(tools.has);
  return interpreter && code.trim() !== '' ? { name: interpreter, given: { code } } : undefined;
}

/** `a="b", c="d"`; undefined for anything else. */
function namedArguments(list: string): Readonly<Record<string, unknown>> | undefined {
  const entry = /\s*([\w-]+)\s*=\s*("(?:[^"\\]|\\.)*")\s*(?:,|$)/sy;
  const entries: [string, unknown][] = [];
  while (entry.lastIndex < list.trimEnd().length) {
    const [, key, value] = entry.exec(list) ?? [];
    if (key === undefined) return undefined;
    try {
      entries.push([key, JSON.parse(value!)]);
    } catch {
      return undefined;
    }
  }
  return Object.fromEntries(entries);
}
