/** `realizar-run DIR -p TEXT` against the float64 reference, on the host target. */
import { copyFileSync, cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { modelSpec } from '../../compiler/model/load.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { Tokenizer } from '../../runtime/text/tokenizer.js';
import { buildAddon } from '../addon/support.js';
import { referenceLogits } from '../oracle/reference.js';
import { greedyTokens } from '../support/artifacts.js';
import { MODEL, realizarRun, start, storyteller, withInput } from './support.js';

const PROMPT = 'Once upon a time';
const scratch = mkdtempSync(join(tmpdir(), 'realizar-run-'));
const file = readGguf(MODEL);
const tokenizer = new Tokenizer(file);

let folder: string;
/** The story's first tokens and their text, by the reference. */
let tokens: number[];
let text: string;
beforeAll(async () => {
  buildAddon();
  folder = await storyteller('run-write');
  const spec = modelSpec(file);
  const prompt = tokenizer.encode(PROMPT);
  tokens = [];
  for (let i = 0; i < 20; i++) {
    const logits = referenceLogits(spec, [...prompt, ...tokens]);
    tokens.push(greedyTokens(logits, spec.vocabSize).at(-1)!);
  }
  text = tokenizer.decode(tokens, { continues: true });
});

const continued = (...args: string[]) => realizarRun([folder, '-p', PROMPT, ...args]);

describe('a text', () => {
  test('is the reference greedily', async () => {
    expect(await continued('-n', '20')).toEqual({ code: 0, stdout: `${text}\n`, stderr: '' });
  });

  test('comes token by token', async () => {
    const { child, chunks, chunk, ended } = start([folder, '-p', PROMPT, '--ignore-eos', '-n', '300']);
    await chunk(4);
    expect(child.exitCode).toBeNull();
    // A loaded machine may read several at once.
    expect(chunks.slice(0, 4).join('').length).toBeLessThan(text.length);
    child.kill('SIGINT');
    const { code, stdout, stderr } = await ended;
    expect({ code, stderr }).toEqual({ code: 130, stderr: '' });
    const written = tokenizer.encode(PROMPT + stdout, { addSpecial: false }).length;
    expect(written).toBeLessThan(300);
  });

  test('is of the format that a file or a pattern says', async () => {
    const [schema, grammar, broken] = ['schema.json', 'list.gbnf', 'broken.json'].map((name) => join(scratch, name));
    writeFileSync(schema!, '{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}');
    writeFileSync(grammar!, 'root ::= ("- " [a-z]+ "\\n"){2}');
    writeFileSync(broken!, '{');
    const { stdout } = await continued('--schema', schema!);
    expect(Number.isInteger(JSON.parse(stdout).a)).toBe(true);
    expect((await continued('--grammar', grammar!, '-n', '60')).stdout).toMatch(/^- [a-z]+/);
    expect((await continued('--regex', '[A-Z]{3}')).stdout).toMatch(/^[A-Z]{3}\n$/);
    for (const [args, message] of [
      [['--schema', broken!], 'it is no JSON'],
      [['--schema', 'gone.json'], 'gone.json cannot be read'],
      [['--regex', '(?=a)'], 'a lookahead is not supported'],
      [['--regex', 'a', '--ignore-eos'], 'cannot be used with'],
    ] as const) {
      const { code, stderr } = await continued(...args);
      expect([code !== 0, stderr]).toEqual([true, expect.stringContaining(message)]);
    }
  });

  test('of a prompt from stdin, with the prompt before it', async () => {
    const { code, stdout } = await withInput(PROMPT, [folder, '-p', '-', '--echo', '-n', '5']);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `${PROMPT}${tokenizer.decode(tokens.slice(0, 5), { continues: true })}\n`,
    });
  });

  test('ends before a stop text, wherever tokens begin', async () => {
    const stop = text.slice(13, 18);
    const { stdout } = await continued('-n', '20', '--stop', 'no such text', '--stop', stop);
    expect(stdout).toBe(`${text.slice(0, text.indexOf(stop))}\n`);
  });

  test('is the same with the same seed', async () => {
    const draw = async (seed: string) =>
      (await continued('-n', '12', '-t', '1.5', '--top-k', '50', '--top-p', '0.99', '--min-p', '0.001', '-s', seed))
        .stdout;
    const first = await draw('18446744073709551615');
    expect(await draw('18446744073709551615')).toBe(first);
    expect(await draw('1')).not.toBe(first);
  });

  test('avoids repetition where that is penalised', async () => {
    const outputs = new Set<string>();
    for (const flags of [
      ['--repeat-penalty', '3'],
      ['--repeat-penalty', '3', '--repeat-last-n', '1'],
      ['--presence-penalty', '20'],
      ['--frequency-penalty', '20'],
    ]) {
      const { code, stdout } = await continued('-n', '20', ...flags);
      expect(code).toBe(0);
      if (!flags.includes('1')) expect(stdout).not.toBe(`${text}\n`);
      outputs.add(stdout);
    }
    expect(outputs.size).toBeGreaterThan(1);
    expect((await continued('-n', '20', '--repeat-penalty', '3', '--repeat-last-n', '0')).stdout).toBe(`${text}\n`);
  });

  test('biases tokens, and bans them', async () => {
    const [robot] = tokenizer.encode(' robot', { addSpecial: false });
    expect((await continued('-n', '3', '--logit-bias', `${robot}=1e3`)).stdout).toBe(' robot robot robot\n');
    const { stdout } = await continued('-n', '1', '--logit-bias', `${tokens[0]}=-inf`, '--logit-bias', '3=-0.5');
    expect(stdout).not.toBe(`${tokenizer.decode(tokens.slice(0, 1), { continues: true })}\n`);
    const { code, stderr } = await continued('-n', '1', '--logit-bias', '909=1');
    expect(code).toBe(1);
    expect(stderr).toBe('realizar-run: --logit-bias: a token must be an integer from 0 to 908; got 909\n');
  });
});

describe('--json', () => {
  test('prints one object, with log probabilities where they are asked for', async () => {
    const { code, stdout, stderr } = await continued('-n', '4', '--json', '--logprobs', '2');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({
      text: tokenizer.decode(tokens.slice(0, 4), { continues: true }),
      tokens: tokens.slice(0, 4),
      promptTokens: tokenizer.encode(PROMPT).length,
      completionTokens: 4,
      stopReason: 'length',
    });
    expect(result.logprobs.map(({ token }: { token: number }) => token)).toEqual(tokens.slice(0, 4));
    for (const { token, logprob, topLogprobs } of result.logprobs) {
      expect(topLogprobs).toHaveLength(2);
      expect(topLogprobs[0]).toMatchObject({ token, logprob });
    }
  });

  test('without it, log probabilities are a line a token', async () => {
    const { stdout } = await continued('-n', '2', '--logprobs', '1');
    expect(stdout.trimEnd().split('\n')).toHaveLength(2);
    expect(stdout).toMatch(/^"[^"]+" +-?\d\.\d{4} {2}\| {2}"[^"]+" +-?\d\.\d{4}\n/);
  });
});

describe('usage', () => {
  test('--help names options, commands and exit codes', async () => {
    const { code, stdout } = await realizarRun(['--help']);
    expect(code).toBe(0);
    for (const word of [
      '--logit-bias <id=value>',
      '--presence-penalty',
      '--frequency-penalty',
      '--min-p',
      '--max-tokens',
      '--stop',
      '--seed',
      '--model',
      'chat',
      'bench',
      'Exit codes',
      '130',
    ])
      expect(stdout).toContain(word);
  });

  test.each([
    ['nothing', []],
    ['no prompt', ['DIR']],
    ['an unknown option', ['DIR', '-p', 'x', '--frobnicate']],
    ['a temperature that is no number', ['DIR', '-p', 'x', '-t', 'NaN']],
    ['a negative temperature', ['DIR', '-p', 'x', '--temperature=-1']],
    ['a probability above 1', ['DIR', '-p', 'x', '--top-p', '1.5']],
    ['a bias without a value', ['DIR', '-p', 'x', '--logit-bias', '5']],
    ['a bias of a text', ['DIR', '-p', 'x', '--logit-bias', 'robot=5']],
    ['a bias that is no number', ['DIR', '-p', 'x', '--logit-bias', '5=inf']],
    ['half a token', ['DIR', '-p', 'x', '-n', '1.5']],
    ['a seed of more than 64 bits', ['DIR', '-p', 'x', '-s', '18446744073709551616']],
    ['a device that is no number', ['DIR', '-p', 'x', '--device', 'gpu']],
    ['a context of no positions', ['DIR', '-p', 'x', '-c', '0']],
    ['JSON with something else', ['DIR', '-p', 'x', '--json', '--echo']],
    ['two folders', ['DIR', 'DIR', '-p', 'x']],
  ])('%s: exit code 2 and a message', async (_, args) => {
    const { code, stdout, stderr } = await realizarRun(args.map((word) => (word === 'DIR' ? folder : word)));
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^error: \S/);
  });
});

describe('failures: exit code 1 and what to do', () => {
  const noArtifact = join(scratch, 'text.txt');
  const moved = join(scratch, 'moved');
  beforeAll(() => {
    writeFileSync(noArtifact, 'hello');
    cpSync(folder, moved, { recursive: true });
    writeFileSync(join(moved, 'model-path.json'), JSON.stringify({ model: join(scratch, 'gone.gguf') }));
  });

  test.each([
    [
      'a model instead of an artifact',
      [MODEL, '-p', 'x'],
      /storyteller-q8_0\.gguf: this is a model, not an artifact; compile it first, npx realizar-compile .*storyteller-q8_0\.gguf/,
    ],
    ['a folder that is not there', [join(scratch, 'nix'), '-p', 'x'], /nix: there is no such folder/],
    ['a file', [noArtifact, '-p', 'x'], /this is a file; expected an artifact, the folder/],
    ['a folder that is no artifact', [scratch, '-p', 'x'], /no artifact here, .* no manifest\.json; expected/],
    ['an artifact whose model is gone', [moved, '-p', 'x'], /gone\.gguf .*--model FILE/],
    [
      'a longer context than was compiled',
      ['DIR', '-p', 'x', '-c', '513'],
      /: --context must be .* from 1 to 512, .*; got 513/,
    ],
    ['the same before the model is looked into', ['DIR', '-p', 'x', '-c', '513', '-m', noArtifact], /--context/],
    ['a prompt that is too long', ['DIR', '-p', PROMPT, '-c', '3'], /4 tokens.*3 positions/],
    ['a GPU that is not there', ['DIR', '-p', 'x', '--device', '7'], /7/],
  ])('%s', async (_, args, message) => {
    const { code, stdout, stderr } = await realizarRun(args.map((word) => (word === 'DIR' ? folder : word)));
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^realizar-run: [^\n]*\n$/);
  });

  test('an artifact that was moved finds the model beside itself', async () => {
    copyFileSync(MODEL, join(moved, 'gone.gguf'));
    expect(await realizarRun([moved, '-p', PROMPT, '-n', '1'])).toMatchObject({ code: 0, stderr: '' });
  });
});

test('whoever reads may leave early', async () => {
  const { child, chunk, ended } = start([folder, '-p', PROMPT, '--ignore-eos', '-n', '300']);
  await chunk(1);
  child.stdout.destroy();
  expect(await ended).toMatchObject({ code: 0, stderr: '' });
});
