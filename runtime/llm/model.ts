/** LanguageModel over the addon's model, a pool of its sessions, and the vocabulary. */
import '../addon/async_dispose.js';
import { checkBoolean, checkTokens, invalid } from '../addon/arguments.js';
import { failure } from '../addon/errors.js';
import type { Model } from '../addon/index.js';
import type { ChatTemplate, ChatOptions as RenderOptions } from '../text/chat_template.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { unlessAborted } from './abort.js';
import { Conversation, type Host } from './chat.js';
import { ChatPrompt } from './chat_prompt.js';
import type { Encoder } from './encoder.js';
import { ContextOverflowError } from './errors.js';
import { RunningGeneration, type Work } from './generation.js';
import { checkTemplateOptions } from './messages.js';
import { checkOptions, readGenerateOptions, type Settings, TEMPLATE_NAMES } from './options.js';
import type { SessionPool } from './pool.js';
import type { Slot } from './slot.js';
import type {
  Activity,
  Chat,
  ChatOptions,
  ContinueOptions,
  DetokenizeOptions,
  GenerateChatOptions,
  GenerateOptions,
  LanguageModel,
  LanguageModelInfo,
  Message,
  TemplateOptions,
  TokenizeOptions,
} from './types.js';
import { write } from './write.js';

interface Parts {
  readonly model: Model;
  readonly info: LanguageModelInfo;
  readonly pool: SessionPool;
  readonly tokenizer: Tokenizer;
  readonly encoder: Encoder;
  /** Absent where the file has no template. */
  readonly template: ChatTemplate | undefined;
}

type Encode = () => Promise<readonly number[]>;

export class LoadedModel implements LanguageModel, Host {
  readonly info: LanguageModelInfo;
  readonly #parts: Parts;
  readonly #chatPrompt: ChatPrompt | undefined;
  readonly #running = new Set<RunningGeneration>();
  #closed: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.info = parts.info;
    this.#chatPrompt = parts.template && new ChatPrompt(parts.template, parts.info.modelPath);
  }

  get activity(): Activity {
    const { running, waiting } = this.#parts.pool;
    return { running, waiting };
  }

  generate(prompt: string | readonly number[], options: ContinueOptions = {}): RunningGeneration {
    const settings = this.settings(options, ['continues']);
    const continues = checkBoolean('options.continues', options.continues ?? true);
    const tokens = typeof prompt === 'string' ? undefined : this.#checkedTokens('prompt', prompt);
    const encode = async () => tokens ?? this.#encodeText(prompt as string, settings);
    return this.start(this.#write(encode, settings, { continues }), settings);
  }

  generateChat(messages: readonly Message[], options: GenerateChatOptions = {}): RunningGeneration {
    const settings = this.settings(options, TEMPLATE_NAMES);
    const { tools, templateVariables } = options;
    const template = checkTemplateOptions({ tools, templateVariables });
    const shown = this.chatPrompt().check(messages);
    return this.start(
      this.answer(() => this.encodeMessages(shown, template), settings),
      settings,
    );
  }

  chat(options: ChatOptions = {}): Chat {
    this.chatPrompt();
    return new Conversation(this, options);
  }

  tokenize(text: string, options: TokenizeOptions = {}): number[] {
    if (typeof text !== 'string') throw invalid('text', 'a string', text);
    return this.#parts.encoder.encodeHere(text, options);
  }

  async tokenizeAsync(text: string, options: TokenizeOptions = {}): Promise<number[]> {
    if (typeof text !== 'string') throw invalid('text', 'a string', text);
    this.#requireOpen();
    return this.#parts.encoder.encode(text, options);
  }

  detokenize(tokens: readonly number[], options: DetokenizeOptions = {}): string {
    const { skipSpecial = false, continues = false } = options;
    return this.#parts.tokenizer.decode(this.#checkedTokens('tokens', tokens), {
      skipControl: skipSpecial,
      continues,
    });
  }

  async applyChatTemplate(messages: readonly Message[], options: TemplateOptions = {}): Promise<string> {
    const prompt = this.chatPrompt();
    return prompt.make('render', prompt.check(messages), readTemplateOptions(options));
  }

  async encodeChat(messages: readonly Message[], options: TemplateOptions = {}): Promise<number[]> {
    return this.encodeMessages(this.chatPrompt().check(messages), readTemplateOptions(options));
  }

  close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal */
  settings(options: GenerateOptions, more: readonly string[] = []): Settings {
    return readGenerateOptions(options, this.info, more);
  }

  /** @internal */
  async encodeMessages(messages: readonly Message[], options: RenderOptions): Promise<number[]> {
    const text = await this.chatPrompt().make('prepare', messages, options);
    this.#requireOpen();
    return this.#parts.encoder.encode(text, 'prompt');
  }

  /** @internal */
  answer(encode: Encode, settings: Settings): Work {
    return this.#write(encode, settings, { continues: false });
  }

  #checkedTokens(name: string, tokens: readonly number[]): number[] {
    return [...checkTokens(name, tokens, this.info.vocabSize)];
  }

  #requireOpen(): void {
    if (this.#closed) throw closed();
  }

  /** @internal */
  chatPrompt(): ChatPrompt {
    this.#requireOpen();
    if (this.#chatPrompt) return this.#chatPrompt;
    throw failure(
      'CHAT_TEMPLATE',
      `${this.info.modelPath} has no chat template: continue plain text with generate(), or load it with chatTemplate: "chatml" if it was trained on that`,
    );
  }

  /** @internal */
  start(work: Work, settings: Settings): RunningGeneration {
    this.#requireOpen();
    const generation = new RunningGeneration(work, settings.signal);
    this.#running.add(generation);
    const ended = () => this.#running.delete(generation);
    generation.result.then(ended, ended);
    return generation;
  }

  /** `continues`: what is written goes on with the prompt's text. */
  #write(encode: Encode, settings: Settings, { continues }: { continues: boolean }): Work {
    return async (signal, emit) => {
      const prompt = await unlessAborted(encode(), signal);
      this.#requireRoom(prompt.length, settings);
      const { pool, tokenizer } = this.#parts;
      const asked = performance.now();
      const slot = await pool.acquire(prompt, signal);
      try {
        const waited = performance.now() - asked;
        const { context } = this.info;
        return await write(slot, tokenizer, { prompt, settings, continues, context, waited, signal }, emit);
      } catch (error) {
        if (!signal.aborted) await this.#repair(slot);
        throw error;
      } finally {
        pool.release(slot);
      }
    };
  }

  /** A text that is much too long is refused without being tokenized. */
  async #encodeText(text: string, settings: Settings): Promise<number[]> {
    const { tokenizer, encoder } = this.#parts;
    const least = Math.ceil(text.length / tokenizer.longestToken); // a UTF-16 unit is a byte or more
    if (least > this.info.context) this.#requireRoom(least, settings, 'at least ');
    return encoder.encode(text, {});
  }

  #requireRoom(promptTokens: number, { maxTokens }: Settings, count = ''): void {
    if (promptTokens === 0)
      throw failure(
        'INVALID_ARGUMENT',
        'the prompt has no tokens, and the model wants none before a text: give it a text',
      );
    const { context, compiledContext } = this.info;
    if (promptTokens + Math.min(maxTokens, 1) <= context) return;
    const larger = context < compiledContext ? 'load it with a larger context' : 'compile it with a larger --context';
    throw new ContextOverflowError(promptTokens, context, count, `shorten the prompt, or ${larger}`);
  }

  /** A failed session is replaced when it is needed next. That it does not close either is part of the same failure. */
  async #repair(slot: Slot): Promise<void> {
    await slot.reset().catch(() => {});
  }

  async #closeAll(): Promise<void> {
    const running = [...this.#running];
    for (const generation of running) generation.abort(closed());
    await Promise.allSettled(running.map(({ result }) => result));
    this.#parts.template?.close();
    await this.#parts.encoder.close(closed());
    await this.#parts.model.close();
  }
}

const closed = () => failure('CLOSED', 'the model is closed');

function readTemplateOptions(options: TemplateOptions): RenderOptions {
  checkOptions(options, [...TEMPLATE_NAMES, 'addGenerationPrompt']);
  return checkTemplateOptions(options);
}
