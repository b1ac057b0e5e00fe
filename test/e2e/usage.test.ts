/** What a user meant who wrote what no command takes; and what foreign strings do on a terminal. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { emptyFolder } from '../support/folders.js';
import { str } from '../support/gguf_writer.js';
import { inProcess } from '../support/in_process.js';
import { temporaryFolder, tinyModel, withKeys, writeModel } from '../support/tiny_models.js';

let cwd: string;
const programs = {
  'realizar-compile': (args: readonly string[]) => inProcess('realizar-compile', args, cwd),
  'realizar-run': (args: readonly string[]) => inProcess('realizar-run', args, cwd),
};

beforeAll(() => {
  cwd = emptyFolder(temporaryFolder);
  mkdirSync(join(cwd, 'art'));
  writeFileSync(join(cwd, 'art/manifest.json'), '{"format": "realizar-artifact"}');
  writeFileSync(join(cwd, 'art/model-path.json'), '{"model": "/models/m.gguf"}');
  writeFileSync(join(cwd, 'm.gguf'), 'GGUF');
});

describe('wrong usage ends with 2 and says what was meant', () => {
  test.each([
    ['realizar-run', ['art', '-p', 'x', '--temp', '0.8'], 'Did you mean --temperature?'],
    ['realizar-run', ['art', '-p', 'x', '--n-predict', '8'], 'Did you mean --max-tokens?'],
    ['realizar-run', ['art', '-p', 'x', '--ctx-size=8'], 'Did you mean --context?'],
    ['realizar-run', ['art', '-p', 'x', '--top_p', '0.9'], 'Did you mean --top-p?'],
    ['realizar-run', ['art', '-p', 'x', '--ign'], 'Did you mean --ignore-eos?'],
    ['realizar-run', ['art', '-p', 'x', '-ngl', '99'], '-ngl: a compiled model is on the GPU as a whole; leave it out'],
    ['realizar-run', ['art', '-p', 'x', '--n-gpu-layers', '99'], 'a compiled model is on the GPU as a whole'],
    ['realizar-run', ['chat', 'art', '--system-prompt', 'x'], 'Did you mean --system?'],
    ['realizar-run', ['serve', 'art', '--n-parallel', '2'], 'Did you mean --parallel?'],
    ['realizar-run', ['bench', 'art', '--n-gen', '2'], 'Did you mean --generate?'],
    ['realizar-compile', ['m.gguf', '--out', 'x'], 'Did you mean --output?'],
    ['realizar-compile', ['m.gguf', '--ctx', '8'], 'Did you mean --context?'],
    ['realizar-run', ['art', 'Once upon'], 'the text to continue goes after -p: realizar-run art -p "Once upon"'],
    ['realizar-run', ['chat', 'art', 'Hello'], 'echo "Hello" | realizar-run chat art'],
    ['realizar-run', ['serve', 'art', 'x'], 'it takes one'],
    ['realizar-compile', ['m.gguf', 'out'], "the output's folder goes after -o: realizar-compile m.gguf -o out"],
    ['realizar-run', ['chta', 'art'], 'Did you mean the command chat?'],
    ['realizar-run', ['benhc', 'art', '-p', '5'], 'Did you mean the command bench?'],
    ['realizar-compile', ['verfy', 'art'], 'Did you mean the command verify?'],
    ['realizar-compile', ['inspct', 'art', '--json'], 'Did you mean '],
    ['realizar-run', ['server'], 'there is no command "server", and no such file or folder: did you mean serve?'],
    ['realizar-compile', ['paln'], 'there is no command "paln", and no such file or folder: did you mean plan?'],
  ] as const)('%s %j', async (program, args, hint) => {
    const { code, stdout, stderr } = await programs[program](args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(hint);
    expect(stderr.match(/Did you mean/g)?.length ?? 0).toBeLessThanOrEqual(1);
  });
});

describe('what is named and is not what it should be ends with 1', () => {
  test.each([
    [
      'realizar-compile',
      ['art', '--target', 'host'],
      'art is an artifact, .* realizar-run art runs it, and realizar-compile /models/m\\.gguf',
    ],
    ['realizar-compile', ['plan', 'art'], 'art is an artifact'],
    ['realizar-compile', ['verify', 'nope'], 'nope: there is no such file or folder'],
    ['realizar-compile', ['inspect', 'nope'], 'nope: there is no such file or folder'],
    ['realizar-compile', ['plan', 'nope.gguf'], 'nope\\.gguf'],
    ['realizar-compile', ['nope.gguf', '--target', 'host'], 'nope\\.gguf'],
    ['realizar-run', ['nope', '-p', 'x'], 'nope: there is no such folder'],
    ['realizar-run', ['chat', 'nope'], 'nope: there is no such folder'],
    ['realizar-run', ['bench', 'nope'], 'nope: there is no such folder'],
    ['realizar-run', ['m.gguf', '-p', 'x'], 'm\\.gguf: this is a model, not an artifact; compile it first'],
  ] as const)('%s %j', async (program, args, message) => {
    const { code, stdout, stderr } = await programs[program](args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^${program}: .*${message}`, 'm'));
  });
});

test.skipIf(existsSync('/dev/nvidiactl'))('--tune without a GPU says so before it builds', async () => {
  const model = writeModel(tinyModel(), 'tuned.gguf');
  const { code, stderr } = await programs['realizar-compile']([model, '--target', 'cuda', '--tune', '-o', 'tuned']);
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^realizar-compile: --tune measures on the GPU at hand, and there is none here \(.+\): run it/m,
  );
  expect(existsSync(join(cwd, 'tuned'))).toBe(false);
});

test.each([
  ['realizar-compile', []],
  ['realizar-compile', ['inspect']],
  ['realizar-compile', ['plan']],
  ['realizar-compile', ['verify']],
  ['realizar-run', []],
  ['realizar-run', ['chat']],
  ['realizar-run', ['bench']],
  ['realizar-run', ['serve']],
] as const)('%s %j --help has examples and exit codes', async (program, command) => {
  const { code, stdout, stderr } = await programs[program]([...command, '--help']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/\nExamples:\n {2}/);
  expect(stdout).toMatch(/Exit codes: 0 /);
});

describe('strings of a file', () => {
  const FOREIGN = '\u001b]0;pwned\u0007\u001b[31m\u009b31m\u007f\u202eX';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

  test.each([
    ['general.architecture', FOREIGN],
    ['general.name', FOREIGN],
    ['llama.rope.scaling.type', FOREIGN],
    [`llama.${FOREIGN}`, 'x'],
    ['tokenizer.ggml.model', FOREIGN],
    ['tokenizer.chat_template', FOREIGN],
  ])('%j do nothing to a terminal', async (key, value) => {
    const path = writeModel(withKeys(tinyModel(), { [key]: str(value) }), 'foreign.gguf');
    const commands = [
      ['inspect', path],
      ['inspect', '--json', path],
      [path, '--target', 'host', '--no-build', '-o', 'foreign'],
    ];
    for (const args of commands) {
      const { stdout, stderr } = await programs['realizar-compile'](args);
      expect(stdout + stderr).not.toMatch(OBEYED);
      expect(stdout + stderr).not.toBe('');
    }
  });

  test('of an artifact neither', async () => {
    const folder = join(cwd, 'foreign-artifact');
    mkdirSync(folder);
    const manifest = {
      format: 'realizar-artifact',
      version: 1,
      compilerVersion: FOREIGN,
      name: FOREIGN,
      library: FOREIGN,
    };
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
    writeFileSync(join(folder, 'model-path.json'), JSON.stringify({ model: `/nowhere/${FOREIGN}` }));
    for (const [program, args] of [
      ['realizar-compile', ['inspect', folder]],
      ['realizar-compile', ['verify', folder]],
      ['realizar-compile', [folder]],
      ['realizar-run', [folder, '-p', 'x']],
      ['realizar-run', [folder, '-p', 'x', '-m', 'm.gguf']],
      ['realizar-run', ['chat', folder]],
    ] as const) {
      const { code, stdout, stderr } = await programs[program](args);
      expect(code).toBe(1);
      expect(stdout + stderr).not.toMatch(OBEYED);
      expect(stderr).not.toBe('');
    }
  });
});
