/**
 * The host target with all its checks, as the stand-in for a GPU: sanitizers, scratch memory poisoned before every token,
 * work before the programmatic wait run before the predecessors, blocks and independent nodes in other orders.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { firstDifference, replay, replayLogits } from '../support/artifacts.js';
import { readGolden } from '../support/goldens.js';
import { hostReplay } from '../support/host_replay.js';
import { nmse } from '../support/nmse.js';

// Every kind of kernel, and K-quants.
describe.each(['llama-q8_0', 'llama-q4_k_m', 'qwen2-q8_0', 'qwen3-q4_k_m', 'gemma2-q8_0', 'qwen3moe-q8_0'])(
  '%s',
  (name) => {
    const { model, tokens, logits: expected } = readGolden(name);
    let folder: string;
    let inOrder: Float32Array;
    const logits = (...args: string[]) => replayLogits(folder, model, tokens, ...args);
    beforeAll(async () => {
      folder = await hostReplay(`checked/${name}`, model, { sanitize: true });
      inOrder = await logits();
    });

    test('is right', async () => {
      expect(nmse(await logits('--poison'), expected)).toBeLessThanOrEqual(1e-5);
    });

    test.each([
      ...[1, 2, 3].flatMap((seed) => ['graph', 'eager'].map((mode) => ({ seed, mode }))),
      { seed: 0, mode: 'eager' },
    ])('has the same bits in order $seed, $mode', async ({ seed, mode }) => {
      const permuted = await logits('--order-seed', `${seed}`, '--poison', '--mode', mode);
      expect(firstDifference(permuted, inOrder)).toBeUndefined();
    });

    test('draws the same tokens in any order and mode', async () => {
      // So hot that models which are sure of their next token draw others too.
      const sampling = ['--temperature', '20', '--top-k', '40', '--repeat-penalty', '1.1', '--seed', '11'];
      const generate = async (...args: string[]) => {
        const exit = await replay(
          folder,
          '--model',
          model,
          '--tokens',
          tokens.slice(0, 4).join(),
          '--generate',
          '8',
          ...sampling,
          ...args,
        );
        expect(exit).toMatchObject({ code: 0, stderr: '' });
        return exit.stdout;
      };
      const drawn = await generate();
      expect(await generate('--order-seed', '5', '--poison')).toBe(drawn);
      expect(await generate('--order-seed', '6', '--mode', 'eager')).toBe(drawn);
      expect(await generate('--seed', '12')).not.toBe(drawn);
    });
  },
);
