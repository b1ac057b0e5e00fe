/** Where the cache and the temporary folder of a build are, and what is said where they cannot be. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { cacheFolder, requireWritable } from '../../runtime/toolchain/cache_folder.js';
import { namingFullDisk, ranOutOfDisk } from '../../runtime/toolchain/full_disk.js';
import { inScratch } from '../../runtime/toolchain/scratch.js';
import { runProgram } from '../support/artifacts.js';

const canMount = (await runProgram('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', '/mnt'])).code === 0;
if (!canMount) console.error('the kernel lets nobody mount here: disks that are really full are not tried.');

const scratch = mkdtempSync(join(tmpdir(), 'realizar-places-'));
afterAll(() => rmSync(scratch, { recursive: true }));
afterEach(() => void vi.unstubAllEnvs());

describe('the cache folder', () => {
  it.each([
    [{ REALIZAR_CACHE_DIR: '/a', XDG_CACHE_HOME: '/b' }, '/a'],
    [{ REALIZAR_CACHE_DIR: 'a', XDG_CACHE_HOME: '/b' }, join(process.cwd(), 'a')],
    [{ REALIZAR_CACHE_DIR: '', XDG_CACHE_HOME: '/b' }, '/b/realizar-compile'],
    [{ XDG_CACHE_HOME: 'b', HOME: '/c' }, '/c/.cache/realizar-compile'], // relative: to be ignored
    [{ XDG_CACHE_HOME: '', HOME: '/dev/null' }, '/dev/null/.cache/realizar-compile'],
    [{ HOME: '' }, join(userInfo().homedir, '.cache/realizar-compile')],
    [{ HOME: 'c' }, join(userInfo().homedir, '.cache/realizar-compile')],
    [{}, join(userInfo().homedir, '.cache/realizar-compile')],
  ])('%j: %s', (env, folder) => expect(cacheFolder(env)).toBe(folder));

  it('is made by its first use, for its owner alone', () => {
    const folder = join(scratch, 'new/cache');
    requireWritable(folder);
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each(['/dev/null/.cache', '/proc/nowhere/cache', '/proc/nowhere'])(
    '%s is refused with its name and what to set',
    (folder) => {
      expect(() => requireWritable(folder)).toThrow(`the cache folder ${folder} cannot be written`);
      expect(() => requireWritable(folder)).toThrow('set REALIZAR_CACHE_DIR to a folder that can be written');
    },
  );
});

describe('the temporary folder', () => {
  it('has what is linked under plain names, and goes', async () => {
    const odd = join(scratch, 'a;b [c] "d" $e \\f |g');
    mkdirSync(odd);
    writeFileSync(join(odd, 'file'), 'text');
    let seen = '';
    await inScratch({ source: odd }, async (folder) => {
      seen = folder;
      expect(readFileSync(join(folder, 'source/file'), 'utf8')).toBe('text');
    });
    expect(existsSync(seen)).toBe(false);
    expect(readdirSync(odd)).toEqual(['file']);
  });

  it.each([
    ['/tmp/a;b', 'has a ";" in it, which cmake cannot build with; set TMPDIR'],
    ['/tmp/a[b', 'has a "[" in it'],
    ['/tmp/$a', 'has a "$" in it'],
    ['/nowhere/tmp', 'the temporary folder /nowhere/tmp cannot be written (ENOENT'],
    ['/dev/null', 'the temporary folder /dev/null cannot be written (ENOTDIR'],
  ])('%s: %s', async (folder, message) => {
    vi.stubEnv('TMPDIR', folder);
    await expect(inScratch({}, async () => {})).rejects.toThrow(message);
  });
});

describe('a full disk', () => {
  it('is named where the system says so, and other errors stay', () => {
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    expect(namingFullDisk(full, '/out', 'choose another')).toMatchObject({
      name: 'CompileError',
      message: 'no space left on the disk of /out; make room there, or choose another',
    });
    const other = new Error('other');
    expect(namingFullDisk(other, '/out', '')).toBe(other);
  });

  it('is known by what a tool says', () => {
    expect(ranOutOfDisk(scratch, '/tmp/cc1.s: fatal error: error writing to /tmp/cc1.s: No space left on device')).toBe(
      true,
    );
    expect(ranOutOfDisk(scratch, "error: expected ';'")).toBe(false);
  });

  // Really full: what is left of 64 KiB holds no model's source, and no build.
  const model = join(import.meta.dirname, '../fixtures/golden/llama-q8_0.gguf');
  const cli = join(import.meta.dirname, '../../dist/compiler/cli.js');
  it.runIf(canMount).each([
    [
      'the output',
      {},
      ['--no-build', '-o', 'full/out'],
      /full\/out; make room there, or choose another folder with -o$/m,
    ],
    [
      'TMPDIR',
      { TMPDIR: 'full' },
      ['-o', 'out'],
      /full\/realizar-build-\w+; make room there, or set TMPDIR to another/,
    ],
  ])('of %s is named', async (_, env, args, message) => {
    const cwd = mkdtempSync(join(scratch, 'full-'));
    mkdirSync(join(cwd, 'full'));
    const mounted = 'mount -t tmpfs -o size=64k none full && head -c 61440 /dev/zero > full/fill && exec "$0" "$@"';
    const compile = [process.execPath, cli, model, '--target', 'host', ...args];
    const { code, stderr } = await runProgram('unshare', ['-rm', 'sh', '-c', mounted, ...compile], {
      cwd,
      env: { ...process.env, ...env },
    });
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(/no space left on the disk of /) });
    expect(stderr).toMatch(message);
    expect(readdirSync(cwd)).toEqual(['full']);
  });

  it.runIf(canMount)('of the cache is said, with what to set', async () => {
    const module = join(import.meta.dirname, '../../dist/runtime/toolchain/cache_folder.js');
    const cwd = mkdtempSync(join(scratch, 'cache-'));
    const program = `import(${JSON.stringify(module)}).then((m) => m.requireWritable('none/cache')).catch((e) => console.log(e.message))`;
    mkdirSync(join(cwd, 'none'));
    const mounted = 'mount -t tmpfs -o nr_inodes=1 none none && exec "$0" -e "$1"';
    const { code, stdout } = await runProgram('unshare', ['-rm', 'sh', '-c', mounted, process.execPath, program], {
      cwd,
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^the cache folder none\/cache cannot be written \(ENOSPC.*set REALIZAR_CACHE_DIR/);
  });

  it.runIf(canMount)('is known where a tool says nothing', async () => {
    const module = join(import.meta.dirname, '../../dist/runtime/toolchain/full_disk.js');
    const program = `import(${JSON.stringify(module)}).then((m) => console.log(m.ranOutOfDisk('.', '')))`;
    const disk = mkdtempSync(join(scratch, 'disk-'));
    const mounted = 'mount -t tmpfs -o size=64k none . && cd "$PWD" && exec "$0" -e "$1"';
    const { code, stdout } = await runProgram('unshare', ['-rm', 'sh', '-c', mounted, process.execPath, program], {
      cwd: disk,
    });
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'true\n' });
  });
});
