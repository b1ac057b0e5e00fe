/** A conversation: its history, and what of it the model still sees. */
import { invalid } from '../addon/arguments.js';
import { failure } from '../addon/errors.js';
import type { ChatOptions as RenderOptions } from '../text/chat_template.js';
import type { ToolCall } from './answer/parts.js';
import type { ChatPrompt } from './chat_prompt.js';
import type { RunningGeneration, Work } from './generation.js';
import { checkTemplateOptions } from './messages.js';
import { checkOptions, type Settings, TEMPLATE_NAMES } from './options.js';
import type { PreparedPrompt } from './prepared_prompt.js';
import type { Chat, ChatOptions, GenerateOptions, Message } from './types.js';

/** What a conversation needs of its model. */
export interface Host {
  readonly info: { readonly context: number };
  settings(options: GenerateOptions): Settings;
  chatPrompt(): ChatPrompt;
  prepareMessages(messages: readonly Message[], options: RenderOptions): Promise<PreparedPrompt>;
  /** Writes what follows the tokens, a text of its own. */
  answer(encode: () => Promise<PreparedPrompt>, settings: Settings): Work;
  start(work: Work, settings: Settings): RunningGeneration;
}

/** Of the context, what is kept free for an answer of no given length, and what of it a shift leaves in use. */
const [ANSWER_SHARE, SHIFTED_SHARE] = [1 / 4, 1 / 2];

export class Conversation implements Chat {
  readonly #template: RenderOptions;
  readonly #shifts: boolean;
  #first: readonly Message[];
  #messages: Message[];
  #dropped = 0;
  #busy = false;

  constructor(
    private readonly host: Host,
    options: ChatOptions,
  ) {
    checkOptions(options, [...TEMPLATE_NAMES, 'messages', 'whenFull']);
    const { messages = [], whenFull = 'error', tools, templateVariables } = options;
    if (whenFull !== 'error' && whenFull !== 'shift') throw invalid('options.whenFull', "'error' or 'shift'", whenFull);
    this.#shifts = whenFull === 'shift';
    this.#template = checkTemplateOptions({ tools, templateVariables });
    this.#first = this.#checkHistory(messages, 'options.messages');
    this.#messages = [...this.#first];
  }

  get messages(): readonly Message[] {
    return [...this.#messages];
  }

  get droppedMessages(): number {
    return this.#dropped;
  }

  send(message: string | Message | readonly Message[], options: GenerateOptions = {}): RunningGeneration {
    const settings = this.host.settings(options);
    const sent = this.#checkSent(message);
    this.#requireIdle();
    const generation = this.host.start(this.#answer(sent, settings), settings);
    this.#busy = true;
    const idle = () => {
      this.#busy = false;
    };
    generation.result.then(idle, idle);
    return generation;
  }

  #checkSent(message: string | Message | readonly Message[]): Message[] {
    if (typeof message === 'string') return [{ role: 'user', content: message }];
    const prompt = this.host.chatPrompt();
    return Array.isArray(message) ? prompt.check(message, 'message') : [prompt.checkOne(message, 'message')];
  }

  reset(messages: readonly Message[] = this.#first): void {
    this.#requireIdle();
    this.#first = this.#checkHistory(messages, 'messages');
    this.#messages = [...this.#first];
    this.#dropped = 0;
  }

  #requireIdle(): void {
    if (this.#busy) throw failure('BUSY', 'the chat is still answering: await the generation before, or abort it');
  }

  #answer(sent: readonly Message[], settings: Settings): Work {
    return async (signal, emit) => {
      let dropped = this.#dropped;
      let [text, reasoning] = ['', ''];
      const keep = (toolCalls: readonly ToolCall[] = []) => {
        this.#messages.push(...sent, {
          role: 'assistant',
          content: text,
          ...(reasoning !== '' && { reasoning_content: reasoning }),
          ...(toolCalls.length > 0 && { tool_calls: toolCalls }),
        });
        this.#dropped = dropped;
      };
      const encode = async () => {
        const fitted = await this.#fit([...this.#messages, ...sent], settings);
        dropped = fitted.dropped;
        return fitted.prompt;
      };
      const write = this.host.answer(encode, settings);
      try {
        const result = await write(signal, (piece) => {
          text += piece.text;
          reasoning += piece.reasoning ?? '';
          emit(piece);
        });
        keep(result.toolCalls);
        return result;
      } catch (error) {
        if (signal.aborted && text !== '') keep();
        throw error;
      }
    };
  }

  /** The prompt, without as many of the oldest turns as have to go. */
  async #fit(
    messages: readonly Message[],
    { maxTokens }: Settings,
  ): Promise<{ prompt: PreparedPrompt; dropped: number }> {
    const { context } = this.host.info;
    const first = messages.findIndex(({ role }) => role !== 'system' && role !== 'developer');
    const turns = messages.slice(first);
    let dropped = this.#dropped;
    const prepare = () =>
      this.host.prepareMessages([...messages.slice(0, first), ...turns.slice(dropped)], this.#template);
    let prompt = await prepare();
    const answer = Math.min(Number.isFinite(maxTokens) ? maxTokens : context * ANSWER_SHARE, context - 1);
    if (!this.#shifts || prompt.tokens.length + answer <= context) return { prompt, dropped };
    // More than has to go, so that the turns after this one find what they share with it in the KV cache.
    const most = Math.min(context - answer, context * SHIFTED_SHARE);
    while (prompt.tokens.length > most) {
      const next = turns.findIndex(({ role }, i) => i > dropped && role === 'user');
      if (next < 0) break; // it may fit with a shorter answer; if not, it is refused with both numbers
      dropped = next;
      prompt = await prepare();
    }
    return { prompt, dropped };
  }

  #checkHistory(messages: readonly Message[], name: string): Message[] {
    return Array.isArray(messages) && messages.length === 0 ? [] : this.host.chatPrompt().check(messages, name);
  }
}
