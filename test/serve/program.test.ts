/** The program realizar-run serve: its start, its options, its end. */
import OpenAI from 'openai';
import { afterEach, describe, expect, test } from 'vitest';
import { storyteller } from '../llm/support.js';
import { runProgram } from '../support/artifacts.js';
import { killPrograms, RUN, startProgram } from './program.js';
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

test('what is wrong is said, with an exit code', async () => {
  const program = await startProgram(bundled.folder);
  const taken = await serve(bundled.folder, '--port', new URL(program.url).port);
  expect(taken.code).toBe(1);
  expect(taken.stderr).toContain('EADDRINUSE');
  const wrong = [['--port', '70000'], ['--parallel', '0'], ['--api-key', ''], ['--log', 'loud'], ['--colour']];
  for (const args of wrong) expect(await serve(bundled.folder, ...args)).toMatchObject({ code: 2, stdout: '' });
  const missing = await serve('/nowhere/at/all');
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('/nowhere/at/all') });
  expect((await serve('--help')).stdout).toContain('Examples:');
});
