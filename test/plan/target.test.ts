import { describe, expect, it } from 'vitest';
import { cudaTarget, hostTarget } from '../../compiler/target/target.js';
import { CompileError } from '../../runtime/common/errors.js';

describe('a GPU target', () => {
  it('has the multiprocessors of its first architecture and the least shared memory of all', () => {
    const h100 = cudaTarget(['sm_90a']);
    expect(h100).toMatchObject({ kind: 'cuda', archs: ['sm_90a'], multiprocessors: 132, sharedBytes: 227 * 1024 });
    const both = cudaTarget(['sm_90a', 'sm_89']);
    expect(both).toMatchObject({ multiprocessors: 132, sharedBytes: 99 * 1024 });
    expect(cudaTarget(['sm_89', 'sm_90a'])).toMatchObject({ multiprocessors: 128, sharedBytes: 99 * 1024 });
  });

  it.each(['', 'sm_12', 'SM_90', '90', 'compute_90', 'sm_90a ', '__proto__', 'toString', 'constructor'])(
    'does not know %j',
    (arch) => {
      expect(() => cudaTarget([arch])).toThrow(CompileError);
      expect(() => cudaTarget(['sm_90a', arch])).toThrow(
        `unknown GPU architecture ${JSON.stringify(arch)}; known are sm_80`,
      );
    },
  );

  it('needs an architecture, each once', () => {
    expect(() => cudaTarget([])).toThrow('no GPU architecture');
    expect(() => cudaTarget(['sm_80', 'sm_90', 'sm_80'])).toThrow('named twice: sm_80,sm_90,sm_80');
  });
});

it('the host target has no architecture', () => {
  expect(hostTarget()).toMatchObject({ kind: 'host', archs: [] });
});
