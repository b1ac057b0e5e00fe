/** The C ABI and replay's command line under libFuzzer, for a moment and the same seed; `make fuzz` has more time. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ROOT } from '../support/artifacts.js';

const folder = mkdtempSync(join(tmpdir(), 'realizar-runtime-fuzz-'));
/** Its libraries are packages of their own. */
const hasClang = (() => {
  const input = 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char *, unsigned long) { return 0; }';
  const link = ['-fsanitize=fuzzer,address,undefined', '-xc++', '-', '-o', join(folder, 'probe')];
  return spawnSync('clang++', link, { input }).status === 0;
})();
afterAll(() => rmSync(folder, { recursive: true }));

test.skipIf(!hasClang)(
  `calls in any order${hasClang ? '' : ': clang++ with libFuzzer is not here'}`,
  { timeout: 900_000 },
  () => {
    const { stdout, stderr, status } = spawnSync(join(ROOT, 'test/runtime/fuzz/run.sh'), [folder, '8', '1'], {
      encoding: 'utf8',
    });
    expect(status, `${stdout}${stderr}`).toBe(0);
    expect(stdout).toMatch(/^abi: inputs [1-9]\d*\narguments: inputs [1-9]\d*$/m);
  },
);
