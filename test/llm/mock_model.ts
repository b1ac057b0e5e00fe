/** A language model whose tokens are known: the storyteller's vocabulary on a library that has no model (test/addon/mock_engine.h). */
import { afterEach } from 'vitest';
import type { EngineOptions } from '../../runtime/addon/index.js';
import { readGguf } from '../../runtime/files/gguf.js';
import type { LanguageModelInfo } from '../../runtime/index.js';
import { Encoder } from '../../runtime/llm/encoder.js';
import { EngineHost } from '../../runtime/llm/engine_host.js';
import { Formats } from '../../runtime/llm/formats.js';
import { LoadedModel } from '../../runtime/llm/model.js';
import { Tokenizer } from '../../runtime/text/tokenizer.js';
import { mockModels, Script } from '../addon/support.js';
import { STORYTELLER } from './support.js';

/** For a test file: opens such models, which are closed after each test. */
export function mockLanguageModels(): (script?: Script, options?: EngineOptions) => Promise<LoadedModel> {
  const openMock = mockModels();
  const opened: LoadedModel[] = [];
  afterEach(async () => {
    for (const model of opened.splice(0)) await model.close();
  });
  return async (script = new Script(), options = {}) => {
    const model = await openMock(script);
    const tokenizer = new Tokenizer(readGguf(STORYTELLER));
    const { vocabSize, contextLength: context } = model.info;
    const info = { vocabSize, context, compiledContext: context, endTokens: tokenizer.endIds } as LanguageModelInfo;
    const encoder = new Encoder(tokenizer, STORYTELLER);
    const formats = new Formats(tokenizer, STORYTELLER);
    const engine = await EngineHost.open(() => model.createEngine(options));
    const loaded = new LoadedModel({ model, info, engine, tokenizer, encoder, formats, template: undefined });
    opened.push(loaded);
    return loaded;
  };
}
