import { spawnSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Many tests compile the same C++ in folders of their own. Where ccache is installed, each file is compiled once. */
const ccache = (): Record<string, string> =>
  spawnSync('ccache', ['--version']).status === 0
    ? {
        CMAKE_C_COMPILER_LAUNCHER: 'ccache',
        CMAKE_CXX_COMPILER_LAUNCHER: 'ccache',
        CCACHE_DIR: fileURLToPath(new URL('build/test/ccache', import.meta.url)),
        // Builds are in folders here; what they compile is the same wherever the folder is.
        CCACHE_BASEDIR: realpathSync(tmpdir()),
      }
    : {};

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    env: ccache(),
    // Tests compile and run C++; sanitized builds of the simulator take their time on two cores.
    testTimeout: 300_000,
    hookTimeout: 600_000,
    maxWorkers: 2,
  },
});
