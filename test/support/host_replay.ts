/**
 * Models compiled for the host target where only their replay program is run: the sources that are emitted, compiled to be compiled
 * soon, with the kernels' headers parsed and the runtime compiled once for all. artifacts.ts has them as they ship.
 */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CompileOptions, compile } from '../../compiler/compile.js';
import { RUNTIME_DIR, runtimeSources } from '../../runtime/common/package.js';
import { findProgram } from '../../runtime/toolchain/programs.js';
import { ARTIFACTS, ROOT, runProgram } from './artifacts.js';
import { compileEach, PLAIN, SANITIZED } from './cxx.js';

const flagsOf = (sanitize: boolean): readonly string[] => (sanitize ? SANITIZED : PLAIN);
/** Not the runtime's level: as much as a few tokens of a small model are worth. */
const kernelFlags = (sanitize: boolean): string[] => [
  ...flagsOf(sanitize),
  ...['-Og', '-Wno-error', '-Winvalid-pch', '-Werror=invalid-pch', `-I${RUNTIME_DIR}`],
];
const SOURCES = ['kernels.cu', 'graph.cpp', 'model.h'];
/** Where it is, it links in half the time. */
const LINKER = findProgram('ld.gold') ? ['-fuse-ld=gold'] : [];

function sha256(parts: readonly (string | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex').slice(0, 16);
}

async function cxx(...args: string[]): Promise<void> {
  const { code, stderr } = await runProgram('g++', args);
  if (code !== 0) throw new Error(`g++ ${args.join(' ')}\n${stderr}`);
}

/** What graphs are lists of: the kit has the code of these lists, and no model compiles it again. */
const LISTS = ['Node', 'Tensor', 'Kernel', 'Program', 'Edge'].map(
  (name) => `template class std::vector<realizar::${name}>;`,
);

/** What no model changes: the runtime as objects, and below the same folder headers that are compiled. */
interface Kit {
  readonly key: string;
  readonly folder: string;
  readonly objects: readonly string[];
}

const kits = new Map<boolean, Promise<Kit>>();
const kitFor = (sanitize: boolean): Promise<Kit> => {
  const kit = kits.get(sanitize) ?? makeKit(sanitize);
  kits.set(sanitize, kit);
  return kit;
};

async function makeKit(sanitize: boolean): Promise<Kit> {
  const names = runtimeSources();
  const { stdout: version } = await runProgram('g++', ['--version']);
  const contents = names.map((name) => readFileSync(join(RUNTIME_DIR, name)));
  const key = sha256([version, ...kernelFlags(sanitize), ...LISTS, ...names, ...contents]);
  const folder = join(ROOT, 'build/test/kits', key);
  await once(folder, async (part) => {
    const sources = names.filter((name) =>
      /^([^/]+|engine\/[^/]+|replay\/[^/]+|driver\/(host|sim)[^/]*)\.cpp$/.test(name),
    );
    const paths = sources.map((name) => join(RUNTIME_DIR, name));
    const objectOf = (path: string) => join(part, `${path.slice(RUNTIME_DIR.length + 1).replaceAll('/', '_')}.o`);
    const lists = join(part, 'lists.cpp');
    writeFileSync(lists, [`#include "${RUNTIME_DIR}/artifact.h"`, ...LISTS, ''].join('\n'));
    await compileEach('g++', flagsOf(sanitize), [...paths, lists], (path) =>
      path === lists ? `${lists}.o` : objectOf(path),
    );
  });
  const objects = readdirSync(folder).filter((name) => name.endsWith('.o'));
  return { key, folder, objects: objects.map((name) => join(folder, name)) };
}

/** Makes a folder as a whole. Another test file may make it at the same time; whichever is first stays. */
async function once(folder: string, make: (part: string) => Promise<void>): Promise<void> {
  if (existsSync(folder)) return;
  const part = `${folder}.${randomUUID()}`;
  mkdirSync(part, { recursive: true });
  try {
    await make(part);
    if (!existsSync(folder)) renameSync(part, folder);
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
}

/** The headers that a model's sources include, compiled: a file to include before them. */
async function precompiled(source: string, { folder }: Kit, flags: readonly string[]): Promise<string> {
  const lines = readFileSync(source, 'utf8').split('\n');
  const includes = [...lines.filter((line) => line.startsWith('#include')), '#include "artifact.h"'];
  const text = `${[...includes, ...LISTS.map((list) => `extern ${list}`)].join('\n')}\n`;
  const of = join(folder, sha256([text]));
  await once(of, async (part) => {
    writeFileSync(join(part, 'headers.h'), text);
    await cxx(...flags, '-x', 'c++-header', join(part, 'headers.h'), '-o', join(part, 'headers.h.gch'));
  });
  return join(of, 'headers.h');
}

export interface HostReplayOptions extends Omit<CompileOptions, 'target' | 'build' | 'output'> {
  readonly sanitize?: boolean;
}

/**
 * Emits the model into build/test/artifacts/<name> and compiles its replay program there, unless it is up to date. Returns that
 * folder, for replay() and replayLogits(). Test files run side by side, so a name belongs to one of them.
 */
export async function hostReplay(name: string, model: string, options: HostReplayOptions = {}): Promise<string> {
  const { sanitize = false, ...rest } = options;
  const output = join(ARTIFACTS, name);
  const { folder } = await compile(model, { ...rest, target: 'host', build: false, output });
  const kit = await kitFor(sanitize);
  const key = sha256([kit.key, ...SOURCES.map((file) => readFileSync(join(folder, file)))]);
  const stamp = join(folder, 'replay.key');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return folder;
  rmSync(stamp, { force: true });
  const flags = kernelFlags(sanitize);
  const headers = await precompiled(join(folder, 'kernels.cu'), kit, flags);
  await compileReplay(folder, kit, [...flags, '-include', headers]);
  writeFileSync(stamp, key);
  return folder;
}

/** The same of emitted sources in a folder, with other kernels than the repository's: `runtime` is a copy of that folder. */
export async function hostReplayWith(runtime: string, folder: string): Promise<void> {
  await compileReplay(folder, await kitFor(false), [`-I${runtime}`, ...kernelFlags(false)]);
}

/** Kernels and graph as one source, so that what both include is read once. */
function compileReplay(folder: string, { objects }: Kit, flags: readonly string[]): Promise<void> {
  const source = join(folder, 'replay.cpp');
  writeFileSync(source, '#include "kernels.cu"\n#include "graph.cpp"\n');
  return cxx(...flags, ...LINKER, source, ...objects, '-o', join(folder, 'replay'));
}

/**
 * The same with a program of a test in replay's place, which sees the runtime's insides. Returns the program. It computes far more
 * than a few tokens, so its kernels are compiled as the runtime is.
 */
export async function hostProgram(
  name: string,
  model: string,
  source: string,
  options: HostReplayOptions = {},
): Promise<string> {
  const { sanitize = false, ...rest } = options;
  const output = join(ARTIFACTS, name);
  const { folder } = await compile(model, { ...rest, target: 'host', build: false, output });
  const { objects, key: kitKey } = await kitFor(sanitize);
  const program = join(folder, 'program');
  const flags = [...kernelFlags(sanitize), ...(sanitize ? [] : ['-O2'])];
  const key = sha256([
    kitKey,
    ...flags,
    readFileSync(source),
    ...SOURCES.map((file) => readFileSync(join(folder, file))),
  ]);
  const stamp = join(folder, 'program.key');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return program;
  const sources = ['-x', 'c++', join(folder, 'kernels.cu'), join(folder, 'graph.cpp'), source, '-x', 'none'];
  const runtime = objects.filter((object) => !/\/replay_[^/]*$/.test(object));
  await cxx(...flags, ...sources, ...runtime, '-o', program);
  writeFileSync(stamp, key);
  return program;
}
