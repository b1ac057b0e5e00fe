/** What pages show of a command is what it prints, and code that is to be run as it stands runs. */
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { buildAddon } from '../addon/support.js';
import { CLI, hostArtifact, ROOT, runProgram } from '../support/artifacts.js';

const MODEL = 'examples/storyteller-q8_0.gguf';
// A folder that looks like the project's root, for what commands write.
const scratch = mkdtempSync(join(tmpdir(), 'realizar-shown-'));
for (const name of ['examples', 'dist']) symlinkSync(join(ROOT, name), join(scratch, name));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Lines end with dots where a page cuts them. */
const WIDTH = 108;
const cut = (line: string): string => (line.length <= WIDTH ? line : `${line.slice(0, WIDTH).trimEnd()} ...`);
const linesOf = (text: string): string[] => text.trimEnd().split('\n');

/** The lines of a page below a command. */
function shownBelow(page: string, command: string): string[] {
  const [, after] = readFileSync(join(ROOT, page), 'utf8').split(`\n    $ ${command}\n`);
  if (after === undefined) throw new Error(`${page} does not show ${command}`);
  return linesOf(after.split('\n\n')[0]!).map((line) => line.slice('    '.length));
}

/** Runs a command that a page shows; resolves with the lines that it prints. */
async function linesOfRun(program: string, args: readonly string[]): Promise<string[]> {
  const exit = await runProgram(process.execPath, [program, ...args], { cwd: scratch });
  expect(exit.code, exit.stderr).toBe(0);
  return linesOf(exit.stdout + exit.stderr);
}

test('README.md: plan, with lines left out where there are dots', async () => {
  const shown = shownBelow('README.md', `npx realizar-compile plan ${MODEL} --gpu H100`);
  const printed = (await linesOfRun(CLI, ['plan', MODEL, '--gpu', 'H100'])).map(cut);
  const dots = shown.indexOf('...');
  const rest = shown.length - dots - 1;
  expect(Math.min(dots, rest)).toBeGreaterThan(0);
  expect(shown).toEqual([...printed.slice(0, dots), '...', ...printed.slice(-rest)]);
});

test('README.md: what is printed of a model that is compiled, but for the build', async () => {
  const comparable = (lines: readonly string[]) =>
    lines.filter((line) => !/^(build|run it|build it)\b/.test(line)).map((line) => line.replace(/\d+\.\d s/, '_ s'));
  const shown = shownBelow('README.md', `npx realizar-compile ${MODEL} --gpu H100`);
  const printed = await linesOfRun(CLI, [MODEL, '--no-build', '--gpu', 'H100']);
  expect(comparable(shown)).toEqual(comparable(printed));
  expect(printed).toHaveLength(6);
});

test('docs/run.md: a text', async () => {
  buildAddon();
  const artifact = await hostArtifact('examples/shown', join(ROOT, MODEL));
  const shown = shownBelow('docs/run.md', 'realizar-run generated/storyteller-q8_0 -p "Once upon a time" -n 12');
  const run = join(ROOT, 'dist/runtime/run/cli.js');
  expect(await linesOfRun(run, [artifact, '-p', 'Once upon a time', '-n', '12'])).toEqual(shown);
});

test('docs/text.md: the sample', async () => {
  const [, sample] = readFileSync(join(ROOT, 'docs/text.md'), 'utf8').match(/```js\n([^`]*)```/)!;
  const program = join(scratch, 'sample.mjs');
  writeFileSync(
    program,
    `${sample}console.log(prompt.length > 1, text === tokenizer.decode([1, 2, 3], { skipControl: true }));`,
  );
  expect(await linesOfRun(program, [])).toEqual(['true true']);
});
