/** The tiny model of these tests: its runtime and artifact built from source, with sanitizers, and what it computes. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { compileEach, SANITIZED, SANITIZERS } from '../support/cxx.js';

export const run = promisify(execFile);
export const here = import.meta.dirname;
export const runtime = join(here, '../../runtime');
/** Of this test file. */
export const dir = mkdtempSync(join(tmpdir(), 'realizar-runtime-'));

export const sources = (folder: string, pattern: RegExp): string[] =>
  readdirSync(folder)
    .filter((file) => pattern.test(file))
    .map((file) => join(folder, file));
export const tinyArtifact = join(here, 'tiny_artifact.cpp');

/** Compiles each source to an object file; returns those, in order. */
export function compile(files: string[], extra: string[] = []): Promise<string[]> {
  const object = (file: string) => join(dir, `${[...file.split('/'), ...extra].join('_').replaceAll('/', '_')}.o`);
  return compileEach('g++', [...SANITIZED, ...extra], files, object);
}
export const link = (output: string, objects: string[], extra: string[] = []) =>
  run('g++', [...SANITIZERS, ...objects, '-o', join(dir, output), '-pthread', '-ldl', ...extra]);

/** The runtime but for its driver, and the host's. */
export const runtimeSources = [runtime, join(runtime, 'engine')].flatMap((folder) => sources(folder, /\.cpp$/));
export const hostSources = sources(join(runtime, 'driver'), /^(host|sim).*\.cpp$/);
export const compileRuntime = () => compile(runtimeSources);
export const compileHost = () => compile(hostSources);
export const compileKernels = () => compile([join(here, 'tiny_kernels.cpp')]);

/** Builds DIR/<name>/libtiny.so and the replay program beside it. */
export async function buildArtifact(name: string, library: string[]): Promise<void> {
  await run('mkdir', ['-p', join(dir, name)]);
  await link(`${name}/libtiny.so`, library, ['-shared', '-Wl,--no-undefined']);
  const replay = await compile(sources(join(runtime, 'replay'), /\.cpp$/));
  await link(`${name}/replay`, replay, [`-L${join(dir, name)}`, '-ltiny', '-Wl,-rpath,$ORIGIN']);
}

export interface Result {
  code: number;
  stdout: string;
  stderr: string;
}
export async function start(program: string, ...args: string[]): Promise<Result> {
  try {
    return { code: 0, ...(await run(join(dir, program), args)) };
  } catch (error) {
    const { code, stdout, stderr } = error as Result;
    return { code, stdout, stderr };
  }
}

// The tiny model once more, from the formulas in tiny_model.h.
const [vocab, cols] = [10, 40];
const embedding = (token: number, col: number) => ((token * 7 + col * 3) % 5) - 2;
const output = (row: number, col: number) => ((row * 5 + col * 11 + row * col) % 7) - 3;
export const logitsAfter = (tokens: number[]) =>
  Array.from({ length: vocab }, (_, row) => {
    let sum = 0;
    for (const [q, token] of tokens.entries())
      for (let c = 0; c < cols; c++) sum += (q + 1) * embedding(token, c) * output(row, c);
    return sum;
  });
export const greedyAfter = (tokens: number[]) => logitsAfter(tokens).indexOf(Math.max(...logitsAfter(tokens)));

export function writeModel(path: string): void {
  const header = Buffer.alloc(64);
  header.write('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq');
  const matrix = (value: (row: number, col: number) => number) =>
    Float32Array.from({ length: vocab * cols }, (_, i) => value(Math.floor(i / cols), i % cols));
  const parts = [embedding, output].map((value) => Buffer.from(matrix(value).buffer));
  writeFileSync(path, Buffer.concat([header, ...parts]));
}
