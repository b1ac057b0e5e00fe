/**
 * A model that writes what a test says, by the tokens of a vocabulary of bytes and control tokens, through everything but an engine:
 * chat template, tokenizer, stop strings, and what becomes of tokens after them.
 */
import { afterEach } from 'vitest';
import type { Engine, EngineEvent, EngineRequest, Model } from '../../runtime/addon/index.js';
import type { RequestListener } from '../../runtime/addon/listeners.js';
import type { LanguageModelInfo } from '../../runtime/index.js';
import { Encoder } from '../../runtime/llm/encoder.js';
import { EngineHost } from '../../runtime/llm/engine_host.js';
import { Formats } from '../../runtime/llm/formats.js';
import { LoadedModel } from '../../runtime/llm/model.js';
import { ChatTemplate } from '../../runtime/text/chat_template.js';
import { Tokenizer } from '../../runtime/text/tokenizer.js';
import { bool, type Piece, sentencePiece } from '../text/vocabularies.js';

export interface WrittenModelOptions {
  readonly template: string;
  /** Control tokens, that are no text. */
  readonly control?: readonly string[];
  /** Tokens that are found in texts, and are text. */
  readonly visible?: readonly string[];
  readonly toolFormat?: string;
  /** Tokens at most. */
  readonly context?: number;
}

export interface WrittenModel {
  readonly model: LoadedModel;
  /** What it says next, one a request, in order. */
  readonly says: string[];
  /** The prompts that it was given, as texts. */
  readonly prompts: string[];
}

export async function writtenModel(options: WrittenModelOptions): Promise<WrittenModel> {
  const { template: source, control = [], visible = [], toolFormat, context = 1 << 20 } = options;
  const pieces: Piece[] = [
    ...control.map((text): Piece => [text, 0, 'control']),
    ...visible.map((text): Piece => [text, 0, 'user']),
    ['▁'],
  ];
  const file = sentencePiece(pieces, { 'tokenizer.ggml.add_space_prefix': bool(false) });
  const tokenizer = new Tokenizer(file);
  const template = new ChatTemplate(file, tokenizer, { source });
  const says: string[] = [];
  const prompts: string[] = [];
  const info = {
    ...{ name: 'written', context, compiledContext: context, vocabSize: tokenizer.vocabSize, sequences: 64 },
    ...{ endTokens: tokenizer.endIds, canChat: true, modelPath: 'written.gguf', parameters: 0, weightsBytes: 0 },
  } as LanguageModelInfo;

  const start = (request: EngineRequest, listener: RequestListener) => {
    const prompt = [...request.prompt];
    prompts.push(tokenizer.decode(prompt));
    const answer = says.shift() ?? '';
    const tokens = [...tokenizer.encode(answer, { addSpecial: false }), ...[...(request.stopTokens ?? [])].slice(0, 1)];
    const cancelled = new Set<number>();
    const sequences = request.sequences ?? 1;
    const tell = (index: number, event: EngineEvent) => void (cancelled.has(index) || listener.event(event));
    void (async () => {
      for (let index = 0; index < sequences; index++) tell(index, { kind: 'begun', index, cachedTokens: 0 });
      const count = Math.min(tokens.length, request.maxTokens ?? context);
      for (const token of tokens.slice(0, count)) {
        await new Promise((resolve) => setImmediate(resolve));
        for (let index = 0; index < sequences; index++)
          tell(index, { kind: 'token', index, token, logprob: -1, top: [] });
      }
      const reason = count < tokens.length ? 'length' : 'stop';
      for (let index = 0; index < sequences; index++) listener.event({ kind: 'end', index, reason });
    })();
    return {
      cancel: (index?: number) => {
        for (let i = 0; i < sequences; i++) if (index === undefined || index === i) cancelled.add(i);
      },
    };
  };
  const engine = { start, statistics: () => STATISTICS } as unknown as Engine;
  const model = new LoadedModel({
    ...{ info, tokenizer, template, toolFormat, encoder: new Encoder(tokenizer, file.path) },
    formats: new Formats(tokenizer, file.path),
    model: { close: async () => {} } as unknown as Model,
    engine: await EngineHost.open(async () => engine),
  });
  opened.push(model);
  return { model, says, prompts };
}

const opened: LoadedModel[] = [];
/** For a test file: such models are closed after each test. */
export function closeWrittenModels(): void {
  afterEach(async () => {
    for (const model of opened.splice(0)) await model.close();
  });
}

const STATISTICS = { running: 0, waiting: 0, kvBytes: 0, pages: 1, freePages: 1, windowPages: 0, freeWindowPages: 0 };
