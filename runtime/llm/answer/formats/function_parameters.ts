/**
 * `<tool_call><function=NAME><parameter=KEY>VALUE</parameter></function></tool_call>`: Qwen 3 Coder, Nemotron 3, and Seed-OSS with
 * another frame. Models forget the frame.
 */
import type { Input } from '../input.js';
import { Parameters } from '../parameters.js';
import { begun, type Step, text } from '../parts.js';
import type { Tools } from '../tools.js';
import type { ToolFormat } from './format.js';

const [FUNCTION, PARAMETER] = ['<function=', '<parameter='];
const [FUNCTION_END, PARAMETER_END] = ['</function>', '</parameter>'];
const OPENS = ['<tool_call>', '<seed:tool_call>'];
const CLOSES = ['</tool_call>', '</seed:tool_call>'];

export const functionParameters: ToolFormat = {
  name: 'function-parameters',
  delimiters: [...OPENS, ...CLOSES, FUNCTION, FUNCTION_END, PARAMETER, PARAMETER_END],
  opens: OPENS,
  isIn: (call) => call.includes(FUNCTION) && call.includes(PARAMETER),
  read,
};

function* read(input: Input, tools: Tools): Step {
  while (yield* input.hand(text, [...OPENS, FUNCTION])) {
    input.keep();
    yield* input.blanks();
    const frame = yield* input.word(...OPENS);
    yield* input.blanks();
    const name = (yield* input.word(FUNCTION)) && (yield* nameUpTo(input));
    if (name && (frame || tools.has(name))) {
      input.settle();
      yield begun(name);
      if (yield* readParameters(input, new Parameters(tools, name))) {
        yield* input.closing(CLOSES);
        input.called();
      }
    } else yield* input.giveBack();
  }
}

/** Whether the call ended as one should. */
function* readParameters(input: Input, parameters: Parameters): Step<boolean> {
  for (;;) {
    input.keep();
    yield* input.blanks();
    if (yield* input.word(FUNCTION_END)) {
      input.settle();
      yield* parameters.end();
      return true;
    }
    const key = (yield* input.word(PARAMETER)) && (yield* nameUpTo(input));
    if (!key) {
      if ((yield* input.peek(1)) !== '') yield* parameters.end(); // else it was cut off, and so are its arguments
      yield* input.giveBack();
      return false;
    }
    input.settle();
    yield* input.word('\n');
    if (!(yield* parameters.read(input, key, [`\n${PARAMETER_END}`, PARAMETER_END]))) return false;
  }
}

/** Takes what stands before the `>` that is next. */
function* nameUpTo(input: Input): Step<string | undefined> {
  const name = yield* input.upTo(['>']);
  if (name === undefined || !/^[^\s<]+$/.test(name)) return undefined;
  input.take(1);
  return name;
}
