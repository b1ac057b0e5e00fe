/** Which programs a build calls, and by which names. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cxxCommand, findCuda, findProgram, missingBuildTools } from '../../runtime/toolchain/programs.js';

const scratch = mkdtempSync(join(tmpdir(), 'realizar-programs-'));
afterAll(() => rmSync(scratch, { recursive: true }));
afterEach(() => void vi.unstubAllEnvs());

let bin: string;
beforeEach(() => {
  bin = join(mkdtempSync(join(scratch, 'test-')), 'bin');
  mkdirSync(bin);
  vi.stubEnv('PATH', bin);
  for (const name of ['CXX', 'CUDACXX', 'CUDA_HOME', 'CUDA_PATH']) vi.stubEnv(name, '');
});

function program(path: string, script = ''): string {
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

describe('a program', () => {
  it('behind a link keeps the name that it was found by', () => {
    program(join(bin, '../snap'));
    symlinkSync('../snap', join(bin, 'cmake'));
    expect(findProgram('cmake')).toBe(join(bin, 'cmake'));
  });

  it('is no folder, no file that cannot be run, no link to nothing', () => {
    mkdirSync(join(bin, 'folder'));
    writeFileSync(join(bin, 'text'), '');
    symlinkSync('nowhere', join(bin, 'link'));
    for (const name of ['folder', 'text', 'link', 'missing']) expect(findProgram(name)).toBeUndefined();
  });

  it('of a relative folder in PATH has an absolute path', () => {
    vi.stubEnv('PATH', `:relative:${bin}`);
    program(join(bin, 'ninja'));
    expect(findProgram('ninja')).toBe(join(bin, 'ninja'));
  });
});

describe('the C++ compiler', () => {
  it('is the first of its usual names', () => {
    expect(cxxCommand()).toBeUndefined();
    program(join(bin, 'g++'));
    expect(cxxCommand()).toEqual({ program: join(bin, 'g++'), arguments: [] });
    program(join(bin, 'c++'));
    expect(cxxCommand()).toEqual({ program: join(bin, 'c++'), arguments: [] });
  });

  it('is what CXX names: with arguments, with blanks in its path', () => {
    program(join(bin, 'ccache'));
    vi.stubEnv('CXX', 'ccache  g++ -m64');
    expect(cxxCommand()).toEqual({ program: join(bin, 'ccache'), arguments: ['g++', '-m64'] });
    const spaced = program(join(bin, 'my compiler'));
    vi.stubEnv('CXX', spaced);
    expect(cxxCommand()).toEqual({ program: spaced, arguments: [] });
    vi.stubEnv('CXX', `${spaced} -m64`);
    expect(cxxCommand()).toEqual({ program: spaced, arguments: ['-m64'] });
  });

  it('that CXX names and is not there is refused by name', () => {
    vi.stubEnv('CXX', 'no-such-compiler -m64');
    expect(() => missingBuildTools()).toThrow('CXX is "no-such-compiler -m64", and there is no such program');
  });
});

describe('nvcc', () => {
  const SAYS = 'echo "Cuda compilation tools, release 12.4, V12.4.1"';

  it('is what CUDACXX names, then that of CUDA_HOME', () => {
    vi.stubEnv('CUDA_HOME', join(bin, '..'));
    const nvcc = program(join(bin, 'nvcc'), SAYS);
    expect(findCuda()).toEqual({ nvcc, arguments: [], toolkit: '12.4' });
    const launcher = program(join(bin, 'ccache'), `[ "$1" = nvcc ] && ${SAYS}`);
    vi.stubEnv('CUDACXX', 'ccache nvcc');
    expect(findCuda()).toMatchObject({ nvcc: launcher, arguments: ['nvcc'], toolkit: '12.4' });
    vi.stubEnv('CUDACXX', '/nowhere/nvcc');
    expect(() => findCuda()).toThrow('CUDACXX is "/nowhere/nvcc", and there is no such program');
  });

  it('that does not answer is an error that names it', () => {
    vi.stubEnv('CUDACXX', program(join(bin, 'nvcc'), 'exit 1'));
    expect(() => findCuda()).toThrow(`${join(bin, 'nvcc')} does not say its version`);
    vi.stubEnv('CUDACXX', program(join(bin, 'nvcc'), 'echo hello'));
    expect(() => findCuda()).toThrow(`${join(bin, 'nvcc')} --version does not say its release`);
  });
});
