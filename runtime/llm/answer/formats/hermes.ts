/** `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`: Hermes, Qwen 2.5 and 3, Granite 4, SmolLM. */
import type { Input } from '../input.js';
import { readCalls } from '../json.js';
import type { Step } from '../parts.js';
import { text } from '../parts.js';
import type { ToolFormat } from './format.js';

const [OPEN, CLOSE] = ['<tool_call>', '</tool_call>'];

export const hermes: ToolFormat = {
  name: 'hermes',
  delimiters: [OPEN, CLOSE],
  opens: [OPEN],
  isIn: (call) => call.includes(OPEN) && /\bname\\?"\s*:/.test(call),
  read,
};

function* read(input: Input): Step {
  while (yield* input.hand(text, [OPEN])) {
    input.keep();
    yield* input.blanks();
    yield* input.word(OPEN);
    yield* input.blanks();
    if (yield* readCalls(input, () => true)) {
      yield* input.word(CLOSE);
      input.called();
    }
  }
}
