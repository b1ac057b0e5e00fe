/** `[TOOL_CALLS] [{"name": ..., "arguments": {...}}]`, and newer `[TOOL_CALLS]NAME[ARGS]{...}`: Mistral. */
import type { Input } from '../input.js';
import { handArguments, readCalls } from '../json.js';
import { begun, type Step, text } from '../parts.js';
import type { ToolFormat } from './format.js';

const [CALLS, ID, ARGUMENTS] = ['[TOOL_CALLS]', '[CALL_ID]', '[ARGS]'];

export const mistral: ToolFormat = {
  name: 'mistral',
  delimiters: [CALLS, ID, ARGUMENTS],
  opens: [CALLS],
  isIn: (call) => call.includes(CALLS),
  read,
};

function* read(input: Input): Step {
  while (yield* input.hand(text, [CALLS])) {
    input.keep();
    yield* input.blanks();
    yield* input.word(CALLS);
    yield* input.blanks();
    const first = yield* input.peek(1);
    const isCall = first === '[' || first === '{' ? yield* readCalls(input, () => true) : yield* readNamed(input);
    if (isCall) input.called();
  }
}

function* readNamed(input: Input): Step<boolean> {
  const name = (yield* input.upTo([ARGUMENTS, ID, '{']))?.trim();
  if (yield* input.word(ID)) yield* input.upTo([ARGUMENTS, '{']);
  yield* input.word(ARGUMENTS);
  yield* input.blanks();
  if (!name || !/^[^\s[\]]+$/.test(name) || (yield* input.peek(1)) !== '{') {
    yield* input.giveBack();
    return false;
  }
  input.settle();
  yield begun(name);
  yield* handArguments(input);
  return true;
}
