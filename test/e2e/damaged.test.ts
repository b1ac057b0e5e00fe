/** Each file of an artifact, damaged in each way of a bad day: what reads it names it, and nothing hangs, crashes or shows its stack. */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { hostArtifact, ROOT } from '../support/artifacts.js';
import { emptyFolder } from '../support/folders.js';
import { inProcess, type Program } from '../support/in_process.js';
import { temporaryFolder } from '../support/tiny_models.js';

const MODEL = join(ROOT, 'examples/storyteller-q8_0.gguf');
const folder = emptyFolder(temporaryFolder);
let artifact: string;
beforeAll(async () => {
  artifact = await hostArtifact('damaged', MODEL);
});

const instead = (make: (path: string) => void) => (path: string) => {
  rmSync(path);
  make(path);
};
const DAMAGES: readonly [string, (path: string) => void][] = [
  ['missing', (path) => rmSync(path)],
  ['empty', (path) => truncateSync(path)],
  ['cut in half', (path) => truncateSync(path, Math.floor(readFileSync(path).length / 2))],
  [
    'another file of the artifact',
    (path) => cpSync(join(artifact, path.endsWith('.json') ? 'model.h' : 'plan.json'), path),
  ],
  ['JSON of another kind', (path) => writeFileSync(path, '[{"format": 1}]')],
  ['a folder', instead((path) => mkdirSync(path))],
  ['a FIFO', instead((path) => execFileSync('mkfifo', [path]))],
  ['a link to what never ends', instead((path) => symlinkSync('/dev/zero', path))],
  ['a link to itself', instead((path) => symlinkSync(basename(path), path))],
  ['a link to nothing', instead((path) => symlinkSync('nothing', path))],
];

interface Reader {
  readonly program: Program;
  readonly args: (copy: string) => string[];
  readonly reads: (name: string) => boolean;
  /** Of these it refuses every damage; of others some, or none. */
  readonly refuses: (name: string) => boolean;
}
const isLibrary = (name: string) => name.endsWith('.so');
const isIn = (names: readonly string[]) => (name: string) => names.includes(name) || isLibrary(name);
const READERS: Readonly<Record<string, Reader>> = {
  verify: {
    program: 'realizar-compile',
    args: (copy) => ['verify', copy],
    reads: () => true,
    refuses: (name) => name !== 'model-path.json',
  },
  inspect: {
    program: 'realizar-compile',
    args: (copy) => ['inspect', copy],
    reads: () => true,
    refuses: (name) => ['manifest.json', 'plan.json'].includes(name),
  },
  run: {
    program: 'realizar-run',
    args: (copy) => [copy, '-p', 'Once', '-n', '1'],
    reads: isIn(['manifest.json', 'model-path.json']),
    refuses: isIn(['manifest.json', 'model-path.json']),
  },
  'run with a model': {
    program: 'realizar-run',
    args: (copy) => [copy, '--model', MODEL, '-p', 'Once', '-n', '1'],
    reads: isIn(['manifest.json', 'model-path.json']),
    refuses: isIn(['manifest.json']),
  },
};

describe.each(Object.entries(READERS))('%s', (_, { program, args, reads, refuses }) => {
  test.each(DAMAGES)('%s', async (_, damage) => {
    for (const name of readdirSync(artifact).filter(reads)) {
      const copy = join(emptyFolder(folder), 'copy');
      cpSync(artifact, copy, { recursive: true });
      damage(join(copy, name));
      const { code, stderr } = await inProcess(program, args(copy), folder);
      const place = `${name}: ${stderr}`;
      if (code !== 0 || refuses(name)) {
        expect(code, place).toBe(1);
        expect(stderr, place).toContain(name);
        expect(stderr.length, place).toBeLessThan(2000);
      }
      expect(stderr, place).not.toMatch(/^ +at |Error:/m);
      rmSync(copy, { recursive: true });
    }
  });
});
