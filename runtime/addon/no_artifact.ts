/** Why a path is no artifact, and what makes one of what is there. */
import { closeSync, existsSync, openSync, readdirSync, readSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { failure } from './errors.js';

const EXPECTED =
  'expected an artifact, the folder that realizar-compile makes of a model (npx realizar-compile MODEL -o DIR)';
const GGUF = /\.gguf$/i;
const SAFETENSORS = /\.safetensors$/i;

/** Throws a BAD_ARTIFACT error unless `path` is a folder with a manifest.json. */
export function requireArtifact(path: string): void {
  const problem = whyNoArtifact(path);
  if (problem !== undefined) throw failure('BAD_ARTIFACT', `${path}: ${problem}`);
}

function whyNoArtifact(path: string): string | undefined {
  let found: Stats | undefined;
  try {
    found = statSync(path, { throwIfNoEntry: false });
    if (!found) return `there is no such folder; ${EXPECTED}`;
    if (!found.isDirectory()) return whyNoFolder(path, found);
    if (existsSync(join(path, 'manifest.json'))) return undefined;
    return `no artifact here, since it has no manifest.json; ${whatFolderHas(path)}`;
  } catch (error) {
    return `it cannot be read: ${(error as Error).message}; ${EXPECTED}`;
  }
}

function whyNoFolder(path: string, found: Stats): string {
  if (!found.isFile()) return `this is no folder; ${EXPECTED}`;
  if (GGUF.test(path) || startsLikeGguf(path)) return `this is a model, not an artifact; ${compileFirst(path)}`;
  return `this is a file; ${EXPECTED}`;
}

function whatFolderHas(path: string): string {
  const names = readdirSync(path).sort();
  if (names.includes('config.json') && names.some((name) => SAFETENSORS.test(name)))
    return `it is a model as transformers saves it; ${compileFirst(path)}`;
  const model = names.find((name) => GGUF.test(name));
  return model === undefined ? EXPECTED : `it has a model, ${model}; ${compileFirst(join(path, model))}`;
}

const compileFirst = (model: string) =>
  `compile it first, npx realizar-compile ${shellWord(model)}, and name the folder that this makes`;

const shellWord = (text: string) => (/^[\w./+:@%=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

function startsLikeGguf(path: string): boolean {
  const file = openSync(path, 'r');
  try {
    const start = Buffer.alloc(4);
    return readSync(file, start) === 4 && start.toString('latin1') === 'GGUF';
  } finally {
    closeSync(file);
  }
}
