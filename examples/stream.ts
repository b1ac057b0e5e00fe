/**
 * A text as it is written, in the three ways in which it can be ended: by a stop string, by a signal, by leaving the loop.
 *
 *     node dist/examples/stream.js ARTIFACT_DIR
 */
import { loadModel } from 'realizar-compile';

const PROMPT = 'Once upon a time';
await using model = await loadModel(process.argv[2] ?? 'build/demo');

const sentence = model.generate(PROMPT, { stop: '.' });
process.stdout.write(PROMPT);
for await (const { text } of sentence) process.stdout.write(text);
process.stdout.write(`\n${(await sentence.result).stopReason}\n`);

const controller = new AbortController();
const aborted = model.generate(PROMPT, { signal: controller.signal });
let pieces = 0;
try {
  for await (const _ of aborted) if (++pieces === 3) controller.abort(new Error('three are enough'));
} catch (error) {
  process.stdout.write(`${(error as Error).message}\n`);
}

for await (const { text } of model.generate(PROMPT)) {
  process.stdout.write(text);
  if (text.includes('robot')) break;
}
process.stdout.write(`\n${model.activity.running} running\n`);
