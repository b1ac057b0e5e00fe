/** Buffer lifetimes -> offsets in one arena. */

export interface BufferRequest {
  readonly name: string;
  readonly bytes: number;
  /** Indices of the first and the last node that touch it; the buffer lives in both and between. */
  readonly firstUse: number;
  readonly lastUse: number;
}

export interface BufferPlan {
  /** Bytes from the start of the arena, by the request's name. */
  readonly offsets: ReadonlyMap<string, number>;
  readonly totalBytes: number;
}

interface Placed extends BufferRequest {
  readonly start: number;
  readonly end: number;
}

/**
 * Places the largest buffer first, each in the tightest gap that buffers alive at the same time leave. Lifetimes are
 * inclusive, so what a node writes never shares bytes with what that node reads. Offsets and totalBytes are multiples
 * of `alignment`; the result depends on the requests alone, not on their order.
 */
export function planBuffers(requests: readonly BufferRequest[], alignment = 256): BufferPlan {
  const placed: Placed[] = [];
  for (const request of [...requests].sort(bySizeAndTime)) {
    checkRequest(request);
    const neighbours = placed.filter((other) => livesWith(other, request));
    const size = Math.ceil(request.bytes / alignment) * alignment;
    const start = tightestGap(neighbours, size);
    placed.push({ ...request, start, end: start + size });
    placed.sort((a, b) => a.start - b.start);
  }
  const offsets = new Map(placed.map(({ name, start }) => [name, start]));
  if (offsets.size !== placed.length) throw new Error('two buffers have the same name');
  return { offsets, totalBytes: placed.reduce((most, { end }) => Math.max(most, end), 0) };
}

/** The start of the smallest hole of at least `size` bytes between the neighbours (by start), else their end. */
function tightestGap(neighbours: readonly Placed[], size: number): number {
  let best = { start: -1, gap: Number.POSITIVE_INFINITY };
  let end = 0;
  for (const neighbour of neighbours) {
    const gap = neighbour.start - end;
    if (gap >= size && gap < best.gap) best = { start: end, gap };
    end = Math.max(end, neighbour.end);
  }
  return best.start < 0 ? end : best.start;
}

function livesWith(a: BufferRequest, b: BufferRequest): boolean {
  return a.firstUse <= b.lastUse && b.firstUse <= a.lastUse;
}

function bySizeAndTime(a: BufferRequest, b: BufferRequest): number {
  return b.bytes - a.bytes || a.firstUse - b.firstUse || (a.name < b.name ? -1 : 1);
}

function checkRequest({ name, bytes, firstUse, lastUse }: BufferRequest): void {
  if (!Number.isSafeInteger(bytes) || bytes <= 0) throw new Error(`buffer ${name} has ${bytes} bytes`);
  if (!(firstUse <= lastUse)) throw new Error(`buffer ${name} lives from node ${firstUse} to ${lastUse}`);
}
