/** `<tool_call>NAME<arg_key>KEY</arg_key><arg_value>VALUE</arg_value></tool_call>`: GLM 4.5 and newer. */
import type { Input } from '../input.js';
import { Parameters } from '../parameters.js';
import { begun, type Step, text } from '../parts.js';
import type { Tools } from '../tools.js';
import type { ToolFormat } from './format.js';

const [OPEN, CLOSE] = ['<tool_call>', '</tool_call>'];
const [KEY, KEY_END, VALUE, VALUE_END] = ['<arg_key>', '</arg_key>', '<arg_value>', '</arg_value>'];

export const glm: ToolFormat = {
  name: 'glm',
  delimiters: [OPEN, CLOSE, KEY, KEY_END, VALUE, VALUE_END],
  opens: [OPEN],
  isIn: (call) => call.includes(KEY) && call.includes(VALUE),
  read,
};

function* read(input: Input, tools: Tools): Step {
  while (yield* input.hand(text, [OPEN])) {
    input.keep();
    yield* input.blanks();
    yield* input.word(OPEN);
    const name = (yield* input.upTo([KEY, CLOSE]))?.trim();
    if (name && /^[^\s<{]+$/.test(name)) {
      input.settle();
      yield begun(name);
      yield* readParameters(input, new Parameters(tools, name));
    } else yield* input.giveBack();
  }
}

function* readParameters(input: Input, parameters: Parameters): Step {
  for (;;) {
    input.keep();
    yield* input.blanks();
    if (yield* input.word(CLOSE)) {
      input.settle();
      input.called();
      return yield* parameters.end();
    }
    const key = (yield* input.word(KEY)) && (yield* input.upTo([KEY_END]));
    if (key) {
      yield* input.word(KEY_END);
      yield* input.blanks();
    }
    if (!key || !(yield* input.word(VALUE))) {
      if ((yield* input.peek(1)) !== '') yield* parameters.end(); // else it was cut off, and so are its arguments
      return yield* input.giveBack();
    }
    input.settle();
    if (!(yield* parameters.read(input, key.trim(), [VALUE_END]))) return;
  }
}
