/** Sequences side by side in programs of many rows, on the host target: sequences.cpp says what holds. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runProgram } from '../support/artifacts.js';
import { readGolden } from '../support/goldens.js';
import { hostProgram } from '../support/host_replay.js';

// With a window, whose layers have pages of their own; and without.
describe.each(['llama-q8_0', 'gemma3-q8_0'])('%s', (name) => {
  const { model } = readGolden(name);
  const source = join(import.meta.dirname, 'sequences.cpp');
  const program = hostProgram(`sequences/${name}`, model, source, { programs: ['all'] });

  test.each([
    ['rows of a mixture of prompts in chunks are those of each prompt alone', 'mixture'],
    ['so they are with 64 slots', 'many'],
    ['tokens of steps queued ahead are those of each sequence alone, a step after the other', 'ahead'],
    ['a prompt that begins as others did has the bits that it has without them', 'prefixes'],
    ['a sequence that is alone goes on by the token program', 'alone'],
    ['requests that come and go, with too few pages for all, get the tokens that they get alone', 'engine'],
  ])('%s', async (_what, which) => {
    expect(await runProgram(await program, [model, which])).toEqual({ code: 0, stdout: '', stderr: '' });
  });
});
