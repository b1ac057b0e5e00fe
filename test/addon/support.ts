/** The addon's binary, mock libraries to open with it, and a place to run scripts that use the package. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterEach, beforeAll } from 'vitest';
import { type Model, openModel } from '../../runtime/addon/index.js';
import {
  MANIFEST_VERSION,
  type Manifest,
  manifestText,
  sealed,
  sha256,
} from '../../runtime/artifact_folder/manifest.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Builds the addon where it is stale. Test files run at the same time, so one of them builds and the others wait. */
export function buildAddon(): void {
  mkdirSync(join(root, 'build'), { recursive: true });
  const lock = join(root, 'build', '.addon.lock');
  execFileSync('flock', [lock, 'npm', 'run', '--silent', 'build:addon'], { cwd: root, stdio: 'pipe' });
}

export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'realizar-addon-'));
}

/** Compiles C source into DIR/lib<name>.so and writes the manifest that names it. */
export function buildArtifact(dir: string, { source = join(root, 'test/addon/mock.c'), flags = [] as string[] } = {}) {
  const args = ['-shared', '-fPIC', '-g', '-Wall', '-Werror', '-I', join(root, 'runtime'), ...flags];
  // Replaced, not overwritten: as the compiler does, since a process may have the old file mapped.
  const library = join(dir, 'libmock.so');
  execFileSync('cc', [...args, '-o', `${library}.new`, source], { stdio: 'pipe' });
  execFileSync('mv', [`${library}.new`, library]);
  writeFileSync(
    join(dir, 'manifest.json'),
    manifestText(mockManifest({ 'libmock.so': sha256(readFileSync(library)) })),
  );
  return dir;
}

/** The manifest of an artifact whose files have these hashes. */
export function mockManifest(files: Record<string, string>, library = 'libmock.so'): Manifest {
  const hash = sha256('');
  return sealed({
    format: 'realizar-artifact',
    version: MANIFEST_VERSION,
    compilerVersion: '0.0.0',
    name: 'mock',
    architecture: 'none',
    target: 'host',
    archs: [],
    sanitize: false,
    model: { fileBytes: 3, headerBytes: 1, headerSha256: hash },
    memory: { weightsBytes: 1, kvCacheBytes: 64, arenaBytes: 32 },
    contextLength: 32,
    nodeCount: 7,
    ...(library && { library }),
    inputsSha256: hash,
    files,
  });
}

/** A "model file" for the mock: its behaviour (mock.c), and what was called on it. */
export class Script {
  readonly path: string;
  readonly log: string;
  readonly #pipe: string;

  /** A line `hold CALL` needs no pipe: it is this script's, see release(). */
  constructor(...lines: string[]) {
    const dir = temporaryDirectory();
    this.path = join(dir, 'mock.gguf');
    this.log = join(dir, 'log');
    this.#pipe = join(dir, 'pipe');
    const held = lines.map((line) => (line.startsWith('hold ') ? `${line} ${this.#pipe}` : line));
    writeFileSync(this.path, [...held, `log ${this.log}`, ''].join('\n'));
    if (held.join() !== lines.join()) execFileSync('mkfifo', [this.#pipe]);
  }

  /** Lets so many held calls go on, now or when they come. */
  release(count: number): void {
    // Open for both, it never waits for a reader, and what nobody has read stays.
    this.#open ??= openSync(this.#pipe, 'r+');
    writeSync(this.#open, Buffer.alloc(count));
  }
  #open: number | undefined;

  /** Waits for a call that is made elsewhere. */
  async until(call: string, times = 1): Promise<void> {
    while (this.calls().filter((line) => line === call).length < times)
      await new Promise((done) => setTimeout(done, 5));
  }

  /** What was called so far, in order. */
  calls(): string[] {
    return existsSync(this.log) ? readFileSync(this.log, 'utf8').trimEnd().split('\n') : [];
  }
}

/** What the mock says after a prompt; `draw`: its engine's seed and index, with a temperature. */
export function following(prompt: readonly number[], count: number, draw = 0): number[] {
  const tokens = [...prompt];
  for (let i = 0; i < count; i++) tokens.push((5 * tokens.at(-1)! + tokens.length + draw) % 16);
  return tokens.slice(prompt.length);
}

/** For a test file: opens models of the mock library, which are closed after each test. */
export function mockModels(): (script?: Script) => Promise<Model> {
  let artifact: string;
  const opened: Model[] = [];
  beforeAll(() => {
    buildAddon();
    artifact = buildArtifact(temporaryDirectory());
  }, 300_000);
  afterEach(async () => {
    for (const model of opened.splice(0)) await model.close();
  });
  return async (script = new Script()) => {
    const model = await openModel(artifact, { model: script.path });
    opened.push(model);
    return model;
  };
}

/** Installs the package, compiled from today's sources, as a dependency of a project in `dir`. */
export async function installPackage(dir: string): Promise<void> {
  const home = join(dir, 'node_modules', 'realizar-compile');
  mkdirSync(home, { recursive: true });
  await cp(join(root, 'package.json'), join(home, 'package.json'));
  for (const folder of ['build', 'node_modules', 'templates']) symlinkSync(join(root, folder), join(home, folder));
  const config = ts.getParsedCommandLineOfConfigFile(
    join(root, 'tsconfig.build.json'),
    {},
    {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic: (problem) => {
        throw new Error(ts.flattenDiagnosticMessageText(problem.messageText, '\n'));
      },
    },
  )!;
  const entry = join(root, 'runtime/index.ts');
  const options = { ...config.options, outDir: join(home, 'dist'), rootDir: root };
  ts.createProgram([entry], options).emit();
}

/** Runs an ES module in `dir` with this Node. Resolves with what it printed; throws where it crashed. */
export function runNode(dir: string, source: string, flags: string[] = []): string {
  const path = join(dir, 'main.mjs');
  writeFileSync(path, source);
  return execFileSync(process.execPath, [...flags, path], { cwd: dir, encoding: 'utf8', timeout: 300_000 });
}
