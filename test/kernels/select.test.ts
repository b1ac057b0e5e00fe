import { describe, expect, it } from 'vitest';
import { launchOf } from '../../compiler/kernels/index.js';
import { meetingBytes, selectConfig } from '../../compiler/kernels/select.js';
import { architecture } from '../../compiler/target/architectures.js';
import { cudaTarget, hostTarget } from '../../compiler/target/target.js';

const ARCHS = ['sm_80', 'sm_86', 'sm_87', 'sm_89', 'sm_90a', 'sm_100a', 'sm_120a'];

describe('the choice of a token', () => {
  it.each([hostTarget(), ...ARCHS.map((arch) => cudaTarget([arch]))])('is by a power of two of blocks', (target) => {
    for (const vocabulary of [1, 300, 909, 32000, 128256, 262144, 2 ** 20 - 1]) {
      const config = selectConfig(132, vocabulary, target);
      expect(Math.log2(config.blocks) % 1).toBe(0);
      expect(launchOf(config).blocks).toBe(config.blocks);
      // All are resident at once, on the smallest part and on slices of one as well.
      for (const arch of target.archs) expect(config.blocks).toBeLessThanOrEqual(architecture(arch).fewest);
      if (config.blocks > 1) expect(config.blocks * target.select.minTokens).toBeLessThanOrEqual(vocabulary);
      expect(meetingBytes(config) > 0).toBe(config.blocks > 1);
    }
  });

  it('is by many blocks where the vocabulary is large, by one where it is small', () => {
    const h100 = cudaTarget(['sm_90a']);
    expect(selectConfig(132, 128256, h100).blocks).toBe(16);
    expect(selectConfig(132, 909, h100).blocks).toBe(1);
    expect(selectConfig(4, 909, hostTarget()).blocks).toBe(4);
  });

  it('refuses a vocabulary whose weights do not add up in 64 bits', () => {
    expect(() => selectConfig(132, 2 ** 20, hostTarget())).toThrow('1048576 tokens; at most 1048575');
  });
});
