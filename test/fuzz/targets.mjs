/**
 * What reads foreign bytes, a function each: it throws where a reader does anything but read or refuse by name. They use dist/.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createContext, Script } from 'node:vm';
import { inspectArtifact } from '../../dist/compiler/inspect_artifact.js';
import { renderArtifact } from '../../dist/compiler/inspect_artifact_text.js';
import { inspectFile } from '../../dist/compiler/model/inspect.js';
import { verifyArtifact } from '../../dist/compiler/verify_artifact.js';
import { findLibrary } from '../../dist/runtime/addon/artifact.js';
import { RealizarError } from '../../dist/runtime/addon/errors.js';
import { sealed, sha256 } from '../../dist/runtime/artifact_folder/manifest.js';
import { CompileError } from '../../dist/runtime/common/errors.js';
import { TOOL_FORMATS } from '../../dist/runtime/llm/answer/formats/registry.js';
import { AnswerReader } from '../../dist/runtime/llm/answer/reader.js';
import { Tools } from '../../dist/runtime/llm/answer/tools.js';
import { createServer } from '../../dist/runtime/serve/server.js';
import { JinjaError } from '../../dist/runtime/text/jinja/errors.js';
import { readJson } from '../../dist/runtime/text/jinja/json.js';
import { Template } from '../../dist/runtime/text/jinja/template.js';
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

const VARIABLES = readJson(
  JSON.stringify({
    messages: [
      { role: 'system', content: 'Be  brief.\n' },
      { role: 'user', content: [{ type: 'text', text: 'Hello <|im_end|>' }] },
      {
        role: 'assistant',
        content: 'Yes.',
        tool_calls: [{ function: { name: 'add', arguments: { a: 1, b: [0.5] } } }],
      },
      { role: 'tool', content: null, name: 'add' },
    ],
    tools: [{ type: 'function', function: { name: 'add', parameters: { properties: { a: { type: 'number' } } } } }],
    add_generation_prompt: true,
    bos_token: '<s>',
    eos_token: '</s>',
  }),
);
/** As long as templates may take: their process has a deadline, and here the engine runs without one. */
const DEADLINE = 500;
const context = createContext({ act: undefined });
const act = new Script('act()');

async function template(bytes) {
  context.act = () => new Template(bytes.toString('utf8')).render(VARIABLES, 100_000);
  try {
    act.runInContext(context, { timeout: DEADLINE });
  } catch (error) {
    if (error?.code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT' && !(error instanceof JinjaError)) throw error;
  }
}

/** A model that answers with nothing. */
const SILENT = {
  activity: { running: 0, waiting: 0 },
  info: { name: 'silent', sequences: 1, context: 64, vocabSize: 256, canChat: true, parameters: 0, weightsBytes: 0 },
  prepareChat: async () => ({ tokens: [1] }),
  tokenizeAsync: async () => [1],
  detokenize: () => 'a',
  generateMany: (_prompt, _options, count) => Array.from({ length: count }, nothing),
};
const nothing = () => ({
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
});

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

const TOOLS = new Tools([
  { function: { name: 'add', parameters: { properties: { a: { type: 'integer' }, text: { type: 'string' } } } } },
]);
const DELIMITERS = { open: '<think>', close: '</think>', isOpen: false, alsoEnds: ['<tool_call>'] };

/** What a model wrote, read whole and a character at a time. */
async function answer(bytes) {
  const text = bytes.toString('utf8');
  for (const format of [undefined, ...TOOL_FORMATS]) {
    const reading = { format, tools: TOOLS, reasoning: DELIMITERS, reasoningIsText: false, single: false };
    const [whole, cut] = [[text], [...text]].map((pieces) => {
      const reader = new AnswerReader(reading);
      const deltas = [...pieces.map((piece) => reader.push(piece)), reader.end()];
      const calls = reader.calls.map((call) => call.function);
      return JSON.stringify([
        deltas.map((delta) => delta.text).join(''),
        deltas.map((delta) => delta.reasoning).join(''),
        calls,
      ]);
    });
    if (whole !== cut)
      throw new Error(`${format?.name}: ${whole.slice(0, 200)} is ${cut.slice(0, 200)} where it is cut`);
  }
}

/** Of an artifact; each is the whole of the other's reader, so both are right but for what was changed. */
const stored = (name) => readFileSync(new URL(`corpus/${name}/llama`, import.meta.url));
const PLAN = stored('plan');
const MANIFEST = { ...JSON.parse(stored('manifest').toString()), library: 'lib.so' };

/** A manifest with the hashes that it should have, so that readers go on to what it says; the bytes where they are none. */
function sealedManifest(bytes, plan) {
  try {
    const { manifestSha256: _, ...rest } = JSON.parse(bytes.toString());
    const files = rest.files && { ...rest.files, 'plan.json': sha256(plan), 'lib.so': sha256('') };
    return JSON.stringify(sealed({ ...rest, files }));
  } catch {
    return bytes;
  }
}

async function readArtifact(path) {
  await attempt(() => findLibrary(path, { checkLibrary: true }));
  await attempt(() => verifyArtifact(path));
  await attempt(() => renderArtifact(inspectArtifact(path)));
}

async function manifest(bytes) {
  for (const text of [bytes, sealedManifest(bytes, PLAN)])
    await readArtifact(folder('manifest', { 'manifest.json': text, 'plan.json': PLAN, 'lib.so': '' }));
}

async function plan(bytes) {
  const text = sealedManifest(Buffer.from(JSON.stringify(MANIFEST)), bytes);
  await readArtifact(folder('plan', { 'manifest.json': text, 'plan.json': bytes, 'lib.so': '' }));
}

export const TARGETS = { gguf, safetensors, config, tokenizer, template, request, answer, manifest, plan };
