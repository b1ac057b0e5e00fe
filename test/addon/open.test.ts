import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { openModel, RealizarError } from '../../runtime/addon/index.js';
import { manifestText, sha256 } from '../../runtime/artifact_folder/manifest.js';
import { buildAddon, buildArtifact, mockManifest, Script, temporaryDirectory } from './support.js';

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

function copyOfArtifact(): string {
  const dir = temporaryDirectory();
  cpSync(artifact, dir, { recursive: true });
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
    for (const value of [null, [], 7, {}]) await expectBad(manifest(value), /not a manifest of realizar-compile/);
    await expectBad(manifest({ format: 'realizar-artifact', version: 1 }), /manifest version 1, this compiler reads 3/);
    await expectBad(manifest({ ...mockManifest({}), library: 7 }), /library: expected a text of .*, found 7/);
    const nested = `{"format": ${'['.repeat(100_000)}`;
    await expectBad(manifest(nested), /manifest\.json: not JSON: nested deeper than 32/);
    const fifo = temporaryDirectory();
    execFileSync('mkfifo', [join(fifo, 'manifest.json')]);
    await expectBad(fifo, /manifest\.json is not an ordinary file/);
  });

  it('names no library, or one outside itself, or none that is there', async () => {
    const hash = sha256('');
    await expectBad(manifest(mockManifest({}, '')), /names no library/);
    await expectBad(manifest(mockManifest({})), /has no SHA-256 of its library/);
    for (const name of ['/usr/lib/libc.so.6', '../libmock.so', '..', '.', '', 'a/b.so'])
      await expectBad(manifest({ ...mockManifest({}), library: name }), /was changed since it was written/);
    for (const name of ['/usr/lib/libc.so.6', '../libmock.so', '..', '.', 'a/b.so'])
      await expectBad(manifest(mockManifest({ [name]: hash }, name)), /is no name of a file in this folder/);
    await expectBad(manifest(mockManifest({ 'libgone.so': hash }, 'libgone.so')), /libgone\.so: missing/);
  });

  it('has a library that is not the one in its manifest: it is not loaded, whatever it is', async () => {
    const whole = readFileSync(join(artifact, 'libmock.so'));
    const flipped = Buffer.from(whole);
    flipped[whole.length >> 1]! ^= 4;
    const damaged = [
      whole.subarray(0, whole.length >> 1),
      whole.subarray(0, 4096),
      Buffer.alloc(0),
      Buffer.concat([whole.subarray(0, 8192), Buffer.alloc(whole.length - 8192)]),
      Buffer.from('GROUP ( /lib/x86_64-linux-gnu/libc.so.6 )'),
      flipped,
    ];
    for (const bytes of damaged) {
      const dir = copyOfArtifact();
      writeFileSync(join(dir, 'libmock.so'), bytes);
      await expectBad(dir, /libmock\.so: changed since it was built; compile the model/);
    }
    const link = copyOfArtifact();
    rmSync(join(link, 'libmock.so'));
    symlinkSync(join(artifact, 'libmock.so'), join(link, 'libmock.so'));
    await expectBad(link, /libmock\.so: is a link out of the artifact, to .*put the file itself there/);
    const directory = copyOfArtifact();
    rmSync(join(directory, 'libmock.so'));
    mkdirSync(join(directory, 'libmock.so'));
    await expectBad(directory, /libmock\.so: is not an ordinary file/);
  });

  it('is loaded without that comparison where the caller says so, and never from outside itself', async () => {
    const dir = copyOfArtifact();
    writeFileSync(
      join(dir, 'libmock.so'),
      Buffer.concat([readFileSync(join(artifact, 'libmock.so')), Buffer.alloc(1)]),
    );
    await (await openModel(dir, { model: new Script().path, checkLibrary: false })).close();
    rmSync(join(dir, 'libmock.so'));
    symlinkSync(join(artifact, 'libmock.so'), join(dir, 'libmock.so'));
    const opened = openModel(dir, { model: new Script().path, checkLibrary: false });
    await expect(opened).rejects.toMatchObject({ statusName: 'BAD_ARTIFACT' });
  });

  it('is not signed by the owner of the key that is asked for', async () => {
    const keys = temporaryDirectory();
    const [mine, theirs] = ['mine', 'theirs'].map((name) => {
      const { privateKey, publicKey } = generateKeyPairSync('ed25519');
      writeFileSync(join(keys, name), publicKey.export({ type: 'spki', format: 'pem' }));
      return privateKey;
    }) as [KeyObject, KeyObject];
    const dir = copyOfArtifact();
    const open = (name: string) => openModel(dir, { model: new Script().path, key: join(keys, name) });
    await expect(open('mine')).rejects.toThrow(/manifest\.sig: missing/);
    writeFileSync(join(dir, 'manifest.sig'), sign(null, readFileSync(join(dir, 'manifest.json')), mine));
    await (await open('mine')).close();
    await expect(open('theirs')).rejects.toThrow(/manifest\.sig: no signature of manifest\.json with this key/);
    await expect(open('none')).rejects.toMatchObject({ statusName: 'INVALID_ARGUMENT' });
    writeFileSync(join(dir, 'manifest.json'), `${readFileSync(join(dir, 'manifest.json'), 'utf8')} `);
    await expect(open('mine')).rejects.toMatchObject({ statusName: 'BAD_ARTIFACT' });
    expect(theirs.type).toBe('private');
  });

  it('holds something that is no library, or another one', async () => {
    const text = copyOfArtifact();
    writeFileSync(join(text, 'libmock.so'), 'not an ELF file');
    writeFileSync(join(text, 'manifest.json'), manifestText(mockManifest({ 'libmock.so': sha256('not an ELF file') })));
    await expectBad(text, /libmock\.so/);
    const source = join(temporaryDirectory(), 'other.c');
    writeFileSync(source, 'int other(void) { return 0; }\n');
    await expectBad(buildArtifact(temporaryDirectory(), { source }), /exports no realizar_get_info/);
    const newer = buildArtifact(temporaryDirectory(), { flags: ['-DMOCK_ABI_VERSION=99'] });
    await expectBad(newer, /ABI version 99, but this addon needs 9; compile the model again/);
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
    ['options.checkLibrary', '.', { model: 'x', checkLibrary: 0 }],
    ['options.key', '.', { model: 'x', key: 7 }],
    ['options.onProgress', '.', { model: 'x', onProgress: 'log' }],
  ];
  it.each(cases)('%s is checked (%#)', async (name, directory, options) => {
    const opened = openModel(directory as string, options as { model: string });
    await expect(opened).rejects.toMatchObject({ name: 'RealizarError', statusName: 'INVALID_ARGUMENT' });
    await expect(opened).rejects.toThrow(new RegExp(`^${name} must be`));
  });
});
