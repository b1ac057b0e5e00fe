/**
 * What reads foreign bytes, a function each: it throws where a reader does anything but read or refuse by name. corpus.test.ts
 * runs them. They use dist/, and are exported one by one for fuzzers that are guided by coverage.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CompileError } from '../../dist/compiler/errors.js';
import { inspectArtifact } from '../../dist/compiler/inspect_artifact.js';
import { inspectFile } from '../../dist/compiler/model/inspect.js';
import { verifyArtifact } from '../../dist/compiler/verify_artifact.js';
import { findLibrary } from '../../dist/runtime/addon/artifact.js';
import { RealizarError } from '../../dist/runtime/addon/errors.js';
import { createServer } from '../../dist/runtime/serve/server.js';
import { ChatTemplate } from '../../dist/runtime/text/chat_template.js';
import { textSource } from '../../dist/runtime/text/open.js';
import { Tokenizer } from '../../dist/runtime/text/tokenizer.js';

const LONGEST_MESSAGE = 2048;
const scratch = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'realizar-fuzz-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

/** A folder with these files, written over each time. */
function folder(name, files) {
  const path = join(scratch, name);
  mkdirSync(path, { recursive: true });
  for (const [file, content] of Object.entries(files)) writeFileSync(join(path, file), content);
  return path;
}

/** A refusal that a user can read is no finding. */
function judge(error) {
  const refused = error instanceof CompileError || error instanceof RealizarError;
  if (!refused) throw error;
  if (error.message.length > LONGEST_MESSAGE) throw new Error(`a message of ${error.message.length} characters`);
}

async function attempt(read) {
  try {
    return await read();
  } catch (error) {
    judge(error);
    return undefined;
  }
}

/** Tokens of a text of several kinds of characters, there and back. */
function readText(path) {
  const tokenizer = new Tokenizer(textSource(path));
  tokenizer.decode(tokenizer.encode('Hello wörld, 123\n\n  <|im_end|> 你好 🙂'));
}

const CONFIG = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: 64,
  intermediate_size: 64,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 2,
  vocab_size: 4,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
};
const TOKENIZER = {
  added_tokens: [{ id: 3, content: '<|im_end|>', special: true }],
  model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: [['a', 'b']] },
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
  decoder: { type: 'ByteLevel' },
};
/** A header without tensors. */
const NO_TENSORS = Buffer.from('\x02\0\0\0\0\0\0\0{}', 'latin1');

async function gguf(bytes) {
  const path = join(folder('gguf', { 'm.gguf': bytes }), 'm.gguf');
  await attempt(() => inspectFile(path));
  await attempt(() => readText(path));
}

async function safetensors(bytes) {
  const files = { 'config.json': JSON.stringify(CONFIG), 'model.safetensors': bytes };
  await attempt(() => inspectFile(folder('safetensors', files)));
}

async function config(bytes) {
  await attempt(() => inspectFile(folder('config', { 'config.json': bytes, 'model.safetensors': NO_TENSORS })));
}

async function tokenizer(bytes) {
  const files = { 'config.json': JSON.stringify(CONFIG), 'model.safetensors': NO_TENSORS, 'tokenizer.json': bytes };
  await attempt(() => readText(folder('tokenizer', files)));
}

let source;
async function template(bytes) {
  const [config, text] = [CONFIG, TOKENIZER].map((value) => JSON.stringify(value));
  source ??= textSource(
    folder('template', { 'config.json': config, 'tokenizer.json': text, 'model.safetensors': NO_TENSORS }),
  );
  const chat = new ChatTemplate(source, new Tokenizer(source), { source: bytes.toString('utf8') });
  const messages = [
    { role: 'user', content: 'Hello <|im_end|>' },
    { role: 'assistant', content: 'Yes.', tool_calls: [{ function: { name: 'add', arguments: { a: 1 } } }] },
  ];
  await attempt(() => chat.render(messages, { deadline: 1000, tools: [{ function: { name: 'add' } }] }));
  chat.close();
}

/** A model that answers with nothing. */
const SILENT = {
  activity: { running: 0, waiting: 0 },
  info: { name: 'silent', sessions: 1, context: 64, vocabSize: 256, canChat: true, parameters: 0, weightsBytes: 0 },
  encodeChat: async () => [1],
  tokenizeAsync: async () => [1],
  detokenize: () => 'a',
  generate: () => ({
    result: Promise.resolve({
      text: '',
      tokens: [],
      promptTokens: 1,
      cachedTokens: 0,
      completionTokens: 0,
      stopReason: 'eos',
      seed: 0,
      timings: { waiting: 0, prompt: 0, generation: 0 },
    }),
    async *[Symbol.asyncIterator]() {},
  }),
};

let server;
async function request(bytes) {
  server ??= await createServer(SILENT, { logFormat: 'none' });
  for (const url of ['/v1/chat/completions', '/v1/completions', '/tokenize', '/detokenize']) {
    const headers = { 'content-type': 'application/json', host: '127.0.0.1' };
    const answer = await server.app.inject({ method: 'POST', url, headers, payload: bytes });
    if (answer.statusCode >= 500) throw new Error(`${url} answers ${answer.statusCode}: ${answer.body}`);
    if (answer.statusCode >= 400 && answer.json().error.message.length > LONGEST_MESSAGE)
      throw new Error(`${url} answers at length: ${answer.body.length} bytes`);
  }
}

async function manifest(bytes) {
  const path = folder('manifest', { 'manifest.json': bytes, 'plan.json': '{}', 'lib.so': '' });
  await attempt(() => findLibrary(path, { checkLibrary: true }));
  await attempt(() => verifyArtifact(path));
  await attempt(() => inspectArtifact(path));
}

async function plan(bytes) {
  const path = folder('plan', { 'manifest.json': '{"library": "lib.so", "files": {}}', 'plan.json': bytes });
  await attempt(() => inspectArtifact(path));
}

export const TARGETS = { gguf, safetensors, config, tokenizer, template, request, manifest, plan };
export { config, gguf, manifest, plan, request, safetensors, template, tokenizer };
