/** The artifact's own program, replay, on the host target. */
import { linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  buildArtifact,
  compile,
  compileHost,
  compileKernels,
  compileRuntime,
  dir,
  greedyAfter,
  logitsAfter,
  run,
  start,
  tinyArtifact,
  writeModel,
} from './tiny.js';

beforeAll(async () => {
  const parts = [await compileRuntime(), await compileKernels(), await compileHost()].flat();
  await buildArtifact('host', [...parts, ...(await compile([tinyArtifact]))]);
  await buildArtifact('damaged', [...parts, ...(await compile([tinyArtifact], ['-DTINY_DAMAGED']))]);
  writeModel(join(dir, 'tiny.gguf'));
}, 600_000);
afterAll(() => rmSync(dir, { recursive: true }));

describe('replay', () => {
  const model = join(dir, 'tiny.gguf');
  const replay = (...args: string[]) => start('host/replay', '--model', model, ...args);
  const tokens = [3, 1, 4, 1, 5];

  it('prints the greedy token after each token', async () => {
    const expected = tokens.map((_, i) => greedyAfter(tokens.slice(0, i + 1))).join(',');
    for (const mode of ['graph', 'eager'])
      expect(await replay('--tokens', tokens.join(), '--mode', mode)).toEqual({
        code: 0,
        stdout: `${expected}\n`,
        stderr: '',
      });
  });

  it('writes logits, the same in every mode and order', async () => {
    const path = join(dir, 'out.f32');
    const expected = tokens.flatMap((_, i) => logitsAfter(tokens.slice(0, i + 1)));
    const variants = [[], ['--mode=eager'], ['--poison'], ['--order-seed', '7'], ['--order-seed=8', '--mode', 'eager']];
    for (const variant of variants) {
      expect(await replay('--tokens', tokens.join(), '--logits', path, ...variant)).toMatchObject({
        code: 0,
        stdout: '',
      });
      expect([...new Float32Array(new Uint8Array(readFileSync(path)).buffer)]).toEqual(expected);
      rmSync(path);
    }
  });

  const continued = (count: number, stop?: number) => {
    const all = [...tokens];
    for (let i = 0; i < count && (i === 0 || all.at(-1) !== stop); i++) all.push(greedyAfter(all));
    return all.slice(tokens.length);
  };
  const prints = (chosen: number[]) => ({ code: 0, stdout: `${chosen.join()}\n`, stderr: '' });

  it('generates greedily, up to a stop token, and to the end of the context', async () => {
    const generate = (...args: string[]) => replay('--tokens', tokens.join(), '--generate', ...args);
    for (const mode of ['graph', 'eager']) expect(await generate('30', '--mode', mode)).toEqual(prints(continued(30)));
    const stop = continued(9).at(-1)!;
    expect(await generate('30', `--stop=99,${stop}`)).toEqual(prints(continued(30, stop)));
    expect(await generate('1000')).toEqual(prints(continued(100 - tokens.length + 1)));
  });

  it('samples, the same from the same seed in every mode and order', async () => {
    const sample = (...args: string[]) =>
      replay('--tokens', tokens.join(), '--generate', '40', '--temperature', '50', ...args);
    const first = await sample('--seed', '5');
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(await sample('--seed', '5', '--mode', 'eager', '--order-seed', '3', '--poison')).toEqual(first);
    expect(await sample('--seed', '6')).not.toEqual(first);
    // Filters that leave one token, and penalties that leave none fed before.
    for (const filter of ['--top-k=1', '--top-p=0']) expect(await sample(filter)).toEqual(prints(continued(40)));
    const fresh = await replay(
      ...['--tokens', '1,2', '--generate', '8', '--presence-penalty', '1e9', '--repeat-last-n', '-1'],
    );
    expect(new Set(`1,2,${fresh.stdout.trim()}`.split(',')).size).toBe(10);
  });

  it('leaves no part of a logits file behind', async () => {
    const before = readdirSync(dir);
    const path = join(dir, 'short.f32');
    expect(await replay('--tokens', '1,2,10', '--logits', path)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('token 10 is outside the vocabulary'),
    });
    expect(await replay('--tokens', '1', '--logits', join(dir, 'none', 'x.f32'))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('cannot write'),
    });
    expect(readdirSync(dir)).toEqual(before);
  });

  /** Runs it with logits to a path; resolves with what `read` found there. */
  const logitsTo = async <T>(path: string, read: () => T | Promise<T>): Promise<T> => {
    const [exit, found] = await Promise.all([replay('--tokens', '1', '--logits', path), read()]);
    expect(exit).toEqual({ code: 0, stdout: '', stderr: '' });
    return found;
  };
  const bytesOfOne = Buffer.from(Float32Array.from(logitsAfter([1])).buffer);

  it('writes logits to a pipe, which stays one', async () => {
    const pipe = join(dir, 'pipe');
    await run('mkfifo', [pipe]);
    const link = join(dir, 'link_to_pipe');
    symlinkSync('pipe', link);
    const read = async () => (await run('cat', [pipe], { encoding: 'buffer', timeout: 300_000 })).stdout;
    for (const path of [pipe, link]) expect(await logitsTo(path, read)).toEqual(bytesOfOne);
    expect(lstatSync(pipe).isFIFO()).toBe(true);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
  });

  it('writes logits to what is open, by its name in /proc', async () => {
    const open = join(dir, 'open.f32');
    const command = [join(dir, 'host/replay'), '--model', model, '--tokens', '1', '--logits', '/proc/self/fd/3'];
    await run('sh', ['-c', 'file=$1; shift; "$@" 3> "$file"', 'sh', open, ...command]);
    expect(readFileSync(open)).toEqual(bytesOfOne);
    await run('sh', ['-c', 'file=$1; shift; "$@" 3>&1 | cat > "$file"', 'sh', open, ...command]);
    expect(readFileSync(open)).toEqual(bytesOfOne);
  });

  it('follows links to the file that logits are for', async () => {
    const folder = join(dir, 'linked');
    mkdirSync(join(folder, 'far'), { recursive: true });
    const [target, link, chain] = ['far/logits.f32', 'link', 'chain'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    symlinkSync('far/logits.f32', link);
    symlinkSync(link, chain);
    for (const before of [undefined, 'old']) {
      if (before) writeFileSync(target, before);
      await logitsTo(chain, () => {});
      expect(readFileSync(target)).toEqual(bytesOfOne);
      for (const path of [link, chain]) expect(lstatSync(path).isSymbolicLink()).toBe(true);
      expect(readdirSync(join(folder, 'far'))).toEqual(['logits.f32']);
    }
    symlinkSync('loop', join(folder, 'loop'));
    for (const [name, why] of [
      ['loop', 'symbolic links'],
      ['far', 'Is a directory'],
    ] as const)
      expect(await replay('--tokens', '1', '--logits', join(folder, name))).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(`cannot write .*${name}: .*${why}`),
      });
    expect(readdirSync(folder).sort()).toEqual(['chain', 'far', 'link', 'loop']);
  });

  it('writes no logits over the model', async () => {
    const folder = join(dir, 'models');
    mkdirSync(join(folder, 'saved'), { recursive: true });
    const name = (file: string) => join(folder, file);
    writeModel(name('m.gguf'));
    symlinkSync('m.gguf', name('link.gguf'));
    linkSync(name('m.gguf'), name('same.gguf'));
    const parts = [name('m-00001-of-00002.gguf'), name('m-00002-of-00002.gguf'), name('saved/model.safetensors')];
    for (const part of parts) writeFileSync(part, 'weights');
    const refused = [
      ...['m.gguf', 'link.gguf', 'same.gguf', '../models/m.gguf'].map((file) => ['m.gguf', file]),
      ...['m.gguf', 'link.gguf'].map((file) => ['link.gguf', file]),
      ...['m-00001-of-00002.gguf', 'm-00002-of-00002.gguf'].map((file) => ['m-00001-of-00002.gguf', file]),
      ['saved', 'saved/model.safetensors'],
    ] as [string, string][];
    for (const [of, file] of refused)
      expect(await start('host/replay', '--model', name(of), '--tokens', '1', '--logits', name(file)), file).toEqual({
        code: 2,
        stdout: '',
        stderr: `replay: --logits would replace the model: ${name(file)} is a file of ${name(of)} (replay --help explains)\n`,
      });
    for (const part of parts) expect(readFileSync(part, 'utf8')).toBe('weights');
    // What merely lies beside a model is replaced.
    writeFileSync(name('out.f32'), 'old');
    const args = ['--model', name('m.gguf'), '--tokens', '1', '--logits', name('out.f32')];
    expect(await start('host/replay', ...args)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(readFileSync(name('out.f32'))).toEqual(bytesOfOne);
  });

  it('dumps nodes', async () => {
    const { code, stdout } = await replay('--dump-nodes');
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[1]).toMatch(
      /^1 blk\.0\.mix kernel=tiny_mix grid=1,1,1 block=64,1,1 shared=0 after=\[0 programmatic\]( \w+=0x[0-9a-f]+){5}$/,
    );
  });

  it('measures', async () => {
    const { code, stdout, stderr } = await replay(
      '--bench',
      '--json',
      '--steps',
      '20',
      '--depth',
      '10',
      '--repeat',
      '3',
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({
      name: 'tiny',
      target: 'host',
      mode: 'graph',
      n_node: 4,
      steps: 20,
      depth: 10,
      repeat: 3,
    });
    // Steps at positions 11..30 attend to 12..31 positions of 160 bytes each.
    expect(result.bytes_per_token).toBe(1760 + 160 * 21.5);
    expect(result.tokens_per_second * result.ms_per_token).toBeCloseTo(1000, 0);
    expect(result.gb_per_second * 1e9).toBeCloseTo(result.bytes_per_token * result.tokens_per_second, -4);
    expect(result.ratio).toBeCloseTo(result.gb_per_second / result.read_ceiling_gb_per_second, 3);
    const parts = ['driver', 'file', 'code', 'memory', 'upload', 'repack'].map((phase) => result[`${phase}_ms`]);
    const after = ['session', 'graph_build', 'first_token'].map((phase) => result[`${phase}_ms`]);
    for (const ms of [...parts, ...after]) expect(ms).toBeGreaterThan(0);
    const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
    expect(sum(parts)).toBeLessThan(result.open_ms * 1.0001);
    expect(result.open_ms + sum(after)).toBeLessThan(result.to_first_token_ms * 1.0001);
    expect(result.upload_gb_per_second * result.upload_ms * 1e6).toBeCloseTo(3200, 0);
  });

  it('measures as many steps as fit where nobody says how many', async () => {
    const { code, stdout } = await replay('--bench', '--repeat', '1');
    expect(code).toBe(0);
    expect(stdout).toContain('median of 1 runs of 99 steps after 1 positions');
    expect(await replay('--bench', '--steps', '100')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('needs 101 positions'),
    });
  });

  it('times many sequences at once, and writes what each step was', async () => {
    const trace = join(dir, 'trace.jsonl');
    const load = ['--prompt', '4', '--generate', '3', '--repeat', '2', '--trace', trace];
    const { code, stdout, stderr } = await replay('--bench', '--sequences', '1,3', ...load, '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { results, ...rest } = JSON.parse(stdout);
    expect(rest).toMatchObject({ name: 'tiny', architecture: 'tiny', repeat: 2 });
    expect(results).toMatchObject([
      { pp: 4, tg: 3, pl: 1, n_kv: 7 },
      { pp: 4, tg: 3, pl: 3, n_kv: 21 },
    ]);
    for (const { pl, pp, t_pp, speed_pp, t_tg, t, to_first_token_ms } of results) {
      expect(speed_pp).toBeCloseTo((pl * pp) / t_pp, -2);
      expect(t).toBeCloseTo(t_pp + t_tg, 4);
      expect(to_first_token_ms).toBeLessThanOrEqual(t_pp * 1000 * 1.001);
    }
    const steps = readFileSync(trace, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    // Of three runs, the first of which warms up, of one and of three sequences: a row a step, four of the prompt and two
    // more. A prompt may begin as an earlier one, of ten tokens.
    expect(steps.map(({ step }) => step)).toEqual(steps.map((_, i) => i));
    expect(steps.length).toBeGreaterThan(3 * 4 * 6 - 12);
    expect(steps.length).toBeLessThanOrEqual(3 * 4 * 6);
    expect(steps[3]).toMatchObject({ program: 'token', rows: 1, running: 1, waiting: 0, preemptions: 0 });
    expect(steps[3].runs).toEqual([{ request: 1, index: 0, position: 3, rows: 1, chooses: true }]);
    const text = await replay('--bench', '--sequences', '2', '--prompt', '4', '--generate', '3', '--repeat', '1');
    expect(text.stdout).toMatch(/\| +PP \| +TG \| +B \| +N_KV \|.*\n\|[-|]+\|\n\| +4 \| +3 \| +2 \| +14 \|/);
  });

  it('times a load that a file describes', async () => {
    const load = join(dir, 'load.txt');
    writeFileSync(load, '# arrival, prompt, answer, beginning\n0 70 2 1 66\n\n5 80 3 1 66 # like the first\n0.5 3 1\n');
    const { code, stdout, stderr } = await replay('--bench', '--requests', load, '--json', '--sequences', '1');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const result = JSON.parse(stdout);
    // One after the other: the second of those that begin alike finds the page that both have.
    expect(result).toMatchObject({ requests: 3, prompt_tokens: 153, cached_tokens: 64, preemptions: 0 });
    expect(result.rows).toBe(153 - 64 + 1 + 2);
    for (const name of ['ttft', 'itl', 'e2el', 'queue'])
      expect(result[`p50_${name}_ms`]).toBeLessThanOrEqual(result[`p99_${name}_ms`]);
    expect((await replay('--bench', '--requests', load)).stdout).toMatch(
      /^3 requests in .*\n[\s\S]*to the first token/,
    );

    const refused = async (text: string) => {
      writeFileSync(load, text);
      const { code, stderr } = await replay('--bench', '--requests', load);
      expect(code).toBe(1);
      return stderr;
    };
    expect(await refused('0 3 1\n0 x 1\n')).toContain('load.txt, line 2: found "0 x 1"; a line is: milliseconds');
    expect(await refused('0 3 1 4\n')).toContain('line 1: a beginning without its number of tokens');
    expect(await refused('0 3 1 4 5\n')).toContain('a beginning longer than its prompt');
    expect(await refused('0 3 1 4 2 9\n')).toContain('found "9" after it');
    expect(await refused('-1 3 1\n')).toContain('a time below 0');
    expect(await refused('# nothing\n')).toContain('has no requests');
    expect(await refused('0 300 1\n')).toContain('300 tokens');
  });

  it('prints the times to get ready, and decodes the same', async () => {
    const { code, stdout, stderr } = await replay('--tokens', tokens.join(), '--times');
    expect({ code, stdout }).toEqual({ code: 0, stdout: (await replay('--tokens', tokens.join())).stdout });
    const phases = ['driver', 'file', 'code', 'memory', 'weights', 'repack', 'session', 'graph', 'first_token'];
    expect([...stderr.matchAll(/(\w+) [\d.]+ ms/g)].map((match) => match[1])).toEqual(phases);
    expect(stderr).toMatch(/weights [\d.]+ ms \(3\.2e-06 GB, .*; [\d.]+ ms from the start to the first token\n$/);
  });

  it('explains a wrong command line', async () => {
    const wrong: [string[], string][] = [
      [[], '--model FILE is missing'],
      [['--model', model], 'nothing to do'],
      [['--model'], '--model needs a value'],
      [['--model', '--bench'], '--model needs a value'],
      [['--model', model, '--tokens', ''], '--tokens takes a whole number'],
      [['--model', model, '--tokens', '1,,2'], '--tokens takes a whole number'],
      [['--model', model, '--tokens', '1,2x'], '"2x"'],
      [['--model', model, '--tokens', '-1'], '"-1"'],
      [['--model', model, '--tokens', '2147483648'], '--tokens takes a whole number from 0 to 2147483647, not "2147'],
      [['--model', model, '--tokens', '1', '--generate', '4294967296'], '--generate takes a whole number from 1 to 42'],
      [
        ['--model', model, '--tokens', '1', '--generate', '1', '--seed', '18446744073709551616'],
        '0 to 18446744073709551615',
      ],
      [
        ['--model', model, '--tokens', '1', '--order-seed', '4294967296'],
        '--order-seed takes a whole number from 0 to 4294967295',
      ],
      [['--model', model, '--tokens', '1', '--mode', 'fast'], '--mode is graph or eager, not "fast"'],
      [['--model', model, '--tokens', '1', '--steps', '3'], '--steps is for --bench'],
      [['--model', model, '--tokens', '1', '--json'], '--json is for --bench'],
      [['--model', model, '--bench', '--logits', 'x'], '--logits is for --tokens'],
      [['--model', model, '--generate', '3'], 'nothing to do'],
      [['--model', model, '--bench', '--generate', '3'], '--generate is for --tokens'],
      [['--model', model, '--tokens', '1', '--generate', '3', '--logits', 'x'], '--generate prints tokens'],
      [['--model', model, '--tokens', '1', '--stop', '3'], '--stop is for --generate'],
      [['--model', model, '--tokens', '1', '--top-p', '0.5'], '--top-p is for --generate'],
      [
        ['--model', model, '--tokens', '1', '--generate', '3', '--temperature', 'hot'],
        '--temperature takes a number, not',
      ],
      [
        ['--model', model, '--tokens', '1', '--generate', '3', '--temperature', '1e99'],
        'within a float\'s range, not "1e99"',
      ],
      [['--model', model, '--tokens', '1', '--generate', '3', '--stop', 'x'], '--stop takes a whole number'],
      [['--model', model, '--bench', '--tokens', '1'], 'leave out --tokens'],
      [['--model', model, '--bench', '--steps', '0'], '--steps takes a whole number from 1 to 4294967295, not "0"'],
      [['--model', model, '--bench', '--profile'], 'choose one'],
      [['--model', model, '--profile', '--tokens', '1'], 'leave out --tokens'],
      [['--model', model, '--profile', '--repeat', '2'], '--repeat is for --bench'],
      [['--model', model, '--profile', '--mode', 'eager'], 'leave out --mode eager'],
      [['--model', model, '--sequences', '2'], 'nothing to do'],
      [['--model', model, '--tokens', '1', '--sequences', '2'], '--sequences and --requests are for --bench'],
      [['--model', model, '--bench', '--sequences', '2,0'], '--sequences takes a whole number from 1'],
      [['--model', model, '--bench', '--sequences', '2', '--depth', '3'], '--depth is for one sequence'],
      [['--model', model, '--bench', '--trace', 'x'], '--trace is for --sequences and --requests'],
      [['--model', model, '--bench', '--requests', 'x', '--prompt', '3'], 'leave out --prompt and --generate'],
      [['--model', model, '--bench', '--sequences', '2', '--kv-memory', '3T'], '--kv-memory takes a whole number'],
      [['--model', model, '--bench', '--sequences', '2', '--trace', model], '--trace would replace the model'],
      [['--model', model, '--bench', '--verbose'], '--verbose is for --profile'],
      [['--model', model, '--frobnicate'], 'unknown argument "--frobnicate"'],
      [['--model', model, '--bench=1'], 'unknown argument "--bench=1"'],
      [['tiny.gguf'], 'unknown argument "tiny.gguf"'],
    ];
    for (const [args, text] of wrong) {
      const result = await start('host/replay', ...args);
      expect(result, args.join(' ')).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(text) });
    }
    expect(await start('host/replay', '--help')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('--order-seed'),
    });
  });

  it('reports what the library refuses', async () => {
    expect(await replay('--tokens', '1', '--generate', '3', '--top-p', '7')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'replay: top_p is 7; it must be from 0 to 1\n',
    });
    expect(await replay('--tokens', '1', '--device', '99')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('device 99 was asked for'),
    });
    expect(await start('host/replay', '--model', join(dir, 'absent.gguf'), '--tokens', '1')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('No such file'),
    });
  });

  it('refuses a damaged plan before it looks for a device', async () => {
    expect(await start('damaged/replay', '--model', model, '--tokens', '1', '--device', '99')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is damaged: node 3 (select): an edge comes from no node before it'),
    });
  });
});
