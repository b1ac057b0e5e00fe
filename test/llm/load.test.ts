/** Loading: what is looked for, what is said where it is missing, and that nothing stays. */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type LoadProgress, loadModel, RealizarError } from '../../runtime/index.js';
import { cli, hostArtifact, ROOT, runProgram } from '../support/artifacts.js';
import { readGolden } from '../support/goldens.js';
import { temporaryFolder, tinyModel, writeModel } from '../support/tiny_models.js';
import { STORYTELLER, storyteller } from './support.js';

const bundled = storyteller('load');
const golden = readGolden('llama-q8_0');
let withoutText: string;
beforeAll(async () => {
  withoutText = await hostArtifact('llm/load-tiny', writeModel(tinyModel(), 'tiny.gguf'));
});

const refused = (statusName: string, message: RegExp) => ({ statusName, message: expect.stringMatching(message) });

describe('a model', () => {
  it('says what it is', async () => {
    const { info } = await bundled.load({ context: 100, sequences: 2, kvMemory: 1 << 20 });
    expect(info).toMatchObject({
      name: 'storyteller-q8_0',
      architecture: 'llama',
      context: 100,
      compiledContext: 512,
      vocabSize: 909,
      parameters: 3_380_736,
      sequences: 2,
      sessions: 2,
      target: 'host',
      endTokens: [2, 0],
      bosToken: 0,
      canChat: true,
      modelPath: STORYTELLER,
      artifactPath: bundled.folder,
    });
    expect(info.weightsBytes).toBeGreaterThan(info.parameters);
    expect(info.sessionBytes).toBeGreaterThan(2 ** 20);
    expect(info.kvBytes).toBeGreaterThan(2 ** 18);
    expect(info.kvBytes).toBeLessThanOrEqual(2 ** 20);
  });

  it('reports its phases in order, each begun and ended', async () => {
    const heard: string[] = [];
    await bundled.load({ onProgress: ({ phase, done, total }) => heard.push(`${phase} ${done / total}`) });
    for (const phase of ['text', 'driver', 'file', 'code', 'memory', 'weights', 'engine']) {
      expect(heard).toContain(`${phase} 0`);
      expect(heard.indexOf(`${phase} 1`)).toBeGreaterThan(heard.indexOf(`${phase} 0`));
    }
    expect(heard.at(-1)).toBe('engine 1');
  });

  it('lives beside others in one process, which fail alone', async () => {
    const prompt = 'Once upon a time';
    const models = await Promise.all([bundled.load(), bundled.load(), bundled.load({ context: 4 })]);
    const results = await Promise.allSettled(models.map((model) => model.generate(prompt, { maxTokens: 5 }).result));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    await models[0]!.close();
    expect((await models[1]!.generate(prompt, { maxTokens: 5 }).result).completionTokens).toBe(5);
  });
});

describe('the model file', () => {
  /** A copy of the artifact, and its note of where the model is. A process loads a library once, so each has its own. */
  const copy = (name: string) => {
    const moved = join(temporaryFolder, name);
    cpSync(bundled.folder, moved, { recursive: true });
    return { moved, record: join(moved, 'model-path.json') };
  };

  it('is where it was compiled from, or in the folder of the artifact', async () => {
    expect(JSON.parse(readFileSync(join(bundled.folder, 'model-path.json'), 'utf8'))).toEqual({ model: STORYTELLER });
    const { moved, record } = copy('moved');
    writeFileSync(record, JSON.stringify({ model: '/nowhere/storyteller-q8_0.gguf' }));
    await expect(loadModel(moved)).rejects.toMatchObject(
      refused(
        'NO_MODEL_FILE',
        /looked for \/nowhere\/storyteller-q8_0\.gguf and .*moved\/storyteller-q8_0\.gguf; name/,
      ),
    );
    copyFileSync(STORYTELLER, join(moved, 'storyteller-q8_0.gguf'));
    const model = await loadModel(moved);
    expect(model.info.modelPath).toBe(join(moved, 'storyteller-q8_0.gguf'));
    await model.close();
  });

  it('has to be named where the artifact does not know', async () => {
    const { moved, record } = copy('unknown');
    const elsewhere = join(temporaryFolder, 'elsewhere.json');
    writeFileSync(elsewhere, JSON.stringify({ model: STORYTELLER }));
    const file = (content: string) => () => writeFileSync(record, content);
    const others = [
      () => {},
      () => symlinkSync(elsewhere, record),
      () => execFileSync('mkfifo', [record]),
      () => mkdirSync(record),
      file(`{"model":"${'x'.repeat(1 << 17)}"}`),
      file('['.repeat(1e4)),
    ];
    const contents = ['{', '{}', '7', 'null', '[]', '{"model":3}', '{"model":""}'].map(file);
    for (const put of [...contents, ...others]) {
      rmSync(record, { force: true, recursive: true });
      put();
      await expect(loadModel(moved)).rejects.toMatchObject(
        refused('NO_MODEL_FILE', /model-path\.json does not say where the model is: .*options\.model/),
      );
    }
    rmSync(record, { force: true });
    await (await loadModel(moved, { model: STORYTELLER })).close();
    const { code } = await cli(['verify', moved]);
    expect(code).toBe(0);
  });

  it('is noted anew where nothing else is', async () => {
    const [folder, first, second] = ['artifact', 'first', 'second'].map((name) => join(temporaryFolder, 'noted', name));
    for (const parent of [first!, second!]) mkdirSync(parent, { recursive: true });
    const note = () => JSON.parse(readFileSync(join(folder!, 'model-path.json'), 'utf8'));
    const compile = (model: string) => cli([model, '--target', 'host', '--no-build', '-o', folder!]);
    copyFileSync(golden.model, join(first!, 'm.gguf'));
    await compile(join(first!, 'm.gguf'));
    expect(note()).toEqual({ model: join(first!, 'm.gguf') });
    renameSync(join(first!, 'm.gguf'), join(second!, 'm.gguf'));
    expect((await compile(join(second!, 'm.gguf'))).stderr).toContain('up to date');
    expect(note()).toEqual({ model: join(second!, 'm.gguf') });
    const manifest = JSON.parse(readFileSync(join(folder!, 'manifest.json'), 'utf8'));
    expect(Object.keys(manifest.files)).not.toContain('model-path.json');
  });
});

describe('what cannot be loaded', () => {
  it.each([
    [{ context: 513 }, 'INVALID_ARGUMENT', /options\.context must be an integer from 1 to 512, .*; got 513/],
    [{ context: 0 }, 'INVALID_ARGUMENT', /options\.context must be an integer from 1 to 512, .*; got 0/],
    [{ context: 1.5 }, 'INVALID_ARGUMENT', /options\.context/],
    [{ sessions: 0 }, 'INVALID_ARGUMENT', /options\.sessions must be an integer from 1 to 1024; got 0/],
    [{ sessions: 1025 }, 'INVALID_ARGUMENT', /options\.sessions must be an integer from 1 to 1024; got 1025/],
    [{ sessions: 1.5 }, 'INVALID_ARGUMENT', /options\.sessions/],
    [{ sequences: -1 }, 'INVALID_ARGUMENT', /options\.sequences must be an integer from 0 to 1024; got -1/],
    [{ sequences: 2, sessions: 2 }, 'INVALID_ARGUMENT', /options\.sessions must be left out where options\.sequences/],
    [{ kvMemory: -1 }, 'INVALID_ARGUMENT', /options\.kvMemory must be an integer from 0/],
    [{ kvMemory: 1 }, 'INVALID_ARGUMENT', /1 bytes of KV cache are too few: a sequence of 512 positions takes/],
    [{ sequences: 100 }, 'INVALID_ARGUMENT', /options\.sequences is 100; at most 64 run at once/],
    [{ deterministic: 'yes' }, 'INVALID_ARGUMENT', /options\.deterministic must be true or false/],
    [{ device: -1 }, 'INVALID_ARGUMENT', /options\.device/],
    [{ model: '' }, 'INVALID_ARGUMENT', /options\.model must be a path/],
    [{ chatTemplate: 'llama' }, 'INVALID_ARGUMENT', /options\.chatTemplate/],
    [{ chatTemplate: { source: '' } }, 'INVALID_ARGUMENT', /options\.chatTemplate must be .*Jinja/],
    [{ chatTemplate: { file: 'a.jinja' } }, 'INVALID_ARGUMENT', /options\.chatTemplate/],
    [{ toolFormat: 'other' }, 'INVALID_ARGUMENT', /options\.toolFormat must be one of auto, none, harmony, /],
    [{ onProgress: 1 }, 'INVALID_ARGUMENT', /options\.onProgress must be a function/],
    [{ signal: 1 }, 'INVALID_ARGUMENT', /options\.signal/],
    [{ modle: 'x' }, 'INVALID_ARGUMENT', /each name must be one of model, context/],
    [{ model: golden.model }, 'MODEL_MISMATCH', /llama-q8_0/],
    [{ model: join(ROOT, 'package.json') }, 'MODEL_MISMATCH', /package\.json/],
    [{ model: '/nowhere/model.gguf' }, 'IO', /\/nowhere\/model\.gguf/],
  ])('%j', async (options, statusName, message) => {
    const error: unknown = await loadModel(bundled.folder, options as never).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(RealizarError);
    expect(error).toMatchObject(refused(statusName, message));
  });

  it('a context beyond the one compiled for, before anything is loaded', async () => {
    const heard: string[] = [];
    const options = { context: 513, onProgress: ({ phase }: LoadProgress) => heard.push(phase) };
    await expect(loadModel(bundled.folder, options)).rejects.toMatchObject(refused('INVALID_ARGUMENT', /got 513/));
    expect(heard).toEqual([]);
  });

  it('a context where the manifest does not say which was compiled for, or is wrong about it', async () => {
    const folder = join(temporaryFolder, 'context');
    cpSync(bundled.folder, folder, { recursive: true });
    const path = join(folder, 'manifest.json');
    const { contextLength: _, ...manifest } = JSON.parse(readFileSync(path, 'utf8'));
    for (const [contextLength, statusName, message] of [
      [undefined, 'BAD_ARTIFACT', /manifest\.json: contextLength: expected a whole number from 0, found nothing/],
      [1024, 'BAD_ARTIFACT', /manifest\.json was changed since it was written/],
    ] as const) {
      writeFileSync(path, JSON.stringify({ ...manifest, contextLength }));
      await expect(loadModel(folder, { context: 513 })).rejects.toMatchObject(refused(statusName, message));
    }
    // The library has the last word.
    const unchecked = loadModel(folder, { context: 513, checkLibrary: false });
    await expect(unchecked).rejects.toMatchObject(refused('INVALID_ARGUMENT', /from 1 to 512.*got 513/));
  });

  describe('what is no artifact', () => {
    const place = (name: string, files: Record<string, string> = {}) => {
      const folder = join(temporaryFolder, 'no artifacts', name);
      mkdirSync(folder, { recursive: true });
      for (const [file, content] of Object.entries(files)) writeFileSync(join(folder, file), content);
      return folder;
    };
    const made = /expected an artifact, the folder that realizar-compile makes .*npx realizar-compile MODEL -o DIR/;
    const file = join(place('files', { 'notes.txt': 'notes', model: 'GGUF\x03' }), 'notes.txt');
    it.each([
      ['nothing', '/nowhere', /^\/nowhere: there is no such folder; /],
      [
        'something below a file',
        join(file, 'below'),
        /notes\.txt\/below: there is no such folder; |cannot be read: ENOTDIR/,
      ],
      ['a file', file, /notes\.txt: this is a file; /],
      ['a device', '/dev/null', /^\/dev\/null: this is no folder; /],
      ['a folder', place('empty'), /empty: no artifact here, since it has no manifest\.json; /],
    ])('%s', async (_, path, found) => {
      for (const options of [{}, { model: STORYTELLER }, { context: 7 }]) {
        await expect(loadModel(path, options)).rejects.toMatchObject(refused('BAD_ARTIFACT', found));
        await expect(loadModel(path, options)).rejects.toMatchObject(refused('BAD_ARTIFACT', made));
      }
    });

    const saved = place('saved', { 'config.json': '{}', 'model.safetensors': '' });
    const beside = place('beside', { 'it is.gguf': '' });
    it.each([
      ['a GGUF file', STORYTELLER, STORYTELLER],
      ['one without its ending', join(place('files'), 'model'), "'.*/no artifacts/files/model'"],
      ['a folder of transformers', saved, "'.*/saved'"],
      ['a folder with a GGUF file', beside, "'.*/beside/it is\\.gguf'"],
    ])('%s: how one is made of it', async (_, path, model) => {
      const how = new RegExp(`: .*model.*; compile it first, npx realizar-compile ${model}, and name the folder`);
      await expect(loadModel(path)).rejects.toMatchObject(refused('BAD_ARTIFACT', how));
    });
  });

  it('a folder that is no path', async () => {
    await expect(loadModel(3 as never)).rejects.toMatchObject(refused('INVALID_ARGUMENT', /artifactDir/));
  });

  it('a model file without a vocabulary', async () => {
    await expect(loadModel(withoutText)).rejects.toMatchObject(refused('BAD_VOCABULARY', /tokenizer/));
  });

  it('what its signal says', async () => {
    const before = AbortSignal.abort(new Error('before'));
    await expect(loadModel(bundled.folder, { signal: before })).rejects.toBe(before.reason);
    const controller = new AbortController();
    let reports = 0;
    const onProgress = () => {
      reports++;
      controller.abort(new Error('while it loads'));
    };
    await expect(loadModel(bundled.folder, { signal: controller.signal, onProgress })).rejects.toThrow(
      'while it loads',
    );
    await bundled.load(); // longer than what is left of the other
    expect(reports).toBe(1);
    const after = new AbortController();
    const model = await bundled.load({ signal: after.signal });
    after.abort();
    expect((await model.generate('Once', { maxTokens: 1 }).result).completionTokens).toBe(1);
  });
});

/** Runs a module in a process of its own, `dist/` being what `make build` makes; resolves with what it printed. */
async function inProcess(source: string): Promise<string> {
  const entry = join(ROOT, 'dist/runtime/index.js');
  expect(existsSync(entry)).toBe(true);
  const head = `import { loadModel } from ${JSON.stringify(entry)}; const folder = ${JSON.stringify(bundled.folder)};`;
  const exit = await runProgram(process.execPath, ['--expose-gc', '--input-type=module', '-e', head + source]);
  expect(exit).toMatchObject({ code: 0, stderr: '' });
  return exit.stdout;
}

describe('a process', () => {
  it('has its memory back after many loads', async () => {
    const printed = await inProcess(`
      const use = async () => {
        const model = await loadModel(folder, { sequences: 2 });
        await model.generate('Once', { maxTokens: 1 }).result;
        await model.applyChatTemplate([{ role: 'user', content: 'Hi' }]);
        await model.close();
      };
      const memory = () => { gc(); return process.memoryUsage().rss / 2 ** 20; };
      for (let i = 0; i < 20; i++) await use(); // until the heaps of threads and V8 have their sizes
      const before = memory();
      for (let i = 0; i < 40; i++) await use();
      console.log(memory() - before);`);
    expect(Number(printed)).toBeLessThan(60); // one load has 3.4 MiB of weights and 2 MiB of KV caches: 40 lose 80 of either
  });

  it('closes, whatever its threads are still doing', async () => {
    const printed = await inProcess(`
      const model = await loadModel(folder);
      console.log((await model.tokenizeAsync('Once '.repeat(5000))).length > 5000 - 1);
      await model.generate('Once', { maxTokens: 2, format: { regex: '[a-z ]+' } }).result;
      const asked = model.tokenizeAsync('Once '.repeat(5000)).catch(() => {}); // an answer may come late
      await model.close();
      await asked;
      console.log('closed');`);
    expect(printed).toBe('true\nclosed\n');
  });

  it('ends by itself, whatever was left open', async () => {
    const printed = await inProcess(`
      const model = await loadModel(folder);
      console.log((await model.chat().send('What is 3 plus 4?').result).text);`);
    expect(printed).toBe('3 plus 4 is 7.\n');
  });

  it('loads a model by its binding, and has it closed at the end of the block', async () => {
    const printed = await inProcess(`
      const { storytellerQ8_0 } = await import(folder + '/index.mjs');
      const model = await storytellerQ8_0.load({ context: 64 });
      const { text } = await model.chat().send('What is 3 plus 4?').result;
      console.log(model.info.vocabSize === storytellerQ8_0.vocabSize, text);
      await model[Symbol.asyncDispose]();
      try { model.generate('x'); } catch ({ statusName }) { console.log(statusName); }`);
    expect(printed).toBe('true 3 plus 4 is 7.\nCLOSED\n');
  });

  it('does not die of a failure that nobody looks at', async () => {
    const printed = await inProcess(`
      const model = await loadModel(folder, { context: 4 });
      model.generate('Once upon a time, there was');
      for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve, 10));
      console.log((await model.generate('Once', { maxTokens: 1 }).result).completionTokens);
      await model.close();`);
    expect(printed).toBe('1\n');
  });
});
