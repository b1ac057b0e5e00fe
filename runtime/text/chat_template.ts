/**
 * The chat template of a GGUF file (tokenizer.chat_template): messages to the text that the model was trained on.
 * A template is a program from whoever made the file. It runs in a process of its own, which is ended at a deadline and
 * whose memory is limited: a thread would take this process along when its memory is spent.
 */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { CompileError, UnsupportedError } from '../../compiler/errors.js';
import { SpecialTokens } from './special_tokens.js';
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
  /** Further variables of the template: enable_thinking, documents, ... They are trusted. */
  readonly variables?: Readonly<Record<string, unknown>>;
  /** Milliseconds; 2000 unless given. */
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

const MAX_TEMPLATE = 1 << 20;
const MAX_INPUT = 1 << 24;
const MAX_OUTPUT = 1 << 25;
const HEAP_MEGABYTES = 256;
const DEADLINE = 2000;

export class ChatTemplate {
  readonly #template: string;
  readonly #toolTemplate: string;

  /**
   * `format: 'chatml'` uses ChatML whatever the file says. Errors: UnsupportedError for a file without a template.
   */
  constructor(
    private readonly file: TextSource,
    private readonly tokenizer: Tokenizer,
    { format }: { format?: 'chatml' } = {},
  ) {
    const template = format === 'chatml' ? CHATML : file.metadata.getString(TEMPLATE_KEY);
    if (template === undefined) {
      const hint = `it has no ${TEMPLATE_KEY}; complete plain text with it, or ask for the format "chatml" if it was trained on that`;
      throw new UnsupportedError(file.path, 'chat with this model', hint);
    }
    this.#template = template;
    const forTools = format === undefined ? file.metadata.getString(`${TEMPLATE_KEY}.tool_use`) : undefined;
    this.#toolTemplate = forTools ?? template;
  }

  /** The prompt as text, to be read: do not encode it, control tokens in messages are like those of the template. */
  async render(messages: readonly ChatMessage[], options: ChatOptions = {}): Promise<string> {
    return SpecialTokens.unshield(await this.#run(messages, options));
  }

  /** The prompt as token ids. Control tokens that messages and tools spell out stay text. */
  async encode(messages: readonly ChatMessage[], options: ChatOptions = {}): Promise<number[]> {
    return this.tokenizer.encodePrompt(await this.#run(messages, options));
  }

  async #run(messages: readonly ChatMessage[], options: ChatOptions): Promise<string> {
    const { addGenerationPrompt = true, tools, variables, deadline = DEADLINE } = options;
    const role = (name: 'bos' | 'eos' | 'unknown') => this.tokenizer.roleText(name) ?? '';
    const trusted = {
      bos_token: role('bos'),
      eos_token: role('eos'),
      unk_token: role('unknown'),
      add_generation_prompt: addGenerationPrompt,
      ...variables,
    };
    const untrusted = this.#shield(JSON.parse(JSON.stringify({ messages, tools })));
    const template = tools === undefined ? this.#template : this.#toolTemplate;
    this.#checkSize('the template', template.length, MAX_TEMPLATE);
    const input = JSON.stringify({ template, variables: { ...trusted, ...untrusted }, limit: MAX_OUTPUT });
    this.#checkSize('messages, tools and template', input.length, MAX_INPUT);
    const outcome = await runApart(input, deadline);
    if (outcome.text !== undefined) return outcome.text;
    return this.#fail(SpecialTokens.unshield(outcome.failed));
  }

  /** JSON with all of its texts shielded, those that name things included. */
  #shield<T>(value: T): T;
  #shield(value: unknown): unknown {
    if (typeof value === 'string') return this.tokenizer.shield(value);
    if (Array.isArray(value)) return value.map((item) => this.#shield(item));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [this.#shield(key), this.#shield(item)]));
  }

  #checkSize(what: string, size: number, limit: number): void {
    if (size > limit) this.#fail(`expected ${what} of at most ${limit} characters, found ${size}`);
  }

  #fail(problem: string): never {
    throw new ChatTemplateError(`${this.file.path}: chat template: ${problem}`);
  }
}

type Outcome = { readonly text: string } | { readonly text?: never; readonly failed: string };

const JINJA = createRequire(import.meta.url).resolve('@huggingface/jinja');

/** Its source is what the other process runs: it uses nothing from around it. */
function renderFromStdin(jinja: string): void {
  const { readFileSync } = require('node:fs') as typeof import('node:fs');
  const { Template } = require(jinja) as typeof import('@huggingface/jinja');
  const { template, variables, limit } = JSON.parse(readFileSync(0, 'utf8'));
  const attempt = (what: string, act: () => string): { text: string } | { failed: string } => {
    try {
      return { text: act() };
    } catch (error) {
      return { failed: `${what}: ${error instanceof Error ? error.message : error}` };
    }
  };
  let parsed: import('@huggingface/jinja').Template | undefined;
  let outcome = attempt('expected Jinja that can be parsed', () => {
    parsed = new Template(template);
    return '';
  });
  if (parsed) outcome = attempt('it ended with an error', () => parsed!.render(variables));
  if ('text' in outcome && outcome.text.length > limit)
    outcome = { failed: `expected at most ${limit} characters from it, found ${outcome.text.length}` };
  process.stdout.write(JSON.stringify(outcome));
}

function runApart(input: string, deadline: number): Promise<Outcome> {
  const flags = [`--max-old-space-size=${HEAP_MEGABYTES}`, '--disallow-code-generation-from-strings', '--no-warnings'];
  const script = `(${renderFromStdin})(${JSON.stringify(JINJA)})`;
  const { TZ } = process.env;
  const child = spawn(process.execPath, [...flags, '--input-type=commonjs', '--eval', script], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: TZ === undefined ? {} : { TZ },
  });
  return new Promise((resolve) => {
    const output: Buffer[] = [];
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, deadline);
    const settle = (outcome: Outcome) => {
      clearTimeout(timer);
      resolve(outcome);
    };
    child.stdin.on('error', () => {}); // it ended before it read all of its input; 'close' says how
    child.stdin.end(input);
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.on('error', (error) => settle({ failed: `expected to start ${process.execPath} for it: ${error.message}` }));
    child.on('close', (code, signal) => {
      if (late) return settle({ failed: `expected it to end within ${deadline} ms; it was stopped` });
      if (code === 0) return settle(JSON.parse(Buffer.concat(output).toString()));
      const memory = `expected it to need at most ${HEAP_MEGABYTES} MiB of memory`;
      settle({ failed: `${memory}, found that its process ended with ${signal ?? `status ${code}`}` });
    });
  });
}
