import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildAddon, buildArtifact, installPackage, runNode, Script, temporaryDirectory } from './support.js';

let project: string;
beforeAll(async () => {
  buildAddon();
  project = buildArtifact(temporaryDirectory());
  await installPackage(project);
}, 300_000);

const prologue = (script: Script) => `
  import { parentPort } from 'node:worker_threads';
  import { openModel } from 'realizar-compile';
  const model = await openModel('.', { model: ${JSON.stringify(script.path)} });
  const session = await model.createSession();
  await session.buildGraph();
`;

/** Waits for a call, in a script. */
const untilCalled = (script: Script, call: string) =>
  `for (const fs = await import('node:fs'), log = ${JSON.stringify(script.log)};
        !(fs.existsSync(log) && fs.readFileSync(log, 'utf8').includes(${JSON.stringify(`${call}\n`)}));)
     await new Promise((done) => setTimeout(done, 5));`;

describe('a process that uses the installed package', () => {
  it('ends by itself, and frees what was not closed', () => {
    const script = new Script();
    const out = runNode(project, `${prologue(script)} await session.step(1); console.log(await session.greedy());`);
    expect(out).toBe('6\n');
    expect(script.calls().slice(-2)).toEqual(['session_close ends', 'model_close']);
  });

  it('stays alive until a step that nobody awaits has ended', () => {
    const script = new Script('slow step 200');
    runNode(project, `${prologue(script)} session.step(1); session.step(2);`);
    expect(script.calls().filter((line) => line === 'step ends')).toHaveLength(2);
  });

  it('may exit while a step is running', () => {
    const script = new Script('slow step 300');
    runNode(
      project,
      `${prologue(script)} session.step(1);
       ${untilCalled(script, 'step begins')} process.exit(0);`,
    );
    expect(script.calls()).toContain('step begins');
  });

  it('may use it from several worker threads, and stop one while a step is running', () => {
    const script = new Script('slow step 300');
    writeFileSync(join(project, 'worker.mjs'), `${prologue(script)} await session.step(1);`);
    const out = runNode(
      project,
      `import { Worker } from 'node:worker_threads';
       const [stopped, whole] = [new Worker('./worker.mjs'), new Worker('./worker.mjs')];
       ${untilCalled(script, 'step begins')} stopped.terminate();
       whole.on('exit', (code) => console.log('worker ended', code));`,
    );
    expect(out).toBe('worker ended 0\n');
    expect(script.calls()).toContain('step ends');
  });

  it('may exit, and stop a worker, while tokens are generated', () => {
    const script = new Script('slow token 30');
    const generate =
      'await session.step(1); for await (const token of session.generate({ maxTokens: 1000 })) parentPort?.postMessage(token);';
    const exit = `(async () => { ${untilCalled(script, 'generate begins')} process.exit(0); })();`;
    runNode(project, `${prologue(script)} ${exit} ${generate}`);
    expect(script.calls()).toContain('generate begins');
    writeFileSync(join(project, 'generating.mjs'), `${prologue(script)} ${generate}`);
    const out = runNode(
      project,
      `import { Worker } from 'node:worker_threads';
       const worker = new Worker('./generating.mjs');
       worker.once('message', () => worker.terminate());
       worker.on('exit', (code) => console.log('worker ended', code));`,
    );
    expect(out).toBe('worker ended 1\n');
    expect(script.calls().at(-1)).toBe('model_close');
  });

  it('may stop a worker in the middle of a prompt', () => {
    const script = new Script('slow token 100');
    const prompt = 'await session.prefill(Array.from({ length: 32 }, () => 1));';
    writeFileSync(join(project, 'prompt.mjs'), `${prologue(script)} ${prompt}`);
    const out = runNode(
      project,
      `import { Worker } from 'node:worker_threads';
       const worker = new Worker('./prompt.mjs');
       worker.on('exit', (code) => console.log('worker ended', code));
       ${untilCalled(script, 'prefill begins')} worker.terminate();`,
    );
    expect(out).toBe('worker ended 1\n');
    expect(script.calls()).toContain('prefill ends');
    expect(script.calls()).not.toContain('prefilled 32');
    expect(script.calls().at(-1)).toBe('model_close');
  });

  it('learns of a rejection that it did not handle', () => {
    const source = `${prologue(new Script('fail step 8'))}
      process.on('unhandledRejection', (error) => console.log(error.name, error.status));
      session.step(1);`;
    expect(runNode(project, source)).toBe('RealizarError 8\n');
  });
});
