/** Messages to a prompt by the model's template. What the template would leave out in silence is refused. */
import { failure, RealizarError, STATUS } from '../addon/errors.js';
import { type ChatTemplate, ChatTemplateError, type ChatOptions as RenderOptions } from '../text/chat_template.js';
import { checkMessage, checkMessages, hasCalls, templateMessage } from './messages.js';
import type { Message } from './types.js';

interface Given {
  readonly messages: readonly Message[];
  readonly options: RenderOptions;
}

/** Something that not every template shows: whether it is given, and the same without it. */
interface Extra {
  readonly name: string;
  readonly instead: string;
  isIn(given: Given): boolean;
  without(given: Given): Given;
}

const isResult = ({ role }: Message) => role === 'tool' || role === 'function';

const EXTRAS: readonly Extra[] = [
  {
    name: 'options.tools',
    instead: 'leave them out, or describe the functions in a system message',
    isIn: ({ options }) => options.tools !== undefined,
    without: ({ messages, options: { tools: _, ...options } }) => ({ messages, options }),
  },
  {
    name: 'the tool_calls of messages',
    instead: 'write what they say into the content',
    isIn: ({ messages }) => messages.some(hasCalls),
    without: ({ messages, options }) => ({ messages: messages.map(({ tool_calls: _, ...rest }) => rest), options }),
  },
  {
    name: 'the content of messages with the role tool',
    instead: 'put what the functions returned into messages of the user',
    isIn: ({ messages }) => messages.some(isResult),
    without: ({ messages, options }) => ({
      messages: messages.map((message) => (isResult(message) ? { ...message, content: 'something else' } : message)),
      options,
    }),
  },
];

export class ChatPrompt {
  /** What the template was seen to show: it is asked once. */
  readonly #shown = new Set<Extra>();

  /** `path`: the model's, for messages. */
  constructor(
    private readonly template: ChatTemplate,
    private readonly path: string,
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
    const given = { messages: messages.map((message) => templateMessage(message, this.#knows)), options };
    const prompt = await this.#fill(how, given);
    for (const extra of EXTRAS) if (extra.isIn(given)) await this.#requireShown(extra, how, given, prompt);
    return prompt;
  }

  readonly #knows = (role: string) => this.template.names(role);

  async #requireShown(extra: Extra, how: 'render' | 'prepare', given: Given, prompt: string): Promise<void> {
    if (this.#shown.has(extra)) return;
    const other = await this.#fill(how, extra.without(given)).catch(() => undefined); // it cannot do without
    if (other === prompt)
      throw failure(
        'CHAT_TEMPLATE',
        `${this.path}: its chat template shows the model nothing of ${extra.name}; ${extra.instead}`,
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
