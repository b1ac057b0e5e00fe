/**
 * What a chat template makes of calls of functions, found out by giving it one: how calls are written, and how it wants those of
 * the history.
 */
import { type ChatMessage, type ChatTemplate, ChatTemplateError } from '../../text/chat_template.js';
import type { ToolFormat } from './formats/format.js';
import { TOOL_FORMATS } from './formats/registry.js';

export interface CallStyle {
  /** Undefined where it is none that is known. */
  readonly format: ToolFormat | undefined;
  /** How it wants arguments; undefined where it shows them in neither way. */
  readonly argumentsAs: 'object' | 'text' | undefined;
  /** Contents of a message with calls and no text with which it shows the calls and nothing else, or at least does not fail. */
  readonly emptyContents: ReadonlySet<'' | null>;
  /** It takes ids of nine letters and digits alone. */
  readonly shortIds: boolean;
  /** It shows one call of a message alone, or fails where there are more. */
  readonly single: boolean;
}

const [QUESTION, NAME, OTHER, KEY, VALUE, RESULT] = [
  'probe_question',
  'probe_function',
  'probe_other',
  'probe_key',
  'probe_value',
  'probe_result',
];
const NAMES = [NAME, OTHER];
const IDS = ['probe0001', 'probe0002'];
const LONG_ID = 'call_probe_0001';
const TOOL = {
  type: 'function',
  function: {
    name: NAME,
    description: 'probe',
    parameters: { type: 'object', properties: { [KEY]: { type: 'string', description: 'probe' } }, required: [KEY] },
  },
};

interface Variant {
  readonly content: '' | null;
  readonly argumentsAs: 'object' | 'text';
  /** Of each call; one unless given. */
  readonly ids?: readonly string[];
}

const VARIANTS: readonly Variant[] = (['object', 'text'] as const).flatMap((argumentsAs) =>
  ([null, ''] as const).map((content) => ({ content, argumentsAs })),
);

export async function callStyle(template: ChatTemplate): Promise<CallStyle> {
  const calls = await Promise.all(
    VARIANTS.map(async (variant) => ({ ...variant, call: await callIn(template, variant) })),
  );
  const rendered = calls.filter(({ call }) => call !== undefined);
  const whole = rendered.filter(({ call }) => isWhole(call!));
  const [best] = whole;
  const empty = best ? whole.filter(({ argumentsAs }) => argumentsAs === best.argumentsAs) : rendered;
  const shown = (best ?? calls.find(({ call }) => call?.includes(NAME)))?.call;
  const texts = shown === undefined ? template.sources : [shown];
  const long = best && (await callIn(template, { ...best, ids: [LONG_ID] }));
  const both = best && (await callIn(template, { ...best, ids: IDS }));
  return {
    format: TOOL_FORMATS.find(({ isIn }) => texts.some(isIn)),
    argumentsAs: best?.argumentsAs,
    emptyContents: new Set(empty.map(({ content }) => content)),
    shortIds: best !== undefined && long === undefined,
    single: best !== undefined && !both?.includes(OTHER),
  };
}

/** Name and arguments are there, and neither a text in a text, nor Python's way to print what was no text. */
const isWhole = (call: string) =>
  [NAME, KEY, VALUE].every((word) => call.includes(word)) && !/\\["']|'probe_key'\s*:|\bNone\b/.test(call);

/** What the template makes of calls; undefined where it fails. */
async function callIn(
  template: ChatTemplate,
  { content, argumentsAs, ids = IDS.slice(0, 1) }: Variant,
): Promise<string | undefined> {
  const given = argumentsAs === 'object' ? { [KEY]: VALUE } : `{"${KEY}": "${VALUE}"}`;
  const calls = ids.map((id, i) => ({ id, type: 'function', function: { name: NAMES[i], arguments: given } }));
  const messages: ChatMessage[] = [
    { role: 'user', content: QUESTION },
    { role: 'assistant', content, tool_calls: calls },
    ...ids.map((id, i) => ({ role: 'tool', tool_call_id: id, name: NAMES[i], content: RESULT })),
  ];
  try {
    const prompt = await template.render(messages, { tools: [TOOL] });
    const [, after = ''] = splitLast(prompt, QUESTION);
    return after.split(RESULT, 1)[0];
  } catch (error) {
    if (error instanceof ChatTemplateError) return undefined;
    throw error;
  }
}

function splitLast(text: string, word: string): string[] {
  const at = text.lastIndexOf(word);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + word.length)];
}
