/** The artifact that a command is about: its options, and loading it with progress on a terminal. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { RealizarError } from '../addon/errors.js';
import { requireArtifact } from '../addon/no_artifact.js';
import type { LoadOptions } from '../llm/index.js';
import { findModel, openLanguageModel } from '../llm/load.js';
import type { LoadedModel } from '../llm/model.js';
import { Interrupted, RunError } from './exit.js';
import { StatusLine } from './status_line.js';
import { integer } from './values.js';

const MAX_INT32 = 2 ** 31 - 1;

/** What {@link addArtifactOptions} adds. */
export interface ArtifactFlags {
  readonly model?: string;
  readonly device?: number;
  /** Always there: false is --no-check-library. */
  readonly checkLibrary?: boolean;
  readonly key?: string;
}

/** What {@link addModelOptions} adds. */
export interface ModelFlags extends ArtifactFlags {
  readonly context?: number;
  readonly deterministic?: boolean;
}

/** The argument <dir>, its model file and its device. */
export function addArtifactOptions(command: Command): Command {
  return command
    .argument('<dir>', 'artifact folder that realizar-compile made')
    .option('-m, --model <file>', 'the GGUF file (default: where it was when it was compiled, or inside <dir>)')
    .option('--device <n>', 'GPU by number (default: 0, the first)', integer(0, MAX_INT32))
    .option('--key <file>', 'refuse an artifact that the owner of this public Ed25519 key (PEM) has not signed')
    .option('--no-check-library', "load the library without comparing it with the manifest's SHA-256");
}

/** And how much of its context is used, and how exactly. */
export function addModelOptions(command: Command): Command {
  return addArtifactOptions(command)
    .option(
      '-c, --context <n>',
      'positions to use (default: those compiled for)',
      integer(1, Number.MAX_SAFE_INTEGER), // the artifact knows how many
    )
    .option('--deterministic', 'the same bits for a text alone as beside others; alone it is slower');
}

/**
 * Loads a model with the flags of {@link addModelOptions}, and closes it when `use` has ended. Progress is drawn on stderr
 * where that is a terminal. Errors: RunError for what has no model file, Interrupted, those of loadModel.
 */
export async function withModel<T>(
  dir: string,
  { model: file, context, deterministic, device, checkLibrary, key }: ModelFlags,
  {
    onProgress,
    ...more
  }: Pick<LoadOptions, 'sequences' | 'kvMemory' | 'chatTemplate' | 'toolFormat' | 'signal' | 'onProgress'>,
  use: (model: LoadedModel) => Promise<T>,
): Promise<T> {
  const path = await modelFile(dir, file);
  const status = new StatusLine();
  const show: LoadOptions['onProgress'] = (progress) => {
    status.showLoading(progress);
    onProgress?.(progress);
  };
  let model: LoadedModel;
  try {
    const given = defined({ context, deterministic, device, checkLibrary, key });
    model = await openLanguageModel(dir, { ...given, ...more, model: path, onProgress: show });
  } catch (error) {
    // Nothing ends a load half way but the end of the process; a shell reports this as 130 too.
    if (error instanceof Interrupted) process.kill(process.pid, 'SIGINT');
    throw withFlags(error);
  } finally {
    status.clear();
  }
  try {
    return await use(model);
  } catch (error) {
    throw withFlags(error);
  } finally {
    await model.close();
  }
}

/** What the model's methods threw, options named as on the command line. */
export function withFlags(error: unknown): unknown {
  const isOption = error instanceof RealizarError && error.statusName === 'INVALID_ARGUMENT';
  const flag = (_: string, name: string) =>
    name === 'sequences' ? '--parallel' : `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  return isOption ? new RunError(error.message.replace(/^options\.(\w+)/, flag)) : error;
}

/** The model file of an artifact. Errors: BAD_ARTIFACT where there is no artifact, RunError that says what to name instead. */
export async function modelFile(dir: string, given: string | undefined): Promise<string> {
  requireArtifact(dir);
  try {
    return given ?? (await findModel(resolve(dir)));
  } catch (error) {
    if (!(error instanceof RealizarError) || error.statusName !== 'NO_MODEL_FILE') throw error;
    throw new RunError(error.message.replace('as options.model', 'with --model FILE'));
  }
}

/** The properties that are not undefined. */
export function defined<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
