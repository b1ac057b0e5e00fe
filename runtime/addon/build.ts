/**
 * Builds the addon of an installed package, at its first use: an installation runs no scripts, and a package may not be
 * writable. So the binary goes into the user's cache. Nothing is downloaded.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cacheFolder } from '../../compiler/runtime_cache.js';
import { missingBuildTools } from '../../compiler/toolchain.js';
import { failure } from './errors.js';

const BINARY = join('Release', 'realizar.node');
const SHOWN_LINES = 40;

/** Builds it from the package's sources to `binary`. Rejects with NOT_BUILT: a tool is missing or failed. */
export async function buildAddon(root: string, binary: string): Promise<void> {
  const missing = missingBuildTools();
  if (missing.length > 0)
    throw failure(
      'NOT_BUILT',
      `the Node addon has to be built first, and ${missing.join(' and ')} not found: install it, or copy ${binary} from a machine like this one`,
    );
  const scratch = mkdtempSync(join(tmpdir(), 'realizar-addon-build-'));
  try {
    await runCmake(join(root, 'runtime', 'addon'), scratch);
    place(join(scratch, BINARY), binary);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function runCmake(source: string, out: string): Promise<void> {
  const program = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js');
  const child = spawn(process.execPath, [program, 'build', '--directory', source, '--out', out], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  return new Promise((resolve, reject) => {
    const fail = (how: string) => {
      const lines = Buffer.concat(output).toString().trimEnd().split('\n').slice(-SHOWN_LINES);
      reject(failure('NOT_BUILT', `building the Node addon failed: cmake-js ${how}\n${lines.join('\n')}`));
    };
    child.on('error', (error) => fail(error.message));
    child.on('close', (code, signal) => {
      if (code === 0) resolve();
      else fail(signal ? `was ended by ${signal}` : `ended with exit code ${code}`);
    });
  });
}

/** As a whole, whoever else does the same at this time. */
function place(built: string, binary: string): void {
  mkdirSync(dirname(binary), { recursive: true, mode: 0o700 });
  const part = `${binary}.part-${process.pid}`;
  copyFileSync(built, part);
  renameSync(part, binary);
}

/** Where the user's cache has it, or would: named by what it is built from and for. */
export function cachedBinary(root: string): string {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\0`);
  const addon = join(root, 'runtime', 'addon');
  const sources = readdirSync(addon).filter((name) => /\.(cpp|h|txt)$/.test(name));
  for (const path of [...sources.sort().map((name) => join(addon, name)), join(root, 'runtime', 'realizar.h')])
    hash.update(readFileSync(path)).update('\0');
  return join(cacheFolder(), `addon-${hash.digest('hex').slice(0, 32)}`, BINARY);
}
