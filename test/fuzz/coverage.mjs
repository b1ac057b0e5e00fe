/** Which code of dist/ has run, block by block, from V8's own counters. */
import { Session } from 'node:inspector';

const DIST = new URL('../../dist/', import.meta.url).href;

/** Where a function never ran, as [start, end) in its file, by function. */
export class Coverage {
  #session = new Session();
  #unseen = new Map();

  constructor() {
    this.#session.connect();
    this.#ask('Profiler.enable');
    this.#ask('Profiler.startPreciseCoverage', { callCount: false, detailed: true });
  }

  /** What ran since this was asked last. */
  take() {
    const ran = new Map();
    for (const { url, functions } of this.#ask('Profiler.takePreciseCoverage').result) {
      if (!url.startsWith(DIST)) continue;
      for (const { ranges } of functions) {
        if (ranges[0].count > 0) ran.set(`${url}:${ranges[0].startOffset}:${ranges[0].endOffset}`, idle(ranges));
      }
    }
    return ran;
  }

  /** Did something run that never did? */
  isNew(ran) {
    for (const [name, places] of ran) {
      const unseen = this.#unseen.get(name);
      if (unseen === undefined || length(common(unseen, places)) < length(unseen)) return true;
    }
    return false;
  }

  add(ran) {
    for (const [name, places] of ran) {
      const unseen = this.#unseen.get(name);
      this.#unseen.set(name, unseen ? common(unseen, places) : places);
    }
  }

  get functions() {
    return this.#unseen.size;
  }

  #ask(method, parameters) {
    let answer;
    this.#session.post(method, parameters, (error, result) => {
      if (error) throw new Error(`${method}: ${error.message}`);
      answer = result;
    });
    return answer; // the inspector of the own thread answers before post returns
  }
}

/** The parts of a function that did not run. Ranges are nested, outer ones first, and the innermost counts. */
function idle(ranges) {
  const parts = [];
  const open = [];
  let at = ranges[0].startOffset;
  const advance = (to) => {
    if (to > at && open.length > 0 && open.at(-1).count === 0) parts.push([at, to]);
    at = Math.max(at, to);
  };
  for (const range of ranges) {
    while (open.length > 0 && open.at(-1).endOffset <= range.startOffset) {
      advance(open.at(-1).endOffset);
      open.pop();
    }
    advance(range.startOffset);
    open.push(range);
  }
  while (open.length > 0) {
    advance(open.at(-1).endOffset);
    open.pop();
  }
  return parts;
}

function common(a, b) {
  const parts = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const start = Math.max(a[i][0], b[j][0]);
    const end = Math.min(a[i][1], b[j][1]);
    if (start < end) parts.push([start, end]);
    if (a[i][1] < b[j][1]) i++;
    else j++;
  }
  return parts;
}

const length = (parts) => parts.reduce((sum, [start, end]) => sum + end - start, 0);
