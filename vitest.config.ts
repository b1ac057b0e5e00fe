import { spawnSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

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

/** The files that take longest, longest first: so that the workers end together. The others follow, larger ones first. */
const LONGEST = [
  ...[
    'shapes',
    'llama_cpp',
    'host',
    'aarch64',
    'sequences',
    'many_rows',
    'sim',
    'checked',
    'fuzz',
    'goldens',
    'schedules',
  ],
  ...['load', 'gguf', 'mutants', 'gpt_oss', 'cuda', 'program', 'check', 'artifact', 'soak', 'write', 'cli', 'names'],
  ...[
    'engine',
    'threads',
    'experts',
    'package',
    'chat',
    'made_docs',
    'blocks',
    'runtime',
    'verify',
    'story',
    'profile',
  ],
];
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) =>
      (LONGEST.indexOf(basename(moduleId, '.test.ts')) + LONGEST.length + 1) % (LONGEST.length + 1);
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    env: ccache(),
    // Tests compile and run C++; sanitized builds of the simulator take their time on two cores.
    testTimeout: 300_000,
    hookTimeout: 600_000,
    // A chat of its own process has once said nothing, on a busy machine, for a reason that is not known yet. What fails
    // twice fails, and the report shows what was run again.
    retry: process.env.CI ? 1 : 0,
    // One more than CI has cores: many tests wait, for a server's limits or for a program that has a core of its own.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
  },
});
