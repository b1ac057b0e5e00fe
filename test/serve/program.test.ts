/** The program realizar-run serve: its start, its options, its end. */
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterEach, describe, expect, test } from 'vitest';
import { storyteller } from '../llm/support.js';
import { ROOT, runProgram } from '../support/artifacts.js';
import { killPrograms, type Program, RUN, startCommand, startProgram } from './program.js';
import { post, until } from './support.js';

const bundled = storyteller('serve-program');
afterEach(killPrograms);

const connect = (url: string, apiKey = 'unused') => new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
const story = { model: 'storyteller-q8_0', prompt: 'Once upon a time', temperature: 0 };
const serve = (...args: string[]) => runProgram(process.execPath, [RUN, 'serve', ...args]);

describe('SIGTERM', () => {
  test('lets what runs finish, refuses what is new, and ends with 0', async () => {
    const program = await startProgram(bundled.folder, ['--drain-timeout', '240']);
    const stream = await connect(program.url).completions.create({ ...story, max_tokens: 60, stream: true });
    const chunks = stream[Symbol.asyncIterator]();
    let text = (await chunks.next()).value!.choices[0]!.text;
    program.kill('SIGTERM');
    await until(() => program.stderr().includes('SIGTERM: 1 to finish within 240 s'), 'the notice');
    expect(await post(`${program.url}/v1/completions`, story)).toMatchObject({
      status: 503,
      body: { error: { code: 'server_shutting_down' } },
    });
    let finish: string | null = null;
    for (let step = await chunks.next(); !step.done; step = await chunks.next()) {
      text += step.value.choices[0]!.text;
      finish = step.value.choices[0]!.finish_reason;
    }
    expect(finish).toBe('length');
    expect(await program.exited).toBe(0);
    const { text: expected } = await (await bundled.load()).generate(story.prompt, { maxTokens: 60 }).result;
    expect(text).toBe(expected);
  });

  test('cuts off at the deadline, and ends with 1', async () => {
    const program = await startProgram(bundled.folder, ['--drain-timeout', '0']);
    const stream = await connect(program.url).completions.create({ ...story, max_tokens: 500, stream: true });
    const chunks = stream[Symbol.asyncIterator]();
    await chunks.next();
    program.kill('SIGTERM');
    const rest = async () => {
      while (!(await chunks.next()).done);
    };
    await expect(rest()).rejects.toThrow('shutting down');
    expect(await program.exited).toBe(1);
    expect(program.stderr()).toContain('1 requests did not finish in time');
  });

  test('a second signal cuts off too', async () => {
    const program = await startProgram(bundled.folder);
    const stream = await connect(program.url).completions.create({ ...story, max_tokens: 500, stream: true });
    await stream[Symbol.asyncIterator]().next();
    program.kill('SIGINT');
    await until(() => program.stderr().includes('SIGINT: 1 to finish'), 'the notice');
    program.kill('SIGINT');
    expect(await program.exited).toBe(1);
  });
});

test('options and the environment reach the server', async () => {
  const args = ['--alias', 'tiny', '--parallel', '3', '--queue', '0', '--context', '64', '--log', 'json'];
  const program = await startProgram(bundled.folder, args, { REALIZAR_API_KEY: 'sesame' });
  const client = connect(program.url, 'sesame');
  expect((await client.models.list()).data).toMatchObject([{ id: 'tiny', meta: { n_ctx: 64 } }]);
  await expect(connect(program.url).models.list()).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
  expect(await (await fetch(`${program.url}/health`)).json()).toMatchObject({ status: 'ok', slots: 3 });
  await client.completions.create({ model: 'tiny', prompt: 'Once', max_tokens: 1 });
  await until(() => program.stderr().includes('"promptTokens":1'), 'the log');
  program.kill('SIGTERM');
  expect(await program.exited).toBe(0);
  const lines = program
    .stderr()
    .trim()
    .split('\n')
    .filter((line) => line.startsWith('{'));
  expect(lines.map((line) => JSON.parse(line).status)).toEqual([200, 401, 200, 200]);
});

test('how many generations of which length fit is said at the start', async () => {
  const program = await startProgram(bundled.folder, ['--kv-memory', '2M', '--deterministic']);
  expect(program.stderr()).toMatch(
    /context 512, 4 at once; KV cache of 2\.00 MiB for 1024 positions, 2 of the whole context\n/,
  );
  program.kill('SIGTERM');
  expect(await program.exited).toBe(0);
});

test('what is wrong is said, with an exit code', async () => {
  const program = await startProgram(bundled.folder);
  const taken = await serve(bundled.folder, '--port', new URL(program.url).port);
  expect(taken).toMatchObject({ code: 1, stdout: '' });
  expect(taken.stderr).toMatch(/port \d+ of 127\.0\.0\.1 is taken by another program.*--port.*\(EADDRINUSE\)/);
  expect(taken.stderr).not.toContain('at once'); // it was found before the model was loaded
  for (const host of ['192.0.2.1', 'no-such-host.invalid']) {
    const nowhere = await serve(bundled.folder, '--port', '0', '--host', host);
    expect(nowhere).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('--host') });
  }
  const wrong = [
    ['--port', '70000'],
    ['--parallel', '0'],
    ['--kv-memory', '8X'],
    ['--api-key', ''],
    ['--log', 'loud'],
    ['--colour'],
  ];
  for (const args of wrong) expect(await serve(bundled.folder, ...args)).toMatchObject({ code: 2, stdout: '' });
  const small = await serve(bundled.folder, '--port', '0', '--kv-memory', '1K');
  expect(small).toMatchObject({ code: 1, stderr: expect.stringContaining('a sequence of 512 positions takes') });
  const wide = await serve(bundled.folder, '--port', '0', '--parallel', '65');
  expect(wide).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('--parallel is 65; at most 64 run at once'),
  });
  const missing = await serve('/nowhere/at/all');
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('/nowhere/at/all') });
  expect((await serve('--help')).stdout).toContain('Examples:');
});

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ family }) => family === 'IPv6'));
test.runIf(hasIpv6)('IPv6 addresses, with brackets and without', async () => {
  for (const host of ['[::1]', '::1']) {
    const program = await startProgram(bundled.folder, ['--host', host]);
    expect(program.url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    expect((await fetch(`${program.url}/health`)).status).toBe(200);
    expect(program.stderr()).not.toContain('warning');
  }
});

describe('a log that cannot be written', () => {
  const answers = async ({ url }: Program) => {
    for (let i = 0; i < 5; i++) expect((await fetch(`${url}/health`)).status).toBe(200);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    return Number(/^realizar_log_lines_dropped_total (\d+)$/m.exec(metrics)![1]);
  };

  test('ends nothing: a full disk', async () => {
    const full = openSync('/dev/full', 'w');
    const program = await startCommand([process.execPath, RUN, 'serve', bundled.folder, '--port', '0'], {
      stderr: full,
    });
    closeSync(full);
    expect(await answers(program)).toBeGreaterThan(0);
    program.kill('SIGTERM');
    expect(await program.exited).toBe(0);
  });

  test('ends nothing: its reader is gone', async () => {
    const program = await startProgram(bundled.folder);
    program.closeStderr();
    expect(await answers(program)).toBeGreaterThan(0);
    program.kill('SIGTERM');
    expect(await program.exited).toBe(0);
  });
});

describe('started by npx', () => {
  const commandOf = (pid: number) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    } catch {
      return ''; // it has ended
    }
  };
  const gone = (pid: number) => !existsSync(`/proc/${pid}`);
  /** Of the server itself: below npx are a shell and node. */
  const serverOf = (folder: string) =>
    readdirSync('/proc')
      .map(Number)
      .find((pid) => {
        if (!pid) return false;
        const [, program, ...args] = commandOf(pid).split('\0');
        return /(realizar-run|cli\.js)$/.test(program ?? '') && args.includes(folder);
      })!;

  test.each(['SIGTERM', 'SIGKILL'] as const)('it ends when npx was ended by %s', async (signal) => {
    // By its path: of a name npx first looks whether there is a newer version on the network.
    const command = `${process.execPath} ${RUN} serve ${bundled.folder} --port 0`;
    const program = await startCommand(['npx', '-c', command], { cwd: ROOT });
    const pid = serverOf(bundled.folder);
    expect(pid).not.toBe(program.pid);
    program.kill(signal);
    await until(() => gone(pid), 'the server to end');
  });

  test('it goes on where the command put it into the background', async () => {
    const command = `${process.execPath} ${RUN} serve ${bundled.folder} --port 0 &`;
    const program = await startCommand(['npx', '-c', command], { cwd: ROOT });
    const pid = serverOf(bundled.folder);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect((await fetch(`${program.url}/health`)).status).toBe(200);
    process.kill(pid, 'SIGTERM');
    await until(() => gone(pid), 'the server to end');
  });
});

test('--chat-template is a file, or chatml, and is read before the model is loaded', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'realizar-serve-'));
  const template = join(folder, 'sum.jinja');
  // Asks the question itself, whatever was said.
  writeFileSync(template, "{{ '<|im_start|>user\\nWhat is 3 plus 4?<|im_end|>\\n<|im_start|>assistant\\n' }}");
  const chat = { messages: [{ role: 'user', content: 'Hello' }], temperature: 0, max_tokens: 12 };
  const program = await startProgram(bundled.folder, ['--chat-template', template]);
  const { body } = await post(`${program.url}/v1/chat/completions`, chat);
  expect(body).toMatchObject({ choices: [{ message: { content: '3 plus 4 is 7.' } }] });
  for (const file of [join(folder, 'none.jinja'), folder]) {
    const { code, stdout, stderr } = await serve(bundled.folder, '--port', '0', '--chat-template', file);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(`realizar-run: --chat-template ${file}: `);
    expect(stderr).toContain('expected chatml, or a file with a Jinja template');
  }
});
