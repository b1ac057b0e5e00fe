/**
 * The text half of Qwen 3 VL: of a text all axes of the rope have the same position, so it is Qwen 3's. transformers rotates
 * the last pairs, which its three axes leave over, by that position too; llama.cpp does not rotate them.
 */
import type { Architecture } from './architecture.js';
import { qwen3 } from './qwen3.js';
import { qwen3moe } from './qwen3moe.js';

/** Layers that add to what images give: there are none in a text. */
const IMAGES = 'n_deepstack_layers';

const AXES: Pick<Architecture, 'keys' | 'features'> = {
  keys: ['rope.dimension_sections', IMAGES],
  features: (keys, { ropeDimensions }) => {
    keys.textAxes('rope.dimension_sections', ropeDimensions / 2, 'interleaved');
    return {};
  },
};

const { feedForwardScales: _, ...QWEN3 } = qwen3;
const { feedForwardScales: __, ...QWEN3MOE } = qwen3moe;

export const qwen3vl: Architecture = { ...QWEN3, ...AXES, name: 'qwen3vl' };
export const qwen3vlmoe: Architecture = { ...QWEN3MOE, ...AXES, name: 'qwen3vlmoe' };
