/** What published chat templates make of calls: told by giving them one, not by the model's name. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { afterAll, describe, expect, test } from 'vitest';
import { type CallStyle, callStyle } from '../../runtime/llm/answer/probe.js';
import { delimitersIn } from '../../runtime/llm/answer/reasoning.js';
import { ChatTemplate } from '../../runtime/text/chat_template.js';
import { Tokenizer } from '../../runtime/text/tokenizer.js';
import { ROOT } from '../support/artifacts.js';
import { sentencePiece } from '../text/vocabularies.js';

/** Templates of GGUF files on the hub, by the names that they have in another library, which @huggingface/ollama-utils lists. */
function publishedTemplates(): Map<string, string> {
  const main = createRequire(import.meta.url).resolve('@huggingface/ollama-utils');
  const path = join(dirname(main), '../src/chat-template-automap.ts');
  const module = { exports: {} as { OLLAMA_CHAT_TEMPLATE_MAPPING?: { model: string; gguf: string }[] } };
  const options = { compilerOptions: { module: ts.ModuleKind.CommonJS } };
  new Function('exports', 'module', ts.transpileModule(readFileSync(path, 'utf8'), options).outputText)(
    module.exports,
    module,
  );
  return new Map(
    module.exports.OLLAMA_CHAT_TEMPLATE_MAPPING!.map(({ model, gguf }) => [model.replace('library/', ''), gguf]),
  );
}

const published = publishedTemplates();
const families: Readonly<Record<string, { readonly template: string }>> = JSON.parse(
  readFileSync(join(ROOT, 'test/fixtures/jinja/templates.json'), 'utf8'),
).families;

const file = sentencePiece([['▁']], {});
const tokenizer = new Tokenizer(file);
const opened: ChatTemplate[] = [];
afterAll(() => {
  for (const template of opened) template.close();
});

function open(source: string): ChatTemplate {
  const template = new ChatTemplate(file, tokenizer, { source });
  opened.push(template);
  return template;
}

const describeStyle = ({ format, argumentsAs, emptyContents, shortIds, single }: CallStyle) =>
  [
    format?.name ?? 'unknown',
    argumentsAs ?? 'neither',
    ...[...emptyContents].map((content) => JSON.stringify(content)),
    ...(shortIds ? ['short ids'] : []),
    ...(single ? ['single'] : []),
  ].join(' ');

describe('published templates', () => {
  test.each([
    ['qwen2.5:0.5b', 'hermes object null ""'],
    ['qwen2.5-coder:1.5b', 'hermes object null ""'],
    ['qwen3:0.6b', 'hermes object ""'],
    ['qwen3-next:80b', 'hermes object null ""'],
    ['qwq:32b', 'hermes object ""'],
    ['granite4:latest', 'hermes object null ""'],
    ['cogito:14b', 'hermes object null ""'],
    ['qwen3-coder:30b', 'function-parameters object null ""'],
    ['llama3.1:8b', 'llama object null "" single'],
    ['llama3.2:3b', 'llama object null "" single'],
    ['nemotron:70b', 'llama object null "" single'],
    // Calls are shown in formats that are not known.
    ['deepseek-v3:671b', 'unknown text null'],
    ['deepseek-r1:latest', 'unknown text ""'],
    // Calls are not shown.
    ['glm4:9b', /^unknown neither/],
    ['phi4-mini:3.8b', /^unknown neither/],
    ['gemma3:1b', /^unknown neither/],
    ['llama2:7b', /^unknown neither/],
  ])('%s: %s', async (name, expected) => {
    const style = describeStyle(await callStyle(open(published.get(name)!)));
    if (typeof expected === 'string') expect(style).toBe(expected);
    else expect(style).toMatch(expected);
  });

  test.each([
    ['qwen3:0.6b', '<think>'],
    ['deepseek-r1:8b', '<think>'],
    ['qwen2.5:0.5b', undefined],
    ['llama3.1:8b', undefined],
  ])('%s thinks between %s', (name, delimiter) => {
    expect(delimitersIn(open(published.get(name)!).sources)?.open).toBe(delimiter);
  });
});

describe('templates in the style of others', () => {
  test.each([
    ['mistral-v3', 'mistral object null "" short ids'],
    ['glm-4.5', 'glm object ""'],
    ['harmony', 'harmony object null "" single'],
    ['hermes-2-pro', 'hermes object null ""'],
    ['kimi-k2', 'unknown object null "" single'],
    ['deepseek-v3', 'unknown text null single'],
  ])('%s: %s', async (name, expected) => {
    expect(describeStyle(await callStyle(open(families[name]!.template)))).toBe(expected);
  });
});
