/** What a command is doing: one line of stderr where that is a terminal, drawn over and over, and gone at the end. */
import { printable } from '../common/printable.js';
import { formatBytes } from '../common/text.js';
import type { LoadProgress } from '../llm/index.js';

const BAR_WIDTH = 24;
const BUILDING = 'building the Node addon, which happens once';
const PHASES: Readonly<Record<string, string>> = {
  addon: BUILDING,
  text: 'reading the vocabulary',
  driver: 'starting the driver',
  file: 'checking the model file',
  code: 'loading the kernels',
  memory: 'reserving memory',
  weights: 'loading weights',
  repack: 'arranging weights',
  engine: 'reserving KV cache, building the graphs',
};

export class StatusLine {
  readonly #stream = process.stderr;
  readonly #live = process.stderr.isTTY === true;
  #drawn = '';

  show(text: string): void {
    if (!this.#live || text === this.#drawn) return;
    this.#stream.write(`\r\u001b[K${printable(text).slice(0, Math.max(20, (this.#stream.columns ?? 80) - 1))}`);
    this.#drawn = text;
  }

  showLoading({ phase, done, total }: LoadProgress): void {
    // This one takes so long that a log wants to know too.
    if (!this.#live && phase === 'addon' && done === 0) this.#stream.write(`${BUILDING}\n`);
    const what = PHASES[phase] ?? phase;
    this.show(total > 1 ? `${bar(done / total)} ${what} ${formatBytes(done)} of ${formatBytes(total)}` : what);
  }

  clear(): void {
    if (this.#drawn !== '') this.#stream.write('\r\u001b[K');
    this.#drawn = '';
  }
}

function bar(share: number): string {
  const full = Math.round(Math.min(1, share) * BAR_WIDTH);
  return `[${'#'.repeat(full)}${'.'.repeat(BAR_WIDTH - full)}]`;
}
