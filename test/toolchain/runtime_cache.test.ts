/** The cache of the compiled runtime, with any bytes for archives. test/e2e/cache.test.ts compiles with it. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { RuntimeCache, runtimeKey } from '../../compiler/runtime_cache.js';

const ARCHIVES = ['librealizar_runtime.a', 'librealizar_replay.a'] as const;
const scratch = mkdtempSync(join(tmpdir(), 'realizar-cache-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const key = (n: number): string => n.toString(16).padStart(32, '0');
let folder: string;
let cache: RuntimeCache;
let built: string;
let into: string;
beforeEach(() => {
  const cwd = mkdtempSync(join(scratch, 'test-'));
  [folder, built, into] = ['cache', 'built', 'into'].map((name) => join(cwd, name)) as [string, string, string];
  cache = new RuntimeCache(folder);
  mkdirSync(built);
  for (const name of ARCHIVES) writeFileSync(join(built, name), `bytes of ${name}`);
});
const restored = (): string[] => ARCHIVES.map((name) => readFileSync(join(into, name), 'utf8'));
const original = ARCHIVES.map((name) => `bytes of ${name}`);

describe('an entry', () => {
  it('comes out as it went in', () => {
    expect(cache.restore(key(1), into)).toBe(false);
    cache.store(key(1), built);
    expect(cache.restore(key(2), into)).toBe(false);
    expect(cache.restore(key(1), into)).toBe(true);
    expect(restored()).toEqual(original);
    expect(readdirSync(folder)).toEqual([key(1)]);
  });

  it.each([...ARCHIVES, 'sha256.json'])(
    'is as good as none when %s is damaged or gone, until it is stored again',
    (name) => {
      const path = join(folder, key(1), name);
      for (const damage of [() => writeFileSync(path, 'other'), () => writeFileSync(path, ''), () => rmSync(path)]) {
        cache.store(key(1), built);
        damage();
        expect(cache.restore(key(1), into)).toBe(false);
        expect(readdirSync(join(into, '..'))).not.toContain('into');
      }
      cache.store(key(1), built);
      expect(cache.restore(key(1), into)).toBe(true);
      expect(restored()).toEqual(original);
    },
  );

  it('stays as it is when another compile stores the same', () => {
    cache.store(key(1), built);
    new RuntimeCache(folder).store(key(1), built);
    expect(cache.restore(key(1), into)).toBe(true);
    expect(readdirSync(folder)).toEqual([key(1)]);
  });

  it('is not kept where the archives are missing, and nothing else is', () => {
    rmSync(join(built, ARCHIVES[1]));
    expect(() => cache.store(key(1), built)).toThrow(/ENOENT/);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('the folder', () => {
  it('keeps the twelve entries that were used last, and what is not its own', () => {
    mkdirSync(join(folder, 'theirs'), { recursive: true });
    for (let i = 0; i < 12; i++) {
      cache.store(key(i), built);
      utimesSync(join(folder, key(i)), 1000 + i, 1000 + i);
    }
    expect(cache.restore(key(0), into)).toBe(true);
    cache.store(key(12), built);
    expect(readdirSync(folder).sort()).toEqual(
      [0, ...Array.from({ length: 11 }, (_, i) => i + 2)].map(key).concat('theirs').sort(),
    );
  });

  it('loses what compiles left that were ended a day ago', () => {
    for (const [name, age] of [
      ['.part-old', 25],
      ['.part-new', 1],
    ] as const) {
      mkdirSync(join(folder, name), { recursive: true });
      const then = Date.now() / 1000 - age * 3600;
      utimesSync(join(folder, name), then, then);
    }
    cache.store(key(1), built);
    expect(readdirSync(folder).sort()).toEqual(['.part-new', key(1)]);
  });

  it('is readable by its owner alone', () => {
    cache.store(key(1), built);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it('cannot be a file', () => {
    expect(() => new RuntimeCache(join(built, ARCHIVES[0])).store(key(1), built)).toThrow(/EEXIST|ENOTDIR/);
  });
});

describe('the key', () => {
  const settings = { target: 'host', sanitize: false };
  const cxx = (name: string, says: string): string => {
    const path = join(built, name);
    writeFileSync(path, `#!/bin/sh\necho "${says}"\n`, { mode: 0o755 });
    return path;
  };
  const with_ = (env: Record<string, string>, other: object = settings) => {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    try {
      return runtimeKey(other);
    } finally {
      vi.unstubAllEnvs();
    }
  };

  it('is the same for the same and another for anything else', () => {
    const keys = [
      with_({}),
      with_({}, { ...settings, sanitize: true }),
      with_({}, { ...settings, target: 'cuda' }),
      with_({ CXXFLAGS: '-O3' }),
      with_({ CXX: cxx('one', 'version 1') }),
      with_({ CXX: cxx('one', 'version 2') }),
      with_({ CXX: cxx('two', 'version 2') }),
      with_({ CXX: `${cxx('two', 'version 2')} -m32` }),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    for (const each of keys) expect(each).toMatch(/^[0-9a-f]{32}$/);
    expect(with_({})).toBe(keys[0]);
  });

  it('is none where the compiler cannot be asked', () => {
    expect(with_({ CXX: '/bin/false' })).toBeUndefined();
    expect(with_({ CXX: 'no-such-compiler' })).toBeUndefined();
  });
});
