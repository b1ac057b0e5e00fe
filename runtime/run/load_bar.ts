/** What loading does and how far it is: one line, drawn over and over, and gone when it is loaded. */
import { formatBytes } from '../../compiler/text.js';
import type { LoadProgress } from '../llm/index.js';

const WIDTH = 24;
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
  sessions: 'building the graph',
};

export class LoadBar {
  readonly #live: boolean;
  #drawn = '';

  constructor(private readonly stream: NodeJS.WriteStream) {
    this.#live = stream.isTTY === true;
  }

  show({ phase, done, total }: LoadProgress): void {
    // This one takes so long that a log wants to know too.
    if (!this.#live && phase === 'addon' && done === 0) this.stream.write(`${BUILDING}\n`);
    if (!this.#live) return;
    const what = PHASES[phase] ?? phase;
    const line = total > 1 ? `${bar(done / total)} ${what} ${formatBytes(done)} of ${formatBytes(total)}` : what;
    if (line === this.#drawn) return;
    this.stream.write(`\r\u001b[K${line.slice(0, Math.max(20, (this.stream.columns ?? 80) - 1))}`);
    this.#drawn = line;
  }

  clear(): void {
    if (this.#drawn !== '') this.stream.write('\r\u001b[K');
    this.#drawn = '';
  }
}

function bar(share: number): string {
  const full = Math.round(Math.min(1, share) * WIDTH);
  return `[${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}]`;
}
