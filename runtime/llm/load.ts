/** From an artifact's folder to a model that writes. */
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { checkBoolean, checkInteger, checkPath, invalid } from '../addon/arguments.js';
import { compiledContext } from '../addon/artifact.js';
import { failure, RealizarError, STATUS } from '../addon/errors.js';
import { type EngineOptions, type Model, openModel } from '../addon/index.js';
import { requireArtifact } from '../addon/no_artifact.js';
import { readModelNote } from '../artifact_folder/model_note.js';
import { CompileError } from '../common/errors.js';
import { ChatTemplate } from '../text/chat_template.js';
import { modelSizes, textSource } from '../text/open.js';
import { Tokenizer } from '../text/tokenizer.js';
import { unlessAborted } from './abort.js';
import { TOOL_FORMAT_NAMES } from './answer/formats/registry.js';
import { Encoder } from './encoder.js';
import { EngineHost } from './engine_host.js';
import { Formats } from './formats.js';
import { LoadedModel } from './model.js';
import { checkOptions, checkSignal, LOAD_NAMES } from './options.js';
import type { LanguageModel, LanguageModelInfo, LoadOptions } from './types.js';

const MAX_SEQUENCES = 1024;

/**
 * Loads the model whose artifact `realizar-compile` wrote to a directory: vocabulary, weights, engine.
 * Rejects with a RealizarError: the artifact is missing or of another version, the GGUF file is missing or not the one that was
 * compiled, there is no driver or device, memory is short, the vocabulary is of a kind that is not supported.
 */
export async function loadModel(artifactDir: string | URL, options: LoadOptions = {}): Promise<LanguageModel> {
  return openLanguageModel(artifactDir, options);
}

/** The same, with what this package's own programs need beside it. */
export async function openLanguageModel(artifactDir: string | URL, options: LoadOptions): Promise<LoadedModel> {
  checkOptions(options, LOAD_NAMES);
  const artifactPath = resolve(checkPath('artifactDir', artifactDir));
  const signal = checkSignal(options.signal);
  signal?.throwIfAborted();
  const engine = checkEngineOptions(options);
  checkTemplate(options.chatTemplate);
  checkToolFormat(options.toolFormat);
  const givenModel = options.model === undefined ? undefined : checkPath('options.model', options.model);
  requireArtifact(artifactPath);
  const modelPath = givenModel ?? (await findModel(artifactPath));
  const onProgress = quietOnceAborted(options.onProgress, signal);
  if (options.context !== undefined) checkContext(options.context, compiledContext(artifactPath));
  const loading = load({ ...options, artifactPath, modelPath: resolve(modelPath), engine, ...onProgress });
  if (!signal) return loading;
  try {
    return await unlessAborted(loading, signal);
  } catch (error) {
    const close = (model: LoadedModel) => model.close();
    loading.then(close, () => {}); // where it was the signal: nobody else will
    throw error;
  }
}

interface Load extends LoadOptions {
  readonly artifactPath: string;
  readonly modelPath: string;
  readonly engine: EngineOptions;
}

async function load(options: Load): Promise<LoadedModel> {
  const { artifactPath, modelPath, device = 0, checkLibrary = true, key, onProgress } = options;
  const trust = { checkLibrary, ...(key && { key }) };
  const opening = openModel(artifactPath, { model: modelPath, device, ...trust, ...(onProgress && { onProgress }) });
  const [opened, text] = await Promise.allSettled([opening, readText(options)]);
  // A wrong file fails both; the runtime knows better what is wrong with it.
  if (opened.status === 'rejected') throw opened.reason;
  const model = opened.value;
  try {
    if (text.status === 'rejected') throw text.reason;
    const engine = await openEngine(model, options);
    const info = describe(model, text.value, engine, options);
    text.value.template?.warm();
    const { tokenizer, template } = text.value;
    const encoder = new Encoder(tokenizer, options.modelPath);
    const formats = new Formats(tokenizer, options.modelPath);
    const { toolFormat } = options;
    return new LoadedModel({ model, info, engine, tokenizer, encoder, formats, template, toolFormat });
  } catch (error) {
    await model.close();
    throw error;
  }
}

interface Text {
  /** Elements of all tensors. */
  readonly parameters: number;
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate | undefined;
}

async function readText({ modelPath, chatTemplate, onProgress }: Load): Promise<Text> {
  onProgress?.({ phase: 'text', done: 0, total: 1 });
  try {
    const file = textSource(modelPath);
    const { parameters, rows } = modelSizes(modelPath, file);
    const tokenizer = new Tokenizer(file, { rows });
    const canChat = chatTemplate !== undefined || ChatTemplate.isIn(file);
    const override = chatTemplate === 'chatml' ? { format: chatTemplate } : chatTemplate;
    const template = canChat ? new ChatTemplate(file, tokenizer, override) : undefined;
    onProgress?.({ phase: 'text', done: 1, total: 1 });
    return { parameters, tokenizer, template };
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    throw new RealizarError(STATUS.BAD_VOCABULARY, 'BAD_VOCABULARY', error.message, { cause: error });
  }
}

async function openEngine(model: Model, { engine, context, onProgress }: Load): Promise<EngineHost> {
  if (context !== undefined) checkContext(context, model.info.contextLength); // again: the library has the last word
  onProgress?.({ phase: 'engine', done: 0, total: 1 });
  const host = await EngineHost.open(() =>
    model.createEngine({ ...engine, ...(context !== undefined && { context }) }),
  );
  onProgress?.({ phase: 'engine', done: 1, total: 1 });
  return host;
}

function describe(
  { info, deviceName }: Model,
  { parameters, tokenizer, template }: Text,
  engine: EngineHost,
  { artifactPath, modelPath }: Load,
): LanguageModelInfo {
  const { sequences, context, kvBytes } = engine.statistics();
  return {
    name: info.name,
    architecture: info.architecture,
    context,
    compiledContext: info.contextLength,
    vocabSize: info.vocabSize,
    parameters,
    weightsBytes: info.weightsBytes,
    sequences,
    kvBytes,
    sessions: sequences,
    sessionBytes: info.kvCacheBytes + info.arenaBytes,
    device: deviceName,
    target: info.target,
    bosToken: tokenizer.bosId,
    endTokens: tokenizer.endIds,
    canChat: template !== undefined,
    modelPath,
    artifactPath,
    compilerVersion: info.compilerVersion,
  };
}

function checkEngineOptions({ sequences, sessions, kvMemory = 0, deterministic = false }: LoadOptions): EngineOptions {
  if (sequences !== undefined && sessions !== undefined)
    throw invalid('options.sessions', 'left out where options.sequences is given, whose old name it is', sessions);
  return {
    sequences:
      sessions === undefined
        ? checkInteger('options.sequences', sequences ?? 1, MAX_SEQUENCES)
        : checkInteger('options.sessions', sessions, MAX_SEQUENCES, 1),
    kvMemory: checkInteger('options.kvMemory', kvMemory, Number.MAX_SAFE_INTEGER),
    deterministic: checkBoolean('options.deterministic', deterministic),
  };
}

function checkTemplate(value: unknown): void {
  const isText = (key: 'source' | 'name') =>
    typeof value === 'object' && value !== null && Object.keys(value).join() === key && isFilled((value as never)[key]);
  if (value === undefined || value === 'chatml' || isText('source') || isText('name')) return;
  const expected = "'chatml', {source} with a Jinja template, {name} of one that the model has, or left out";
  throw invalid('options.chatTemplate', expected, value);
}

function checkToolFormat(value: unknown): void {
  if (value === undefined || TOOL_FORMAT_NAMES.includes(value as string)) return;
  throw invalid('options.toolFormat', `one of ${TOOL_FORMAT_NAMES.join(', ')}`, value);
}

const isFilled = (value: unknown) => typeof value === 'string' && value !== '';

function checkContext(context: unknown, compiled: number): void {
  if (typeof context !== 'number' || !Number.isInteger(context) || context < 1 || context > compiled)
    throw invalid('options.context', `an integer from 1 to ${compiled}, the positions compiled for`, context);
}

/** Reports nothing once the load is aborted: its promise has been rejected by then. */
function quietOnceAborted(onProgress: unknown, signal: AbortSignal | undefined): Pick<LoadOptions, 'onProgress'> {
  if (onProgress === undefined) return {};
  if (typeof onProgress !== 'function') throw invalid('options.onProgress', 'a function', onProgress);
  return { onProgress: (progress) => signal?.aborted || onProgress(progress) };
}

/** Where the artifact says that its model was, or beside the artifact's files. */
export async function findModel(artifactPath: string): Promise<string> {
  const record = join(artifactPath, 'model-path.json');
  const hint = 'name the GGUF file as options.model';
  let recorded: string;
  try {
    recorded = readModelNote(artifactPath);
  } catch (error) {
    throw failure('NO_MODEL_FILE', `${record} does not say where the model is: ${(error as Error).message}; ${hint}`);
  }
  const places = [recorded, join(artifactPath, basename(recorded))];
  const found = places.find((place) => existsSync(place));
  if (found === undefined) throw failure('NO_MODEL_FILE', `no model file, looked for ${places.join(' and ')}; ${hint}`);
  return found;
}
