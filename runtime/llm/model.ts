/** LanguageModel over the addon's model, its engine, and the vocabulary. */
import '../addon/async_dispose.js';
import { checkBoolean, checkTokens, invalid } from '../addon/arguments.js';
import { failure } from '../addon/errors.js';
import type { EngineStatistics, Model } from '../addon/index.js';
import type { Format } from '../format/format.js';
import type { ChatTemplate, ChatOptions as RenderOptions } from '../text/chat_template.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { unlessAborted } from './abort.js';
import type { Reading } from './answer/reader.js';
import { Conversation, type Host } from './chat.js';
import { ChatPrompt, type ReadOptions } from './chat_prompt.js';
import { Constraint } from './constraint.js';
import type { Encoder } from './encoder.js';
import type { EngineHost } from './engine_host.js';
import { ContextOverflowError } from './errors.js';
import type { Formats } from './formats.js';
import { RunningGeneration, type Work } from './generation.js';
import { checkTemplateOptions } from './messages.js';
import { checkOptions, readFormat, readGenerateOptions, type Settings, TEMPLATE_NAMES } from './options.js';
import type { PreparedPrompt } from './prepared_prompt.js';
import { type Constrain, SharedPrompt } from './shared_prompt.js';
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
import { engineRequest, write } from './write.js';

interface Parts {
  readonly model: Model;
  readonly info: LanguageModelInfo;
  readonly engine: EngineHost;
  readonly tokenizer: Tokenizer;
  readonly encoder: Encoder;
  readonly formats: Formats;
  /** Absent where the file has no template. */
  readonly template: ChatTemplate | undefined;
  /** As {@link LoadOptions.toolFormat}. */
  readonly toolFormat?: string | undefined;
}

type Encode = () => Promise<PreparedPrompt>;

export class LoadedModel implements LanguageModel, Host {
  readonly info: LanguageModelInfo;
  readonly #parts: Parts;
  readonly #chatPrompt: ChatPrompt | undefined;
  readonly #running = new Set<RunningGeneration>();
  #closed: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.info = parts.info;
    this.#chatPrompt = parts.template && new ChatPrompt(parts.template, parts.info.modelPath, parts.toolFormat);
  }

  get activity(): Activity {
    return this.#parts.engine.activity;
  }

  statistics(): EngineStatistics {
    this.#requireOpen();
    return this.#parts.engine.statistics();
  }

  generate(prompt: string | readonly number[], options: ContinueOptions = {}): RunningGeneration {
    const [only] = this.generateMany(prompt, options, 1);
    return only!;
  }

  /**
   * @internal Several texts that follow one prompt, which is computed once; each draws with the seed plus its index.
   * `onPiece` hears that a piece was made, which may be long before it is read. `reading`: how each is taken apart.
   */
  generateMany(
    prompt: string | readonly number[],
    options: ContinueOptions,
    count: number,
    onPiece: (index: number) => void = () => {},
    reading?: Reading,
  ): RunningGeneration[] {
    const checked = this.settings(options, ['continues', 'promptLogprobs']);
    const promptLogprobs = checkBoolean('options.promptLogprobs', options.promptLogprobs ?? false);
    const settings = { ...checked, promptLogprobs };
    const continues = checkBoolean('options.continues', options.continues ?? true);
    const given = typeof prompt === 'string' ? undefined : this.#checkedTokens('prompt', prompt);
    const encode = async () => ({ tokens: given ?? (await this.#encodeText(prompt as string, settings)), reading });
    return this.#writes(encode, settings, { continues, count }).map((work, index) => {
      const heard: Work = (signal, emit) =>
        work(signal, (piece) => {
          emit(piece);
          onPiece(index);
        });
      return this.start(heard, settings);
    });
  }

  generateChat(messages: readonly Message[], options: GenerateChatOptions = {}): RunningGeneration {
    const settings = this.settings(options, TEMPLATE_NAMES);
    const { tools, templateVariables } = options;
    const template = checkTemplateOptions({ tools, templateVariables });
    const shown = this.chatPrompt().check(messages);
    return this.start(
      this.answer(() => this.prepareMessages(shown, template), settings),
      settings,
    );
  }

  async checkFormat(format: Format): Promise<void> {
    this.#requireOpen();
    await this.#parts.formats.check(readFormat(format));
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
    return (await this.prepareChat(messages, options)).tokens;
  }

  /** @internal The prompt as tokens, and how its answers are to be read. */
  async prepareChat(
    messages: readonly Message[],
    options: TemplateOptions = {},
    read: ReadOptions = {},
  ): Promise<PreparedPrompt> {
    return this.prepareMessages(this.chatPrompt().check(messages), readTemplateOptions(options), read);
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
  async prepareMessages(
    messages: readonly Message[],
    options: RenderOptions,
    read?: ReadOptions,
  ): Promise<PreparedPrompt> {
    const chatPrompt = this.chatPrompt();
    const text = await chatPrompt.make('prepare', messages, options);
    const reading = await chatPrompt.reading(text, options, read);
    this.#requireOpen();
    return { tokens: await this.#parts.encoder.encode(text, 'prompt'), reading };
  }

  /** @internal */
  answer(encode: Encode, settings: Settings): Work {
    const [only] = this.#writes(encode, settings, { continues: false, count: 1 });
    return only!;
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

  /** Texts that follow one prompt. `continues`: they go on with the prompt's text. */
  #writes(encode: Encode, settings: Settings, { continues, count }: { continues: boolean; count: number }): Work[] {
    const { engine, tokenizer, formats } = this.#parts;
    const { context } = this.info;
    const shared = new SharedPrompt(count);
    const submit = async () => {
      const { tokens: prompt, reading } = await encode();
      this.#requireRoom(prompt.length, settings);
      const request = { prompt, reading, settings, continues, context };
      const { format } = settings;
      if (format) await formats.check(format);
      const constrain: Constrain | undefined =
        format && ((count, onFailure) => new Constraint(formats, { format, continues, count }, onFailure));
      if (settings.maxTokens > 0 || settings.promptLogprobs)
        await shared.submit(engine, engineRequest(request, tokenizer), constrain);
      else for (const sequence of shared.sequences) sequence.end(); // there is nothing to compute
      return request;
    };
    let submitting: ReturnType<typeof submit> | undefined;
    return shared.sequences.map((sequence, index) => async (signal, emit) => {
      const abort = () => sequence.fail(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      try {
        submitting ??= submit();
        const request = await unlessAborted(submitting, signal);
        return await write(sequence, tokenizer, { ...request, index }, emit);
      } finally {
        signal.removeEventListener('abort', abort);
        await sequence.leave();
      }
    });
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

  async #closeAll(): Promise<void> {
    const running = [...this.#running];
    for (const generation of running) generation.abort(closed());
    await Promise.allSettled(running.map(({ result }) => result));
    this.#parts.template?.close();
    await this.#parts.encoder.close(closed());
    await this.#parts.formats.close(closed());
    await this.#parts.model.close();
  }
}

const closed = () => failure('CLOSED', 'the model is closed');

function readTemplateOptions(options: TemplateOptions): RenderOptions {
  checkOptions(options, [...TEMPLATE_NAMES, 'addGenerationPrompt']);
  return checkTemplateOptions(options);
}
