/** Where the caches of a session lie, one after another, each of its own size. */
import { roundUp } from '../arithmetic.js';
import type { Cache } from '../ir/ops.js';
import { KV_PAGE, keyBytes, kvPages } from '../kernels/attend/config.js';

export interface PlannedCache extends Cache {
  /** Of one position: its keys and its values. */
  readonly rowBytes: number;
  /** In the kv_cache region, pages for the whole context: keys, then, in its middle, values. */
  readonly offset: number;
  readonly bytes: number;
}

const ALIGNMENT = 256;

export function planCaches(caches: readonly Cache[], contextLength: number): PlannedCache[] {
  let offset = 0;
  return caches.map((cache) => {
    const bytes = 2 * roundUp(keyBytes(cache) * KV_PAGE * kvPages(contextLength), ALIGNMENT);
    offset += bytes;
    return { ...cache, rowBytes: 2 * keyBytes(cache), offset: offset - bytes, bytes };
  });
}
