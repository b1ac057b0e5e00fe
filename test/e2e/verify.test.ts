/** What verify, inspect and compile make of artifacts that were changed, in every way that somebody could. */
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { compile } from '../../compiler/compile.js';
import { inspectArtifact } from '../../compiler/inspect_artifact.js';
import type { Plan } from '../../compiler/plan/plan.js';
import { type VerifyOptions, verifyArtifact } from '../../compiler/verify_artifact.js';
import { type Manifest, manifestText, sealed, sha256 } from '../../runtime/artifact_folder/manifest.js';
import { privateKey, publicKey } from '../../runtime/artifact_folder/signature.js';
import { CompileError } from '../../runtime/common/errors.js';
import { cli, hostArtifact } from '../support/artifacts.js';
import { emptyFolder } from '../support/folders.js';
import { readGolden } from '../support/goldens.js';
import { temporaryFolder } from '../support/tiny_models.js';

const golden = readGolden('llama-q8_0').model;
const library = 'libm.so';
let cwd: string;
let model: string;
let shelf: string;
let artifact: string;

beforeAll(async () => {
  shelf = emptyFolder(temporaryFolder);
  copyFileSync(golden, join(shelf, 'm.gguf'));
  artifact = await hostArtifact('verify', join(shelf, 'm.gguf'));
});
beforeEach(() => {
  cwd = emptyFolder(temporaryFolder);
  model = join(cwd, 'm.gguf');
  copyFileSync(golden, model);
  cpSync(artifact, join(cwd, 'copy'), { recursive: true });
});

const copy = () => join(cwd, 'copy');
const manifestOf = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
const write = (name: string, content: string | Buffer) => writeFileSync(join(copy(), name), content);

/** What an attacker does who knows the format: every hash is right again. */
function reseal(change: (manifest: Manifest) => object = (manifest) => manifest): void {
  const { manifestSha256: _, ...old } = manifestOf(copy());
  const names = Object.keys(old.files);
  const files = Object.fromEntries(names.map((name) => [name, sha256(readFileSync(join(copy(), name)))]));
  write('manifest.json', manifestText(sealed(change({ ...old, files } as Manifest) as Manifest)));
}

const refused = async (message: RegExp, options: VerifyOptions = {}) => {
  const verified = verifyArtifact(copy(), options);
  await expect(verified).rejects.toThrow(message);
  await expect(verified).rejects.toThrow(CompileError);
};

describe('what is compared', () => {
  test('is said, line by line', async () => {
    expect(await verifyArtifact(artifact)).toBe(`${artifact}: as it was made
  manifest   unchanged by its own hash, and what the plan says
  files      9 files unchanged since the build, by the manifest's hashes
  source     what realizar-compile 0.1.0 emits for its plan
  library    ${library} and replay not built again; --rebuild does
  weights    not read; --weights reads them
  signature  not looked at; --key checks it
`);
  });

  test('a model is the same whatever it is called and wherever it lies', async () => {
    const moved = join(cwd, 'another name.gguf');
    renameSync(model, moved);
    expect(await verifyArtifact(artifact, { model: moved, weights: true })).toContain(`emits for ${moved}`);
  });

  test('lines and indents of the manifest are not', async () => {
    write('manifest.json', JSON.stringify(manifestOf(copy())));
    expect(await verifyArtifact(copy())).toContain('as it was made');
  });
});

describe('the manifest', () => {
  const changes: [string, (manifest: Manifest) => object][] = [
    ['name', (m) => ({ ...m, name: 'other' })],
    ['architecture', (m) => ({ ...m, architecture: 'qwen2' })],
    ['target', (m) => ({ ...m, target: 'cuda' })],
    ['archs', (m) => ({ ...m, archs: ['sm_80'] })],
    ['cuda', (m) => ({ ...m, cuda: { toolkit: '13.0', leastDriver: '13.0' } })],
    ['sanitize', (m) => ({ ...m, sanitize: true })],
    ['model', (m) => ({ ...m, model: { ...m.model, fileBytes: 1 } })],
    ['model', (m) => ({ ...m, model: { ...m.model, headerSha256: sha256('x') } })],
    ['memory', (m) => ({ ...m, memory: { ...m.memory, kvCacheBytes: 1 } })],
    ['contextLength', (m) => ({ ...m, contextLength: 10 ** 15 })],
    ['nodeCount', (m) => ({ ...m, nodeCount: 1 })],
    ['library', (m) => ({ ...m, library: 'replay' })],
    ['inputsSha256', (m) => ({ ...m, inputsSha256: sha256('x') })],
  ];

  test.each(changes)('is known to be edited: %s (%#)', async (field, change) => {
    write('manifest.json', manifestText(change(manifestOf(copy())) as Manifest));
    await refused(/manifest\.json: changed since it was written/);
    // Also where its own hash was made right: it is not what the plan says.
    reseal(change);
    const shows = field === 'cuda' || field === 'sanitize' ? 'inputsSha256' : field;
    await refused(field === 'library' ? /"library" is "replay"/ : new RegExp(`manifest\\.json: "${shows}" is`));
  });

  test('is known to be edited together with the library', async () => {
    write(library, Buffer.concat([readFileSync(join(copy(), library)), Buffer.from('more')]));
    await refused(/libm\.so: changed since it was built/);
    const manifest = manifestOf(copy());
    const files = { ...manifest.files, [library]: sha256(readFileSync(join(copy(), library))) };
    write('manifest.json', manifestText({ ...manifest, files }));
    await refused(/manifest\.json: changed since it was written/);
  });

  test('is known to be edited with every hash made right, by building again', async () => {
    write('replay', Buffer.concat([readFileSync(join(copy(), 'replay')), Buffer.from('more')]));
    reseal();
    expect(await verifyArtifact(copy())).toContain('replay not built again');
    // And the library, which nobody changed, is what is built.
    await refused(/what it should be:\n {2}replay: not what its source builds to here; .*\n[^ ]/, { rebuild: true });
  }, 600_000);

  const hash = sha256('x');
  const odd: [string, unknown, RegExp][] = [
    ['a list', [], /not a manifest/],
    ['null', null, /not a manifest/],
    ['one of version 1', { format: 'realizar-artifact', version: 1 }, /version 1, this compiler reads 3; compile/],
    [
      'a version that is long',
      { format: 'realizar-artifact', version: 'v'.repeat(1e6) },
      /manifest version "v{10,30},/,
    ],
    ['files that are texts', { files: 'x' }, /files: expected a table, found "x"/],
    ['hashes that are none', { files: { a: 7 } }, /files\["a"\]: expected a SHA-256 .* found 7/],
    ['a name that is none', { name: 7 }, /name: expected a text .* found 7/],
    ['a long name', { name: 'n'.repeat(1e6) }, /name: expected a text of at most 4096 characters, found "n{40}\.\.\."/],
    ['archs that are a text', { archs: 'sm_80' }, /archs: expected a list, found "sm_80"/],
    [
      'negative sizes',
      { memory: { weightsBytes: -1, kvCacheBytes: 1, arenaBytes: 1 } },
      /memory\.weightsBytes: expected/,
    ],
    ['a field that is not known', { '\u001b[31mX\u202e': 1 }, /"\\u001b\[31mX\\u202e" is not known here/],
    ['files elsewhere', { files: { '../x': hash } }, /"\.\.\/x" is no name of a file in this folder/],
    ['files with escapes', { files: { '\u001b[31mX': hash } }, /"\\u001b\[31mX" is no name of a file/],
  ];
  test.each(odd)('of an odd kind is refused by place: %s', async (_, change, message) => {
    const whole = change !== null && !Array.isArray(change) && !('format' in (change as object));
    write('manifest.json', JSON.stringify(whole ? { ...manifestOf(copy()), ...(change as object) } : change));
    await refused(message);
    const error = await verifyArtifact(copy()).catch((thrown: Error) => thrown);
    expect((error as Error).message.length).toBeLessThan(2000);
  });

  test('that cannot be read is refused, and replaced by a compile', async () => {
    const path = join(copy(), 'manifest.json');
    const cases: [RegExp, () => void][] = [
      [/not JSON: nested deeper than 32/, () => write('manifest.json', `{"format": ${'['.repeat(1e6)}`)],
      [/not JSON: nested deeper than 32/, () => write('manifest.json', `${'{"a":'.repeat(1e5)}1${'}'.repeat(1e5)}`)],
      [/has 8388609 bytes; expected at most 4194304/, () => write('manifest.json', `"${'x'.repeat(2 ** 23 - 1)}"`)],
      [/not JSON/, () => write('manifest.json', `"${'\\"'.repeat(1e6)}`)],
      [/not an ordinary file/, () => execFileSync('mkfifo', [path])],
      [/not an ordinary file/, () => mkdirSync(path)],
      [/a link out of the artifact, to "\/dev\/zero"/, () => symlinkSync('/dev/zero', path)],
      [/cannot read .*ELOOP/, () => symlinkSync('manifest.json', path)],
    ];
    for (const [message, make] of cases) {
      rmSync(path, { recursive: true, force: true });
      make();
      await refused(message);
      expect(() => inspectArtifact(copy())).toThrow(message);
    }
    const { upToDate } = await compile(model, { target: 'host', build: false, output: copy() });
    expect(upToDate).toBe(false);
    expect(await verifyArtifact(copy())).toContain('emitted with --no-build');
  });
});

describe('the plan', () => {
  const planWith = (...changes: (readonly [path: string, value: unknown])[]) => {
    const plan = JSON.parse(readFileSync(join(copy(), 'plan.json'), 'utf8'));
    for (const [path, value] of changes) {
      const names = path.split('.');
      const last = names.pop()!;
      names.reduce((at, name) => at[name], plan)[last] = value;
    }
    write('plan.json', JSON.stringify(plan));
    reseal();
    return plan as Plan;
  };
  const cases: [string, unknown, RegExp][] = [
    ['tensors', null, /tensors: expected a list, found null/],
    ['programs', [], /programs: expected a list of at least 1, found a list of 0/],
    ['kernels', [], /kernels: expected a list of at least 1, found a list of 0/],
    ['programs.0.nodes', 'x', /programs\[0\]\.nodes: expected a list of at least 1, found "x"/],
    ['kernels.0.config', null, /kernels\[0\]\.config: expected a table whose kind/],
    ['kernels.1.config.kind', '__proto__', /kernels\[1\]\.config: .*"__proto__"/],
    ['kernels.1.config.cols', '1', /kernels\[1\]\.config\.cols: expected a whole number from 0, found "1"/],
    ['model', null, /model: expected a table, found null/],
    ['model.name', 7, /model\.name: expected a text .* found 7/],
    [
      'programs.0.nodes.1.after.0.from',
      1.5,
      /nodes\[1\]\.after\[0\]\.from: expected a whole number from 0, found 1\.5/,
    ],
    ['programs.0.nodes.1.kernel', 99, /names kernel 99/],
    ['programs.0.nodes.0.args.0.offset', 2 ** 50, /points to/],
    ['programs.0.nodes.0.x', 1, /nodes\[0\]: "x" is not known here/],
    ['programs.0.nodes.0.about', 'x'.repeat(9e6), /about: expected a text of at most/],
    ['version', 99, /plan version 99, this compiler reads/],
  ];
  test.each(cases)('of an odd kind is refused by place: %s', async (path, value, message) => {
    planWith([path, value]);
    await refused(message);
    expect(() => inspectArtifact(copy())).toThrow(message);
  });

  test('that is sound and another is not what was compiled', async () => {
    const { memory } = planWith(['programs.0.nodes.0.about', 'something else']);
    await refused(/plan\.json: not what this compiler emits for its plan/); // by its spaces
    planWith(['memory.weightsBytes', memory.weightsBytes + 256]);
    await refused(/manifest\.json: "memory" is a table, and not what a compile of the plan would write/);
  });

  test.each([
    ['deep nesting', '['.repeat(1e6), /not JSON: nested deeper than 32/],
    ['no JSON', '{"version": 9', /plan\.json: not JSON/],
    ['a list', '[]', /plan version nothing/],
  ])('that cannot be read is refused: %s', async (_, text, message) => {
    write('plan.json', text);
    reseal();
    await refused(message);
    expect(() => inspectArtifact(copy())).toThrow(message);
  });
});

describe('the weights', () => {
  const change = (path: string) => {
    const bytes = readFileSync(path);
    bytes[bytes.length - 7]! ^= 0x7f;
    writeFileSync(path, bytes);
  };

  test('are compared where that is asked for, byte by byte', async () => {
    expect(manifestOf(artifact).model.filesSha256).toEqual([sha256(readFileSync(golden))]);
    expect(await verifyArtifact(copy(), { model, weights: true })).toContain('all bytes of the model are those');
    change(model);
    expect(await verifyArtifact(copy(), { model })).toContain('weights    not read; --weights reads them');
    await refused(/m\.gguf: not the bytes that were compiled: its SHA-256 is [0-9a-f]{64}, not [0-9a-f]{64}/, {
      model,
      weights: true,
    });
  });

  test('are looked for where they were, and in the folder', async () => {
    write('model-path.json', JSON.stringify({ model: join(cwd, 'gone', 'w.gguf') }));
    await refused(/no model file, looked for .*gone\/w\.gguf and .*copy\/w\.gguf; name it with --model/, {
      weights: true,
    });
    copyFileSync(model, join(copy(), 'w.gguf'));
    expect(await verifyArtifact(copy(), { weights: true })).toContain('all bytes of the model');
  });

  test('that changed under an equal header are hashed anew by a compile, which builds nothing', async () => {
    const options = { target: 'host', output: copy() } as const;
    const first = await compile(model, options);
    expect(first.upToDate).toBe(true);
    change(model);
    const second = await compile(model, options);
    expect(second.upToDate).toBe(true);
    expect(second.manifest.model.filesSha256).toEqual([sha256(readFileSync(model))]);
    expect(await verifyArtifact(copy(), { weights: true })).toContain('all bytes of the model');
    // Nothing changed since: they are not read, or this would notice.
    const past = new Date(Date.now() - 1e6);
    utimesSync(join(copy(), 'manifest.json'), new Date(Date.now() + 1e6), new Date(Date.now() + 1e6));
    change(model);
    utimesSync(model, past, past);
    expect((await compile(model, options)).manifest).toEqual(second.manifest);
    await refused(/not the bytes that were compiled/, { weights: true });
  });

  test('have no hash where nobody wanted one', async () => {
    const output = join(cwd, 'emitted');
    const { manifest } = await compile(model, { target: 'host', build: false, output });
    expect(manifest.model.filesSha256).toBeUndefined();
    const verified = verifyArtifact(output, { weights: true });
    await expect(verified).rejects.toThrow(/no hash of the weights, as after --no-hash-weights and --no-build/);
    write('manifest.json', manifestText({ ...manifestOf(copy()) }));
    change(model);
    const without = await compile(model, { target: 'host', output: copy(), hashWeights: false });
    expect(without).toMatchObject({ upToDate: true });
    expect(without.manifest.model.filesSha256).toBeUndefined();
  });
});

describe('a signature', () => {
  const pem = (name: string, type: 'ed25519' | 'rsa' = 'ed25519') => {
    const pair = type === 'rsa' ? generateKeyPairSync(type, { modulusLength: 2048 }) : generateKeyPairSync(type);
    writeFileSync(join(cwd, `${name}.private.pem`), pair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    writeFileSync(join(cwd, `${name}.public.pem`), pair.publicKey.export({ type: 'spki', format: 'pem' }));
  };

  test('is made by a compile, of an artifact that is up to date too, and checked by verify and openssl', async () => {
    pem('mine');
    pem('theirs');
    const key = publicKey(join(cwd, 'mine.public.pem'));
    await refused(/manifest\.sig: missing; sign with realizar-compile MODEL --sign private\.pem/, { key });
    const compiled = await cli(['m.gguf', '--target', 'host', '-o', 'copy', '--sign', 'mine.private.pem'], { cwd });
    expect(compiled).toMatchObject({ code: 0, stderr: expect.stringContaining('up to date') });
    expect(await cli(['verify', 'copy', '--key', 'mine.public.pem', '--weights'], { cwd })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('signature  made over this manifest by the owner of the key'),
      stderr: '',
    });
    await refused(/no signature of manifest\.json/, { key: publicKey(join(cwd, 'theirs.public.pem')) });
    const check = ['pkeyutl', '-verify', '-pubin', '-inkey', 'mine.public.pem', '-rawin'];
    const files = ['-in', 'copy/manifest.json', '-sigfile', 'copy/manifest.sig'];
    expect(execFileSync('openssl', [...check, ...files], { cwd, encoding: 'utf8' })).toMatch(/Signature Verified/i);
  });

  test('finds what was changed with every hash made right', async () => {
    pem('mine');
    const key = publicKey(join(cwd, 'mine.public.pem'));
    await compile(model, { target: 'host', output: copy(), sign: privateKey(join(cwd, 'mine.private.pem')) });
    expect(await verifyArtifact(copy(), { key })).toContain('made over this manifest');
    write(library, Buffer.concat([readFileSync(join(copy(), library)), Buffer.from('more')]));
    await refused(/libm\.so: changed since it was built/, { key });
    reseal();
    expect(await verifyArtifact(copy())).toContain('as it was made');
    await refused(/manifest\.sig: no signature of manifest\.json with this key/, { key });
    write('manifest.sig', Buffer.alloc(1000));
    await refused(/manifest\.sig has 1000 bytes; expected at most 64/, { key });
  });

  test('of an artifact that is compiled anew without a key goes', async () => {
    write('manifest.sig', Buffer.alloc(64));
    await compile(model, { target: 'host', build: false, output: copy() });
    expect(() => lstatSync(join(copy(), 'manifest.sig'))).toThrow(/ENOENT/);
  });

  test('needs a key of its kind', () => {
    pem('rsa', 'rsa');
    pem('mine');
    writeFileSync(join(cwd, 'text'), 'no key');
    const path = (name: string) => join(cwd, name);
    expect(() => privateKey(path('none'))).toThrow(/cannot read the private key: ENOENT.*openssl genpkey -algorithm/);
    expect(() => privateKey(path('text'))).toThrow(/holds no private key in PEM without a passphrase/);
    expect(() => privateKey(path('mine.public.pem'))).toThrow(/holds no private key/);
    expect(() => privateKey(path('rsa.private.pem'))).toThrow(/a key of type rsa, not ed25519/);
    expect(() => publicKey(path('rsa.public.pem'))).toThrow(/a key of type rsa, not ed25519/);
    expect(() => publicKey(path('text'))).toThrow(/holds no public key/);
  });
});

describe('links', () => {
  const victim = () => join(cwd, 'victim');

  test('out of the artifact are no files of it; those within are', async () => {
    for (const name of [library, 'replay', 'graph.cpp', 'plan.json']) {
      renameSync(join(copy(), name), join(cwd, name));
      symlinkSync(join(cwd, name), join(copy(), name));
      await refused(new RegExp(`${name.replace('.', '\\.')}: is a link out of the artifact`));
      rmSync(join(copy(), name));
      renameSync(join(cwd, name), join(copy(), name));
    }
    renameSync(join(copy(), 'replay'), join(copy(), 'replay.real'));
    symlinkSync('replay.real', join(copy(), 'replay'));
    expect(await verifyArtifact(copy())).toContain('as it was made');
  });

  test('are not written through: what they point to stays, and the name becomes a file', async () => {
    pem();
    const sign = privateKey(join(cwd, 'key.pem'));
    for (const name of ['model-path.json', 'manifest.sig', 'manifest.json', 'graph.cpp', library]) {
      writeFileSync(victim(), 'victim');
      rmSync(join(copy(), name), { force: true });
      symlinkSync(victim(), join(copy(), name));
      const build = name !== 'manifest.json' && name !== 'graph.cpp' && name !== library;
      await compile(model, { target: 'host', output: copy(), build, sign });
      expect(readFileSync(victim(), 'utf8'), name).toBe('victim');
      expect(lstatSync(join(copy(), name), { throwIfNoEntry: false })?.isSymbolicLink() ?? false, name).toBe(false);
      rmSync(copy(), { recursive: true });
      cpSync(artifact, copy(), { recursive: true });
    }
  });

  test('of model-path.json are not read either: a FIFO or device there holds nobody up', async () => {
    const path = join(copy(), 'model-path.json');
    rmSync(path);
    execFileSync('mkfifo', [path]);
    await refused(/no model file, looked for the one that model-path\.json names|not an ordinary file/, {
      weights: true,
    });
    expect((await compile(model, { target: 'host', output: copy() })).upToDate).toBe(true);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ model });
    expect(basename(model)).toBe('m.gguf');
  });

  function pem(): void {
    const { privateKey: key } = generateKeyPairSync('ed25519');
    writeFileSync(join(cwd, 'key.pem'), key.export({ type: 'pkcs8', format: 'pem' }));
  }
});
