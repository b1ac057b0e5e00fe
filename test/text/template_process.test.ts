/** What the process of chat templates may not do, where a template gets out of the engine. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sandboxFlags, TemplateProcess } from '../../runtime/text/template_process.js';

const hasNetworkPermission = Number(process.versions.node.split('.')[0]) >= 25;

/** What a program says that runs with the flags of the process of templates. */
function inSandbox(program: string): string {
  const { stdout, stderr } = spawnSync(process.execPath, [...sandboxFlags([import.meta.filename]), '-e', program], {
    encoding: 'utf8',
  });
  return `${stdout}${stderr}`.trim();
}

const attempt = (act: string) => `try { ${act}; console.log('done'); } catch (error) { console.log(error.code); }`;

test.each([
  ['read a file', "fs.readFileSync('/etc/hostname')"],
  ['list a folder', "fs.readdirSync('/')"],
  ['write a file', `fs.writeFileSync(${JSON.stringify(join(tmpdir(), 'realizar-escaped'))}, '')`],
  ['remove a file', `fs.rmSync(${JSON.stringify(join(tmpdir(), 'realizar-none'))})`],
  ['start a program', "child_process.spawnSync('true')"],
  ['start a thread', "new worker_threads.Worker('1', { eval: true })"],
])('it cannot %s', (_, act) => expect(inSandbox(attempt(act))).toBe('ERR_ACCESS_DENIED'));

test('it cannot make code of texts', () =>
  expect(inSandbox("try { Function('1') } catch (e) { console.log(e.name) }")).toBe('EvalError'));

test.runIf(hasNetworkPermission)('it cannot connect', () => {
  const connect = "net.connect(9, '127.0.0.1').on('error', ({ code }) => console.log(code))";
  expect(inSandbox(connect)).toBe('ERR_ACCESS_DENIED');
});

const request = JSON.stringify({ template: '{{ a }}', variables: { a: 'b' }, limit: 10 });

test('its module can be read, and it is started so', async () => {
  const templates = new TemplateProcess();
  expect(await templates.render(request, 10_000)).toEqual({ text: 'b' });
  expect(worker()?.words).toContain(sandboxFlags([])[0]);
  templates.close();
});

test('the deadline is of the processor: it may wait for one longer than that', async () => {
  const templates = new TemplateProcess();
  expect(await templates.render(request, 10_000)).toEqual({ text: 'b' });
  const { pid } = worker()!;
  process.kill(pid, 'SIGSTOP');
  const rendered = templates.render(request, 1000);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  process.kill(pid, 'SIGCONT');
  expect(await rendered).toEqual({ text: 'b' });
  templates.close();
});

test('and one that never gets on is stopped all the same', async () => {
  const templates = new TemplateProcess();
  expect(await templates.render(request, 10_000)).toEqual({ text: 'b' });
  process.kill(worker()!.pid, 'SIGSTOP');
  expect(await templates.render(request, 50)).toEqual({
    failed: expect.stringContaining('within 50 ms; it was stopped'),
  });
});

/** The process of templates that this one has now. */
function worker(): { pid: number; words: string[] } | undefined {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === process.pid)
    .map((name) => ({ pid: Number(name), words: readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0') }))
    .find(({ words }) => words.some((word) => word.endsWith('template_worker.js')));
}

function parentOf(pid: string): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ')[1]);
  } catch {
    return undefined; // it has ended
  }
}
