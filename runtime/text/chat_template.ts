/**
 * The chat template of a GGUF file (tokenizer.chat_template): messages to the text that the model was trained on.
 * A template is a program from whoever made the file. It runs in a process of its own (template_process.ts).
 */
import { CompileError, UnsupportedError } from '../common/errors.js';
import { quote } from '../common/quote.js';
import { JinjaError } from './jinja/errors.js';
import { SpecialTokens } from './special_tokens.js';
import { templateJson } from './template_json.js';
import { TemplateProcess } from './template_process.js';
import type { TextSource } from './text_source.js';
import type { Tokenizer } from './tokenizer.js';

export interface ChatMessage {
  readonly role: string;
  /** A text or, where the template knows them, a list of parts. */
  readonly content?: unknown;
  /** Whatever else the template knows: tool_calls, name, reasoning_content, ... */
  readonly [key: string]: unknown;
}

export interface ChatOptions {
  /** End with what starts the model's answer; true unless given. */
  readonly addGenerationPrompt?: boolean;
  /** Functions that the model may call, as JSON schemas. */
  readonly tools?: readonly unknown[];
  /** Further variables of the template: enable_thinking, reasoning_effort, documents, ...; any JSON. */
  readonly variables?: Readonly<Record<string, unknown>>;
  /** Milliseconds of the processor; 2000 unless given. It is stopped after 15 times as long by the clock, too. */
  readonly deadline?: number;
}

/** The template failed, asked for the impossible or was stopped; the message says which. */
export class ChatTemplateError extends CompileError {
  override name = 'ChatTemplateError';
}

const CHATML = [
  "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}",
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
].join('');
const TEMPLATE_KEY = 'tokenizer.chat_template';
const TOOL_KEY = `${TEMPLATE_KEY}.tool_use`;

const MAX_TEMPLATE = 1 << 20;
const MAX_INPUT = 1 << 24;
const MAX_OUTPUT = 1 << 25;
const DEADLINE = 2000;

export class ChatTemplate {
  /** For every use; undefined where the file has one for tools alone. */
  readonly #template: string | undefined;
  readonly #toolTemplate: string | undefined;
  readonly #process = new TemplateProcess();

  /**
   * Whatever the file says, as transformers chooses: where tools are given the template "tool_use", if there is one, else the
   * default. `format: 'chatml'` uses ChatML, `source` this template, `name` the one of this name in the file. Errors:
   * UnsupportedError for a file without a template that can be chosen.
   */
  constructor(
    private readonly file: TextSource,
    private readonly tokenizer: Tokenizer,
    { format, name, source = format && CHATML }: { format?: 'chatml'; name?: string; source?: string } = {},
  ) {
    const given = source ?? (name === undefined ? undefined : this.#named(name));
    this.#template = given ?? written(file, TEMPLATE_KEY);
    this.#toolTemplate = given ?? written(file, TOOL_KEY) ?? this.#template;
    if (this.#toolTemplate === undefined) {
      const hint = `it has no ${TEMPLATE_KEY}; complete plain text with it, or ask for the format "chatml" if it was trained on that`;
      throw new UnsupportedError(file.path, 'chat with this model', hint);
    }
  }

  /** Whether a file has a template that is chosen without a name. */
  static isIn(file: TextSource): boolean {
    return [TEMPLATE_KEY, TOOL_KEY].some((key) => written(file, key) !== undefined);
  }

  /** Whether its source has this text as a literal, as of a role that it asks for. */
  names(text: string): boolean {
    return this.sources.some((source) => ["'", '"'].some((quote) => source.includes(`${quote}${text}${quote}`)));
  }

  /** Of what it may be rendered from. */
  get sources(): readonly string[] {
    return [this.#template, this.#toolTemplate].filter((source) => source !== undefined);
  }

  #named(name: string): string {
    const template = written(this.file, name === 'default' ? TEMPLATE_KEY : `${TEMPLATE_KEY}.${name}`);
    if (template !== undefined) return template;
    const names = namesIn(this.file).map((known) => quote(known));
    const hint = names.length === 0 ? 'it has no templates' : `its templates are ${names.join(', ')}`;
    throw new UnsupportedError(this.file.path, `the chat template ${quote(name)}`, hint);
  }

  /** Starts the process that renders, so that the first rendering need not wait for it. */
  warm(): void {
    this.#process.warm();
  }

  /** Ends that process. Nothing else needs it to be called: it does not keep Node running. */
  close(): void {
    this.#process.close();
  }

  /** The prompt as text, to be read: do not encode it, control tokens in messages are like those of the template. */
  async render(messages: readonly ChatMessage[], options: ChatOptions = {}): Promise<string> {
    return SpecialTokens.unshield(await this.prepare(messages, options));
  }

  /** The prompt as token ids. Control tokens that messages, tools and variables spell out stay text. */
  async encode(messages: readonly ChatMessage[], options: ChatOptions = {}): Promise<number[]> {
    return this.tokenizer.encodePrompt(await this.prepare(messages, options));
  }

  /** The prompt as `Tokenizer.encodePrompt` takes it. */
  async prepare(messages: readonly ChatMessage[], options: ChatOptions): Promise<string> {
    const { addGenerationPrompt = true, tools, variables, deadline = DEADLINE } = options;
    const role = (name: 'bos' | 'eos' | 'unknown') => this.tokenizer.roleText(name) ?? '';
    const template = tools === undefined ? this.#template : this.#toolTemplate;
    if (template === undefined) this.#fail('expected tools: its only template for chats is "tool_use"');
    this.#checkSize('the template', template.length, MAX_TEMPLATE);
    // What is not given is none, as in transformers: templates ask "tools is not none".
    const given = { documents: null, ...variables, messages, tools: tools ?? null };
    const trusted = {
      bos_token: role('bos'),
      eos_token: role('eos'),
      unk_token: role('unknown'),
      add_generation_prompt: addGenerationPrompt,
    };
    const untrusted = this.#shielded(given);
    const joined = `${JSON.stringify(trusted).slice(0, -1)},${untrusted.slice(1)}`;
    const request = `{"template":${JSON.stringify(template)},"limit":${MAX_OUTPUT},"variables":${joined}}`;
    this.#checkSize('messages, tools, variables and template', request.length, MAX_INPUT);
    const outcome = await this.#process.render(request, deadline);
    if (outcome.text !== undefined) return outcome.text;
    return this.#fail(SpecialTokens.unshield(outcome.failed));
  }

  /** JSON with all of its texts shielded, those that name things included. */
  #shielded(given: object): string {
    try {
      return templateJson(given, (text) => this.tokenizer.shield(text));
    } catch (error) {
      if (error instanceof JinjaError) return this.#fail(error.message);
      throw error;
    }
  }

  #checkSize(what: string, size: number, limit: number): void {
    if (size > limit) this.#fail(`expected ${what} of at most ${limit} characters, found ${size}`);
  }

  #fail(problem: string): never {
    throw new ChatTemplateError(`${this.file.path}: chat template: ${problem}`);
  }
}

/** What templates a file has, "default" for the one without a name. */
function namesIn({ metadata }: TextSource): string[] {
  const keys = [...metadata].map(([key]) => key);
  return keys.flatMap((key) => {
    if (key === TEMPLATE_KEY) return ['default'];
    return key.startsWith(`${TEMPLATE_KEY}.`) ? [key.slice(TEMPLATE_KEY.length + 1)] : [];
  });
}

/** A text of the file's; one of nothing but white space is none. */
function written({ metadata }: TextSource, key: string): string | undefined {
  const text = metadata.getString(key);
  return text?.trim() ? text : undefined;
}
