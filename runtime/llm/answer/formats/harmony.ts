/**
 * Messages, each with a channel and perhaps a recipient: gpt-oss.
 * `<|channel|>analysis<|message|>...<|end|><|start|>assistant<|channel|>commentary to=functions.NAME <|constrain|>json<|message|>{...}<|call|>`
 */
import type { Input } from '../input.js';
import { begun, type Part, type Step, written } from '../parts.js';
import type { Tools } from '../tools.js';
import type { ToolFormat } from './format.js';

const [START, CHANNEL, CONSTRAIN, MESSAGE] = ['<|start|>', '<|channel|>', '<|constrain|>', '<|message|>'];
const ENDS = ['<|end|>', '<|call|>', '<|return|>'];
/** Of an assistant's message: a recipient, before or after the channel, and how the message is written. */
const HEADER =
  /^(?:<\|start\|>assistant)?(?: to=([^\s<]+))?(?:<\|channel\|>(analysis|commentary|final)(?: to=([^\s<]+))?)?\s*(?:<\|constrain\|>)?(?:json|code)?\s*$/;
/** How a header begins, after the prompt, which ends with `<|start|>assistant`. */
const HEADS = [START, CHANNEL, ' to='];

export const harmony: ToolFormat = {
  name: 'harmony',
  delimiters: [START, CHANNEL, CONSTRAIN, MESSAGE, ...ENDS],
  opens: [],
  readsReasoning: true,
  isIn: (call) => call.includes(CHANNEL) && call.includes(MESSAGE),
  read,
};

function* read(input: Input, tools: Tools): Step {
  const seen = new Set<Part['kind']>();
  while ((yield* input.peek(1)) !== '') {
    input.keep();
    const message = messageOf(yield* readHeader(input), tools);
    if (message?.name !== undefined) yield* input.peek(1); // whether there are arguments
    if (message) input.settle();
    else yield* input.giveBack();
    yield* readBody(input, message ?? TEXT, seen);
    yield* input.word(...ENDS);
  }
}

/** Takes what stands before the message itself; undefined where it begins otherwise. */
function* readHeader(input: Input): Step<string | undefined> {
  const head = yield* input.word(...HEADS);
  const rest = head && (yield* input.upTo([MESSAGE]));
  if (rest === undefined) return undefined;
  yield* input.word(MESSAGE);
  return `${head}${rest}`;
}

interface Message {
  readonly kind: 'text' | 'reasoning' | 'arguments';
  /** Of a function that it calls. */
  readonly name?: string;
}

const TEXT: Message = { kind: 'text' };

/** What a message is; undefined for one that is nothing that is known, as to the model's own tools. */
function messageOf(header: string | undefined, tools: Tools): Message | undefined {
  const [matches, first, channel = 'final', second] = HEADER.exec(header ?? '') ?? [];
  if (!matches) return undefined;
  const recipient = first ?? second;
  if (recipient !== undefined) {
    const name = recipient.replace(/^functions\./, '');
    return tools.isEmpty || (name === recipient && !tools.has(name)) ? undefined : { kind: 'arguments', name };
  }
  return channel === 'analysis' ? { kind: 'reasoning' } : TEXT;
}

/** Several messages of a kind are apart in what they become. */
function* readBody(input: Input, { kind, name }: Message, seen: Set<Part['kind']>): Step {
  if (name !== undefined) yield begun(name);
  let apart = kind !== 'arguments' && seen.has(kind) ? '\n\n' : '';
  let isEmpty = true;
  const make = (content: string): Part => {
    const part: Part = { kind, text: apart + content };
    [apart, isEmpty] = ['', false];
    seen.add(kind);
    return part;
  };
  yield* input.hand(make, [...ENDS, START, CHANNEL], 'verbatim');
  if (name !== undefined && isEmpty) yield written('{}');
}
