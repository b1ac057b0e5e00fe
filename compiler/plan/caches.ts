/**
 * Where caches lie in pages. A page has 64 positions of all caches of its kind, so that the number of pages is a choice at run
 * time: what follows from positions alone is the same in every page.
 */
import { sum } from '../arithmetic.js';
import { cachesOf, type Graph } from '../graph/graph.js';
import type { Cache } from '../ir/ops.js';
import { KV_PAGE, keyBytes, kvPages } from '../kernels/attend/config.js';

/** Regions of pages: of caches whose layers see all positions, and of those that see the newest only. */
export type PageRegion = 'kv_cache' | 'kv_window';

export interface PlannedCache extends Cache {
  /** Of one position: its keys and its values. */
  readonly rowBytes: number;
  readonly region: PageRegion;
  /** In a page of the region: keys, then, in the middle, values. */
  readonly offset: number;
  readonly bytes: number;
}

export interface PlannedPages {
  readonly region: PageRegion;
  /** Of a page; 0 where no cache has such. */
  readonly bytes: number;
  /** How many of the newest positions, a step's own among them, their layers see; 0: all. */
  readonly window: number;
}

export interface Caches {
  readonly caches: readonly PlannedCache[];
  readonly pages: readonly [PlannedPages, PlannedPages];
}

export function planCaches(graph: Pick<Graph, 'ops'>, contextLength: number): Caches {
  const ends: Record<PageRegion, number> = { kv_cache: 0, kv_window: 0 };
  let window = 0;
  const caches = cachesOf(graph).map((cache): PlannedCache => {
    const own = windowOf(graph, cache, contextLength);
    const region = own > 0 ? 'kv_window' : 'kv_cache';
    const bytes = 2 * keyBytes(cache) * KV_PAGE;
    window = Math.max(window, own);
    ends[region] += bytes;
    return { ...cache, rowBytes: 2 * keyBytes(cache), region, offset: ends[region] - bytes, bytes };
  });
  const pages = [
    { region: 'kv_cache', bytes: ends.kv_cache, window: 0 },
    { region: 'kv_window', bytes: ends.kv_window, window },
  ] as const;
  return { caches, pages };
}

/** The most positions that an attention to the cache sees; 0: all of the context. */
function windowOf({ ops }: Pick<Graph, 'ops'>, cache: Cache, contextLength: number): number {
  const seen = ops.flatMap((op) => {
    const attends = op.kind === 'attention' || op.kind === 'attend' || op.kind === 'attend_rows';
    return attends && op.cache === cache ? [op.window ?? contextLength] : [];
  });
  const most = Math.max(...seen);
  return most < contextLength ? most : 0;
}

/** KV cache of the whole context. */
export const contextBytes = ({ pages }: Caches, contextLength: number): number =>
  kvPages(contextLength) * sum(pages.map(({ bytes }) => bytes));
