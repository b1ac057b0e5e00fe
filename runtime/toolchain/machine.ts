/** Processors that libraries are built for: CXX may name a compiler for another machine than this one. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { cxxCommand } from './programs.js';

const OF_NODE: Readonly<Record<string, string>> = { x64: 'x86-64', arm64: 'aarch64' };
/** e_machine of ELF. */
const OF_ELF: Readonly<Record<number, string>> = { 62: 'x86-64', 183: 'aarch64' };
const OF_COMPILERS: Readonly<Record<string, string>> = { x86_64: 'x86-64', aarch64: 'aarch64' };

/** The one that this program runs on. */
export const THIS_MACHINE = OF_NODE[process.arch] ?? process.arch;

/** Which one a library is for, by its ELF header. Undefined: it is none, or cannot be read. */
export function machineOf(library: string): string | undefined {
  const header = Buffer.alloc(20);
  try {
    const file = openSync(library, constants.O_RDONLY | constants.O_NONBLOCK); // a FIFO has nobody to wait for
    try {
      if (readSync(file, header, 0, header.length, 0) < header.length) return undefined;
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined;
  }
  if (header.toString('latin1', 0, 4) !== '\x7fELF') return undefined;
  const isBigEndian = header[5] === 2;
  const machine = isBigEndian ? header.readUInt16BE(18) : header.readUInt16LE(18);
  return isBigEndian ? `big-endian machine ${machine}` : (OF_ELF[machine] ?? `machine ${machine}`);
}

/** Which one the C++ compiler makes code for. Undefined where it does not say, or none that is known. */
export function machineOfCompiler(): string | undefined {
  const command = cxxCommand();
  if (command === undefined) return undefined;
  try {
    const args = [...command.arguments, '-dumpmachine'];
    const triple = execFileSync(command.program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return OF_COMPILERS[triple.split('-')[0]!];
  } catch {
    return undefined;
  }
}
