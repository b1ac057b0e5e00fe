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

describe('a process that uses an engine', () => {
  const engineOf = (script: Script) => `
    import { parentPort } from 'node:worker_threads';
    import { openModel } from 'realizar-compile';
    const model = await openModel('.', { model: ${JSON.stringify(script.path)} });
    const engine = await model.createEngine();
  `;
  const forEver = 'for await (const event of engine.submit({ prompt: [1] })) parentPort?.postMessage(event.kind);';

  it('ends by itself once nothing is generated, and frees what was not closed', () => {
    const script = new Script('slow engine token 20');
    const out = runNode(
      project,
      `${engineOf(script)} const run = engine.submit({ prompt: [1], maxTokens: 4 });
       for await (const { kind } of run) console.log(kind);`,
    );
    expect(out).toBe('begun\ntoken\ntoken\ntoken\ntoken\nend\n');
    expect(script.calls().slice(-2)).toEqual(['engine_close', 'model_close']);
  });

  it('stays alive until a request that nobody iterates has ended', () => {
    const script = new Script('slow engine token 20');
    runNode(project, `${engineOf(script)} engine.submit({ prompt: [1], maxTokens: 5 });`);
    expect(script.calls().filter((line) => line === 'engine_step')).toHaveLength(5);
  });

  it('ends where it was closed while it generated', () => {
    const script = new Script('slow engine token 20');
    const source = `${engineOf(script)} engine.submit({ prompt: [1] });
      await new Promise((done) => setTimeout(done, 50)); await engine.close(); console.log('closed');`;
    expect(runNode(project, source)).toBe('closed\n');
  });

  it('may exit, and stop a worker, while tokens are generated', () => {
    const script = new Script('slow engine token 30');
    const exit = `(async () => { ${untilCalled(script, 'engine_step')} process.exit(0); })();`;
    runNode(project, `${engineOf(script)} ${exit} ${forEver}`);
    expect(script.calls()).toContain('engine_step');
    writeFileSync(join(project, 'engine.mjs'), `${engineOf(script)} ${forEver}`);
    const out = runNode(
      project,
      `import { Worker } from 'node:worker_threads';
       for (let i = 0; i < 5; i++) {
         const worker = new Worker('./engine.mjs');
         await new Promise((told) => worker.on('message', (kind) => kind === 'token' && told()));
         console.log('worker ended', await worker.terminate());
       }`,
    );
    expect(out).toBe('worker ended 1\n'.repeat(5));
    expect(script.calls().slice(-2)).toEqual(['engine_close', 'model_close']);
  });

  it('may use it from several worker threads', () => {
    const script = new Script('slow engine token 5');
    const run = 'let n = 0; for await (const { kind } of engine.submit({ prompt: [1] })) if (kind === "token") n++;';
    writeFileSync(join(project, 'several.mjs'), `${engineOf(script)} ${run} parentPort.postMessage(n);`);
    const out = runNode(
      project,
      `import { Worker } from 'node:worker_threads';
       for (let i = 0; i < 3; i++) new Worker('./several.mjs').on('message', console.log);`,
    );
    expect(out).toBe('32\n'.repeat(3));
  });

  it('does not keep memory of what was generated', () => {
    const script = new Script();
    const out = runNode(
      project,
      `${engineOf(script)}
       const use = async () => { for await (const _ of engine.submit({ prompt: [1], logprobs: 16 })); };
       const memory = () => { gc(); return process.memoryUsage().rss / 2 ** 20; };
       for (let i = 0; i < 200; i++) await use();
       const before = memory();
       for (let i = 0; i < 400; i++) await use();
       console.log(memory() - before < 20); await model.close();`,
      ['--expose-gc'],
    );
    expect(out).toBe('true\n');
  });
});
