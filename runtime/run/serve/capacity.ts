/** How many texts a model computes at once, and of which lengths, in words. */
import { formatBytes } from '../../common/text.js';
import type { LanguageModel } from '../../llm/index.js';

/** Positions of a page of KV cache. */
const PAGE = 64;

export function describeCapacity(model: Pick<LanguageModel, 'info' | 'statistics'>): string {
  const { name, device, context, sequences } = model.info;
  const { pages, kvBytes } = model.statistics();
  const head = `${name} on ${device}, context ${context}, ${sequences} at once`;
  if (pages === 0) return head; // layers with a window alone: as long as it gets
  const positions = pages * PAGE;
  const whole = Math.floor(positions / (Math.ceil(context / PAGE) * PAGE));
  return `${head}; KV cache of ${formatBytes(kvBytes)} for ${positions} positions, ${whole} of the whole context`;
}
