/**
 * Every block of code in README.md and docs/ runs as it stands: JavaScript, C, and each command line, but for those that are
 * listed here with the reason why not.
 */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openLanguageModel } from '../../runtime/llm/load.js';
import type { LoadedModel } from '../../runtime/llm/model.js';
import { createServer } from '../../runtime/serve/server.js';
import { buildAddon } from '../addon/support.js';
import { hostArtifact, ROOT, runProgram } from '../support/artifacts.js';

const MODEL = join(ROOT, 'examples/storyteller-q8_0.gguf');
const PAGES = [
  'README.md',
  'generated/README.md',
  'examples/README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md') && name !== 'api-reference.md') // that is made from doc comments
    .map((name) => `docs/${name}`),
];

/** Command lines that are not run, and why. */
const NOT_RUN: readonly (readonly [RegExp, string])[] = [
  [/\b(DIR|TEXT|FILE|MODEL|NAME)\b|\[-|\.\.\.$/, 'a synopsis'],
  [/^(npm |make |git |tar |\(cd node_modules)/, 'installs, builds or ships what the tests are part of'],
  [/realizar-compile (?!inspect|plan|verify)(?!.*--target host(?! --sanitize))/, 'compiles for a GPU, or for a minute'],
  [/realizar-compile verify (?!generated\/model)/, 'of an artifact that a line above it compiles for a GPU'],
  [/^openssl |--key public\.pem/, 'verify.test.ts makes keys, signs and checks'],
  [/realizar-run( bench)? (artifact|host) /, 'the same'],
  [/ > artifact\.json$|inspect --json artifact/, 'the same'],
  [/^docker |Qwen3-0\.6B/, 'needs what is not here'],
  [/^CXX=aarch64|^qemu-aarch64 |inspect arm /, 'aarch64.test.ts compiles for Arm, and runs it'],
  [/^\[Service\]$|^(ExecStart|Environment|TimeoutStopSec)=|^CMD \[/, 'of a systemd unit, or of a Dockerfile'],
  [/realizar-run serve|\bbench\b|--bench/, 'does not end by itself, or measures: tests of their own run them'],
  [/^build\/checked\//, 'of what was compiled for a minute'],
  [/check\.py|--measurements|--tune/, 'needs a GPU'],
  [/^(cc|build\/(decode|engine)) /, 'decode.test.ts and engine.test.ts build and run them'],
];

/** Blocks that are no code, by their first line. */
const NO_CODE: readonly RegExp[] = [
  /─►/, // a picture
  /^\{ "model"/, // a file
  /^417,794/, // what a program prints
  /^build:$/, // a job, whose commands are those above it
  /^group g, chunk c|^memory +\||^\| quants/, // pictures of memory
];

interface Block {
  readonly page: string;
  readonly line: number;
  readonly text: string;
}

/** Indented and fenced ones. An indented block that goes on with an import is two. */
function blocksOf(page: string): Block[] {
  const blocks: { line: number; lines: string[] }[] = [];
  let fenced = false;
  let open = false;
  for (const [i, line] of readFileSync(join(ROOT, page), 'utf8').split('\n').entries()) {
    if (line.startsWith('```')) {
      fenced = !fenced;
      open = false;
      if (fenced) blocks.push({ line: i + 2, lines: [] });
    } else if (fenced) {
      blocks.at(-1)!.lines.push(line);
    } else if (!line.startsWith('    ')) {
      open = open && line === '';
    } else if (open && !(line.startsWith('    import ') && blocks.at(-1)!.lines.at(-1) === '')) {
      blocks.at(-1)!.lines.push(line.slice(4));
    } else {
      open = true;
      blocks.push({ line: i + 1, lines: [line.slice(4)] });
    }
    if (open && line === '') blocks.at(-1)!.lines.push('');
  }
  return blocks.map(({ line, lines }) => ({ page, line, text: lines.join('\n').trimEnd() }));
}

const BLOCKS = PAGES.flatMap(blocksOf);
const isScript = ({ text }: Block) => /^(import |const |await )|\bawait\b.*;$/m.test(text);
const isC = ({ text }: Block) => /^realizar_\w+ .*;/m.test(text);
const isNoCode = ({ text }: Block) => NO_CODE.some((pattern) => pattern.test(text.split('\n')[0]!));
const named = (blocks: readonly Block[]) => blocks.map((block) => [`${block.page}:${block.line}`, block] as const);

/** A folder like a user's, with the bundled model as model.gguf, compiled for the host. */
const scratch = mkdtempSync(join(tmpdir(), 'realizar-blocks-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let model: LoadedModel;
beforeAll(async () => {
  buildAddon();
  const artifact = await hostArtifact('examples/blocks', MODEL);
  for (const folder of ['generated', 'node_modules', 'bin']) mkdirSync(join(scratch, folder));
  const links: Record<string, string> = {
    'generated/model': artifact,
    'generated/storyteller-q8_0': artifact,
    'model.gguf': MODEL,
    examples: join(ROOT, 'examples'),
    dist: join(ROOT, 'dist'),
    'node_modules/realizar-compile': ROOT,
    'node_modules/openai': join(ROOT, 'node_modules/openai'),
  };
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(scratch, name));
  program('realizar-compile', `exec node ${ROOT}/dist/compiler/cli.js "$@"`);
  program('realizar-run', `exec node ${ROOT}/dist/runtime/run/cli.js "$@"`);
  program('npx', 'exec "$@"');
  model = await openLanguageModel(artifact, { sequences: 2 });
  return () => model.close();
});

function program(name: string, script: string): void {
  writeFileSync(join(scratch, 'bin', name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(scratch, 'bin', name), 0o755);
}

const env = { ...process.env, PATH: `${join(scratch, 'bin')}:${process.env.PATH}` };

/** Runs it where its page would: a server's address is that of a server that is there. */
async function run(file: string, args: readonly string[], text: string): Promise<void> {
  const address = 'http://127.0.0.1:8080';
  const server = text.includes(address) ? await createServer(model, { logFormat: 'none' }) : undefined;
  try {
    const url = await server?.app.listen({ host: '127.0.0.1', port: 0 });
    const exit = await runProgram(file, [...args, url ? text.replaceAll(address, url) : text], { cwd: scratch, env });
    expect({ code: exit.code, stderr: exit.code === 0 ? '' : exit.stderr }).toEqual({ code: 0, stderr: '' });
  } finally {
    await server?.app.close();
  }
}

describe('JavaScript', () => {
  const FRAGMENT = [
    "import { loadModel } from 'realizar-compile';",
    "const model = await loadModel('generated/model');",
    "const prompt = 'Once upon a time';",
  ].join('\n');

  test.each(named(BLOCKS.filter(isScript)))('%s', async (_, { text }) => {
    const whole = text.includes('import ') ? text : `${FRAGMENT}\n${text}\nawait model.close();`;
    await run(process.execPath, ['--input-type=module', '-e'], whole);
  });
});

test.each(named(BLOCKS.filter(isC)))('C: %s', async (_, { text }) => {
  const source = join(scratch, 'fragment.c');
  const variables =
    'realizar_session* session, int32_t last_of_prompt, const int32_t* stop, uint32_t n_stop, void* user';
  const head = `#include <realizar.h>\nvoid fragment(${variables}, realizar_on_token on_token, uint32_t n) {\n`;
  writeFileSync(source, `${head}${text}\n}\n`);
  const flags = ['-std=c11', '-Wall', '-Werror', '-fsyntax-only', '-I', join(ROOT, 'runtime')];
  expect(await runProgram('cc', [...flags, source])).toEqual({ code: 0, stdout: '', stderr: '' });
});

describe('command lines', () => {
  /** Of a block with prompts those alone; lines that end with \ go on. */
  const commandsOf = ({ text }: Block): string[] => {
    const lines = text.replace(/\\\n\s*/g, ' ').split('\n');
    const shown = lines.filter((line) => line.startsWith('$ ')).map((line) => line.slice(2));
    return (shown.length > 0 ? shown : lines).map((line) => line.trim()).filter(Boolean);
  };
  const reasonNot = (command: string) => NOT_RUN.find(([pattern]) => pattern.test(command))?.[1];
  const blocks = BLOCKS.filter((block) => !isScript(block) && !isC(block) && !isNoCode(block));
  const commands = blocks.flatMap((block) => commandsOf(block).map((command) => ({ ...block, text: command })));
  const known = /^(\w+=\w+ )?(npx |realizar-(run|compile) |curl |echo |ls |generated\/model\/replay )/;

  test('are known programs: else say in this file what a block is', () => {
    const unknown = commands.filter(({ text }) => !known.test(text) && reasonNot(text) === undefined);
    expect(unknown).toEqual([]);
  });

  const runs = commands.filter(({ text }) => known.test(text) && reasonNot(text) === undefined);
  test.each(runs.map((block) => [`${block.page}:${block.line}: ${block.text}`, block] as const))('%s', (_, { text }) =>
    run('sh', ['-c'], `${text} < /dev/null`.replace(/^(echo .*) < \/dev\/null$/, '$1')),
  );
});
