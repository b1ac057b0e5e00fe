import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { openModel, RealizarError } from '../../runtime/addon/index.js';
import { buildAddon, buildArtifact, Script, temporaryDirectory } from './support.js';

let artifact: string;
beforeAll(() => {
  buildAddon();
  artifact = buildArtifact(temporaryDirectory());
}, 300_000);

function manifest(value: unknown): string {
  const dir = temporaryDirectory();
  writeFileSync(join(dir, 'manifest.json'), typeof value === 'string' ? value : JSON.stringify(value));
  return dir;
}

describe('openModel', () => {
  it('tells what was compiled', async () => {
    const model = await openModel(artifact, { model: new Script().path });
    expect(model.deviceName).toBe('mock device');
    expect(model.info).toEqual({
      compilerVersion: '0.0.0',
      name: 'mock',
      architecture: 'none',
      target: 'host',
      gpuArchs: ['sm_1', 'sm_2'],
      vocabSize: 16,
      contextLength: 32,
      embeddingLength: 8,
      layerCount: 1,
      headCount: 2,
      headCountKv: 1,
      headSize: 4,
      nodeCount: 7,
      weightsBytes: 2 ** 40,
      kvCacheBytes: 64,
      arenaBytes: 32,
      fileBytes: 3,
      headerSha256: '00ff',
      tokenReadBytes: 5,
      kvRowBytes: 2,
    });
    await model.close();
  });

  it('tells what of the KV cache a token reads, until it is closed', async () => {
    const model = await openModel(artifact, { model: new Script().path });
    expect([0, 3, 5, 32].map((positions) => model.kvReadBytes(positions))).toEqual([0, 6, 8, 8]);
    for (const positions of [-1, 1.5, 33, Number.NaN])
      expect(() => model.kvReadBytes(positions)).toThrow(/^positions must be an integer from 0 to 32/);
    await model.close();
    expect(() => model.kvReadBytes(1)).toThrow(expect.objectContaining({ statusName: 'CLOSED' }));
  });

  it('measures what the device can read, until it is closed', async () => {
    const model = await openModel(artifact, { model: new Script().path });
    expect(await model.measureReadCeiling()).toBe(2.5e12);
    await model.close();
    await expect(model.measureReadCeiling()).rejects.toMatchObject({ statusName: 'CLOSED' });
  });

  it('hands the options on, and takes URLs', async () => {
    const script = new Script();
    const options = { model: pathToFileURL(script.path), device: 2, orderSeed: 2 ** 32 - 1, poison: true };
    await (await openModel(pathToFileURL(artifact), options)).close();
    expect(script.calls()).toEqual(['open device=2 order_seed=4294967295 poison=1', 'model_close']);
  });

  it('delivers every progress report before it resolves', async () => {
    const reports: unknown[] = [];
    const model = await openModel(artifact, { model: new Script().path, onProgress: (report) => reports.push(report) });
    expect(reports).toEqual([1, 2, 3].map((done) => ({ phase: 'upload', done, total: 3 })));
    await model.close();
  });

  it('rejects with what onProgress threw, and frees the model', async () => {
    const script = new Script();
    const onProgress = () => {
      throw new Error('stop');
    };
    await expect(openModel(artifact, { model: script.path, onProgress })).rejects.toThrow('stop');
    expect(script.calls().at(-1)).toBe('model_close');
  });

  it('rejects with the status and the text of the library', async () => {
    const missing = openModel(artifact, { model: '/nowhere/x.gguf' });
    await expect(missing).rejects.toThrow(RealizarError);
    await expect(missing).rejects.toMatchObject({ status: 2, message: '/nowhere/x.gguf: cannot be opened' });
    const failing = openModel(artifact, { model: new Script('fail model_open 8').path });
    await expect(failing).rejects.toMatchObject({
      status: 8,
      statusName: 'DRIVER',
      message: 'the script fails model_open',
    });
  });
});

describe('a directory that is no artifact', () => {
  const expectBad = async (dir: string, message: RegExp) => {
    const opened = openModel(dir, { model: new Script().path });
    await expect(opened).rejects.toMatchObject({ name: 'RealizarError', statusName: 'BAD_ARTIFACT' });
    await expect(opened).rejects.toThrow(message);
  };

  it('is missing, or holds no readable manifest', async () => {
    await expectBad('/nowhere', /^\/nowhere: there is no such folder/);
    await expectBad(manifest('{"library"'), /manifest\.json: not JSON/);
    await expectBad(manifest('null'), /names no library/);
    await expectBad(manifest([]), /names no library/);
    await expectBad(manifest({ library: 7 }), /names no library/);
  });

  it('names a library outside itself, or none that is there', async () => {
    await expectBad(manifest({ library: '/usr/lib/libc.so.6' }), /inside the artifact/);
    await expectBad(manifest({ library: '../libmock.so' }), /inside the artifact/);
    await expectBad(manifest({ library: '..' }), /inside the artifact/);
    await expectBad(manifest({ library: 'libgone.so' }), /not there.*libgone\.so/s);
  });

  it('holds something that is no library, or another one', async () => {
    const text = manifest({ library: 'libmock.so' });
    writeFileSync(join(text, 'libmock.so'), 'not an ELF file');
    await expectBad(text, /libmock\.so/);
    const directory = manifest({ library: 'libmock.so' });
    mkdirSync(join(directory, 'libmock.so'));
    await expectBad(directory, /libmock\.so/);

    const source = join(temporaryDirectory(), 'other.c');
    writeFileSync(source, 'int other(void) { return 0; }\n');
    await expectBad(buildArtifact(temporaryDirectory(), { source }), /exports no realizar_get_info/);
    const newer = buildArtifact(temporaryDirectory(), { flags: ['-DMOCK_ABI_VERSION=99'] });
    await expectBad(newer, /ABI version 99, but this addon needs 4; compile the model again/);
  });

  it('was built again after it had been opened: the old code is not used silently', async () => {
    const dir = buildArtifact(temporaryDirectory());
    const link = join(temporaryDirectory(), 'link');
    symlinkSync(dir, link);
    await (await openModel(dir, { model: new Script().path })).close();
    await (await openModel(link, { model: new Script().path })).close();
    buildArtifact(dir);
    await expectBad(dir, /built again after this process had loaded it/);
    rmSync(dir, { recursive: true });
    await expectBad(dir, /there is no such folder/);
  });
});

describe('arguments of openModel', () => {
  const script = new Script();
  const cases: [string, unknown, unknown][] = [
    ['artifactDirectory', 7, { model: script.path }],
    ['artifactDirectory', 'a\0b', { model: script.path }],
    ['artifactDirectory', new URL('https://example.com/x'), { model: script.path }],
    ['options', artifact, undefined],
    ['options', artifact, null],
    ['options.model', '.', {}],
    ['options.model', '.', { model: '' }],
    ['options.model', '.', { model: Buffer.from('x') }],
    ['options.device', '.', { model: 'x', device: -1 }],
    ['options.device', '.', { model: 'x', device: 2 ** 31 }],
    ['options.device', '.', { model: 'x', device: Number.NaN }],
    ['options.device', '.', { model: 'x', device: '0' }],
    ['options.orderSeed', '.', { model: 'x', orderSeed: 2 ** 32 }],
    ['options.orderSeed', '.', { model: 'x', orderSeed: 1.5 }],
    ['options.poison', '.', { model: 'x', poison: 1 }],
    ['options.onProgress', '.', { model: 'x', onProgress: 'log' }],
  ];
  it.each(cases)('%s is checked (%#)', async (name, directory, options) => {
    const opened = openModel(directory as string, options as { model: string });
    await expect(opened).rejects.toMatchObject({ name: 'RealizarError', statusName: 'INVALID_ARGUMENT' });
    await expect(opened).rejects.toThrow(new RegExp(`^${name} must be`));
  });
});
