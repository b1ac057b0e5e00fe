/** A machine without the CUDA toolkit, wherever this runs. */
import { readdirSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { compile, planModel } from '../../compiler/compile.js';
import { CompileError } from '../../runtime/common/errors.js';
import { emptyFolder } from '../support/folders.js';
import { readGolden } from '../support/goldens.js';
import { temporaryFolder } from '../support/tiny_models.js';

vi.mock('../../runtime/toolchain/programs.js', async (original) => ({
  ...(await original<typeof import('../../runtime/toolchain/programs.js')>()),
  findCuda: () => undefined,
}));

const { model } = readGolden('llama-q8_0');

test.each([undefined, 'cuda' as const])(
  'target %s: the message says what is missing and what to do',
  async (target) => {
    const parent = emptyFolder(temporaryFolder);
    const compiled = compile(model, { target, output: `${parent}/out` });
    await expect(compiled).rejects.toThrow(CompileError);
    await expect(compiled).rejects.toThrow(/nvcc not found .*\/usr\/local\/cuda.*--target host/);
    expect(readdirSync(parent)).toEqual([]);
  },
);

test('planning and emitting for a GPU need no toolkit', async () => {
  expect(planModel(model, { target: 'cuda' }).target.archs).toEqual(['sm_90a']);
  const output = `${emptyFolder(temporaryFolder)}/out`;
  await compile(model, { target: 'cuda', build: false, output });
  expect(readdirSync(output)).toContain('kernels.cu');
});
