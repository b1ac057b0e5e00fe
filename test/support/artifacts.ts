/** Artifacts compiled for tests, and what their replay program answers. */
import { type ExecFileException, execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CompileOptions, compile } from '../../compiler/compile.js';
import { readF32 } from './nmse.js';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const CLI = join(ROOT, 'dist/compiler/cli.js');
export const ARTIFACTS = join(ROOT, 'build/test/artifacts');

/**
 * Compiles for the host target into build/test/artifacts/<name>, where an artifact that is up to date is kept. Test files
 * run side by side, so a name belongs to one of them.
 */
export async function hostArtifact(name: string, model: string, options: CompileOptions = {}): Promise<string> {
  const { folder } = await compile(model, { target: 'host', ...options, output: join(ARTIFACTS, name) });
  return folder;
}

export interface Exit {
  /** Exit code, or the signal that ended it. */
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a program to its end, whatever that is. */
export function runProgram(program: string, args: readonly string[], options: RunOptions = {}): Promise<Exit> {
  const settings = { ...options, timeout: 240_000, maxBuffer: 1 << 28 };
  return new Promise((resolve) => {
    execFile(program, args, settings, (error: ExecFileException | null, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.signal ?? error.code ?? -1), stdout, stderr });
    });
  });
}

/** realizar-compile as a user runs it; `make test` brings dist/ up to date. */
export const cli = (args: readonly string[], options: RunOptions = {}): Promise<Exit> =>
  runProgram(process.execPath, [CLI, ...args], options);

export const replay = (folder: string, ...args: string[]): Promise<Exit> => runProgram(join(folder, 'replay'), args);

/** Decodes tokens from position 0: logits [tokens.length, vocabSize]. Throws what replay printed if it failed or complained. */
export async function replayLogits(
  folder: string,
  model: string,
  tokens: readonly number[],
  ...args: string[]
): Promise<Float32Array> {
  const scratch = mkdtempSync(join(tmpdir(), 'realizar-logits-'));
  try {
    const file = join(scratch, 'logits.f32');
    const exit = await replay(folder, '--model', model, '--tokens', tokens.join(), '--logits', file, ...args);
    if (exit.code !== 0 || exit.stderr !== '')
      throw new Error(`replay ${args.join(' ')}: ${exit.code}\n${exit.stderr}`);
    return readF32(file);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Where two lists of logits first differ in a bit; undefined where they do not. */
export function firstDifference(a: Float32Array, b: Float32Array): string | undefined {
  if (a.length !== b.length) return `${a.length} and ${b.length} values`;
  const [bitsOfA, bitsOfB] = [new Uint32Array(a.buffer), new Uint32Array(b.buffer)];
  const at = bitsOfA.findIndex((bits, i) => bits !== bitsOfB[i]);
  return at < 0 ? undefined : `value ${at}: ${a[at]} and ${b[at]}`;
}

/** The index of the largest of each row; of equals the first. */
export function greedyTokens(logits: ArrayLike<number>, vocabSize: number): number[] {
  return Array.from({ length: logits.length / vocabSize }, (_, t) => {
    let best = 0;
    for (let i = 1; i < vocabSize; i++) if (logits[t * vocabSize + i]! > logits[t * vocabSize + best]!) best = i;
    return best;
  });
}

/** Every file of a folder with its bytes, to compare folders with. */
export function folderContent(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return new Map(names.sort().map((name) => [name.slice(folder.length + 1), readFileSync(name).toString('base64')]));
}
