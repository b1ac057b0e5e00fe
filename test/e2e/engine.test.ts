/** The engine through the C ABI, by many threads at once, on the host target: engine.cpp says what holds. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runProgram } from '../support/artifacts.js';
import { readGolden } from '../support/goldens.js';
import { hostProgram } from '../support/host_replay.js';

const CASES = [
  ['threads that submit, cancel, wait and read statistics get what each sequence gets alone', 'threads'],
  ['an engine can be closed while threads submit to it and wait for it', 'close'],
];

// Where there is only the token program: test/runtime/threads.test.ts.
const { model } = readGolden('llama-q8_0');
const source = join(import.meta.dirname, 'engine.cpp');
const program = hostProgram('engine/llama-q8_0', model, source, { programs: ['all'] });

test.each(CASES)('%s', async (_what, which) => {
  expect(await runProgram(await program, [model, which!])).toEqual({ code: 0, stdout: '', stderr: '' });
});
