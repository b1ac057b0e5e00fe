/**
 * Messages to a prompt by the model's template, and how what follows it is read. What the template would leave out in silence is
 * refused.
 */
import { RealizarError, STATUS } from '../addon/errors.js';
import { type ChatTemplate, ChatTemplateError, type ChatOptions as RenderOptions } from '../text/chat_template.js';
import type { ToolFormat } from './answer/formats/format.js';
import { TOOL_FORMATS } from './answer/formats/registry.js';
import { namedReasoning, styledCalls } from './answer/history.js';
import { type CallStyle, callStyle } from './answer/probe.js';
import type { Reading } from './answer/reader.js';
import { delimitersIn } from './answer/reasoning.js';
import { Tools } from './answer/tools.js';
import { TemplateLackError } from './errors.js';
import { checkMessage, checkMessages, hasCalls, templateMessage } from './messages.js';
import type { Message } from './types.js';

interface Given {
  readonly messages: readonly Message[];
  readonly options: RenderOptions;
}

/** Something that not every template shows: whether it is given, and the same without it. */
interface Extra {
  readonly subject: TemplateLackError['subject'];
  readonly name: string;
  readonly instead: string;
  isIn(given: Given): boolean;
  without(given: Given): Given;
}

const isResult = ({ role }: Message) => role === 'tool' || role === 'function';

const EXTRAS: readonly Extra[] = [
  {
    subject: 'tools',
    name: 'options.tools',
    instead: 'leave them out, or describe the functions in a system message',
    isIn: ({ options }) => options.tools !== undefined,
    without: ({ messages, options: { tools: _, ...options } }) => ({ messages, options }),
  },
  {
    subject: 'calls',
    name: 'the tool_calls of messages',
    instead: 'write what they say into the content',
    isIn: ({ messages }) => messages.some(hasCalls),
    without: ({ messages, options }) => ({ messages: messages.map(({ tool_calls: _, ...rest }) => rest), options }),
  },
  {
    subject: 'results',
    name: 'the content of messages with the role tool',
    instead: 'put what the functions returned into messages of the user',
    isIn: ({ messages }) => messages.some(isResult),
    without: ({ messages, options }) => ({
      messages: messages.map((message) => (isResult(message) ? { ...message, content: 'something else' } : message)),
      options,
    }),
  },
];

/** What of an answer is taken apart. */
export interface ReadOptions {
  /** Calls of functions, where tools are given: `known`, unless given, where their format is known; `needed`: else it fails. */
  readonly calls?: 'known' | 'needed' | 'none';
  /** What the model thinks; true unless given. */
  readonly reasoning?: boolean;
  /** The answer ends where a second call begins. */
  readonly single?: boolean;
}

export class ChatPrompt {
  /** What the template was seen to show: it is asked once. */
  readonly #shown = new Set<Extra>();
  #style: Promise<CallStyle> | undefined;

  /** `path`: the model's, for messages. `toolFormat`: a format's name, in place of what the template says; `none` is none. */
  constructor(
    private readonly template: ChatTemplate,
    private readonly path: string,
    private readonly toolFormat = 'auto',
  ) {}

  /** Throws INVALID_ARGUMENT. */
  check(messages: unknown, name?: string): Message[] {
    return checkMessages(messages, this.#knows, name);
  }

  /** Throws INVALID_ARGUMENT. */
  checkOne(message: unknown, name: string): Message {
    return checkMessage(message, this.#knows, name);
  }

  /** Of messages that were checked: the prompt, to be read or to be tokenized. */
  async make(how: 'render' | 'prepare', messages: readonly Message[], options: RenderOptions): Promise<string> {
    const shown = messages.map((message) => namedReasoning(templateMessage(message, this.#knows), this.#knows));
    const given = { messages: shown.some(hasCalls) ? styledCalls(shown, await this.#callStyle()) : shown, options };
    const prompt = await this.#fill(how, given);
    for (const extra of EXTRAS) if (extra.isIn(given)) await this.#requireShown(extra, how, given, prompt);
    return prompt;
  }

  /** How answers to this prompt are read. */
  async reading(prompt: string, options: RenderOptions, read: ReadOptions = {}): Promise<Reading | undefined> {
    const { calls = 'known', reasoning = true, single = false } = read;
    const { tools = [], addGenerationPrompt = true } = options;
    const { sources } = this.template;
    const readsCalls = calls !== 'none' && tools.length > 0;
    const whole = TOOL_FORMATS.find((one) => one.readsReasoning && sources.some(one.isIn));
    const format = readsCalls ? await this.#format(calls) : reasoning ? whole : undefined;
    const delimiters = reasoning && !format?.readsReasoning ? delimitersIn(sources) : undefined;
    const isOpen = delimiters !== undefined && addGenerationPrompt && prompt.trimEnd().endsWith(delimiters.open);
    if (!format && !delimiters) return undefined;
    return {
      format,
      tools: new Tools(readsCalls ? tools : []),
      reasoning: delimiters && { ...delimiters, isOpen, alsoEnds: format?.opens ?? [] },
      reasoningIsText: !reasoning,
      single: single || (readsCalls && (await this.#callStyle()).single),
    };
  }

  async #format(calls: 'known' | 'needed'): Promise<ToolFormat | undefined> {
    if (this.toolFormat !== 'auto') return TOOL_FORMATS.find(({ name }) => name === this.toolFormat);
    const { format } = await this.#callStyle();
    if (format || calls === 'known') return format;
    const known = TOOL_FORMATS.map(({ name }) => name).join(', ');
    const problem = `its chat template writes calls of functions in a format that is not known; those known are ${known}`;
    throw new TemplateLackError(this.path, 'tools', problem);
  }

  /** It is asked once. */
  #callStyle(): Promise<CallStyle> {
    this.#style ??= callStyle(this.template).catch((error: unknown) => {
      this.#style = undefined;
      throw error;
    });
    return this.#style;
  }

  readonly #knows = (role: string) => this.template.names(role);

  async #requireShown(extra: Extra, how: 'render' | 'prepare', given: Given, prompt: string): Promise<void> {
    if (this.#shown.has(extra)) return;
    const other = await this.#fill(how, extra.without(given)).catch(() => undefined); // it cannot do without
    if (other === prompt)
      throw new TemplateLackError(
        this.path,
        extra.subject,
        `its chat template shows the model nothing of ${extra.name}; ${extra.instead}`,
      );
    this.#shown.add(extra);
  }

  /** What the template or its process complains of, as this package's error. */
  async #fill(how: 'render' | 'prepare', { messages, options }: Given): Promise<string> {
    try {
      return await this.template[how](messages, options);
    } catch (error) {
      if (!(error instanceof ChatTemplateError)) throw error;
      throw new RealizarError(STATUS.CHAT_TEMPLATE, 'CHAT_TEMPLATE', error.message, { cause: error });
    }
  }
}
