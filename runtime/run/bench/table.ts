/** A measurement as tables for a terminal. */
import { alignColumns } from '../../common/text.js';
import type { BenchResult } from './measure.js';

export function benchTable(result: BenchResult): string {
  const { prompt, decode, coldStart, toFirstTokenMs } = result;
  const row = (name: string, tokens: number, rate: number, ...more: string[]) => [
    name,
    String(tokens),
    rate.toFixed(1),
    (1000 / rate).toFixed(3),
    ...more,
  ];
  const at = decode.depth > 0 ? `decode at ${decode.depth}` : 'decode';
  const rates = [
    ['', 'tokens', 'tokens/s', 'ms/token', 'GB/s', 'of the limit'],
    row('prompt', prompt.tokens, prompt.tokensPerSecond),
    row(
      at,
      decode.tokens,
      decode.tokensPerSecond,
      gigabytes(decode.bytesPerSecond),
      `${(decode.ratio * 100).toFixed(1)}%`,
    ),
  ];
  for (const { sequences, prompt, decode } of result.atOnce)
    rates.push(
      row(`prompt, ${sequences} at once`, prompt.tokens, prompt.tokensPerSecond),
      row(`decode, ${sequences} at once`, decode.tokens, decode.tokensPerSecond),
    );
  const phases = [
    ...coldStart.map(({ name, ms }) => [name, ms.toFixed(1)]),
    ['process start to first token', toFirstTokenMs.toFixed(1)],
  ];
  return [
    `${result.name} (${result.architecture}) on ${result.device}: ${result.nodeCount} nodes a token, context ${result.contextLength}`,
    '',
    ...alignColumns(rates, [0, 1, 1, 1, 1, 1]),
    `median of ${result.repetitions}; a token reads ${gigabytes(decode.bytesPerToken)} GB, and the limit is the ${gigabytes(decode.readCeilingBytesPerSecond)} GB/s that this device reads at most`,
    ...(result.target === 'host' ? ['the host target is a simulator: these numbers are not those of any GPU'] : []),
    '',
    ...alignColumns([['cold start', 'ms'], ...phases], [0, 1]),
    '',
  ].join('\n');
}

const gigabytes = (bytes: number) => (bytes / 1e9).toPrecision(4);
