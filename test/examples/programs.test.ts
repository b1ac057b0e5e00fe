/** The examples that write text, run as their first lines say. `make test` brings dist/ up to date. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { buildAddon } from '../addon/support.js';
import { hostArtifact, ROOT, runProgram } from '../support/artifacts.js';

let artifact: string;
beforeAll(async () => {
  buildAddon();
  artifact = await hostArtifact('examples/programs', join(ROOT, 'examples/storyteller-q8_0.gguf'));
});

const run = async (name: string) => {
  const { code, stdout, stderr } = await runProgram(process.execPath, [
    join(ROOT, `dist/examples/${name}.js`),
    artifact,
  ]);
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  return { lines: stdout.trimEnd().split('\n'), stderr };
};

test('chat answers two questions, and goes on from the first', async () => {
  const { lines, stderr } = await run('chat');
  expect(lines).toEqual(['What is 3 plus 4?', '3 plus 4 is 7.', 'What is 2 plus 5?', '2 plus 5 is 7.']);
  expect(stderr).toMatch(/^0 of \d+ prompt tokens.*\n[1-9]\d* of \d+ prompt tokens.*\n$/);
});

test('stream ends a text in three ways', async () => {
  const { lines } = await run('stream');
  expect(lines).toEqual([
    expect.stringMatching(/^Once upon a time, [^.]{20,}$/),
    'stop',
    'three are enough',
    expect.stringMatching(/ robot$/),
    '0 running',
  ]);
});

test('logprobs shows three choices a token, the most probable first', async () => {
  const { lines } = await run('logprobs');
  expect(lines).toHaveLength(8);
  for (const line of lines) {
    const shares = [...line.matchAll(/" (\d+\.\d)%/g)].map((match) => Number(match[1]));
    expect(shares).toHaveLength(3);
    expect(shares).toEqual([...shares].sort((a, b) => b - a));
    expect(shares.reduce((sum, share) => sum + share)).toBeLessThan(100.2);
  }
});

test('two_at_once gives each question its answer', async () => {
  const { lines, stderr } = await run('two_at_once');
  expect(lines).toEqual([
    'What is 3 plus 4? 3 plus 4 is 7.',
    'What is 2 plus 5? 2 plus 5 is 7.',
    'What is 1 plus 2? 1 plus 2 is 3.',
  ]);
  expect(stderr.match(/waited/g)).toHaveLength(3);
});

test('examples/README.md names every example', () => {
  const text = readFileSync(join(ROOT, 'examples/README.md'), 'utf8');
  const names = readdirSync(join(ROOT, 'examples')).filter((name) => name !== 'README.md');
  expect(names.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
});
