/**
 * Three questions to a model that answers two at a time: the third waits for one of them to end.
 *
 *     node dist/examples/two_at_once.js ARTIFACT_DIR
 */
import { loadModel } from 'realizar-compile';

const QUESTIONS = ['What is 3 plus 4?', 'What is 2 plus 5?', 'What is 1 plus 2?'];

await using model = await loadModel(process.argv[2] ?? 'build/demo', { sequences: 2 });
const answers = QUESTIONS.map((content) => model.generateChat([{ role: 'user', content }]).result);
for (const [i, { text, timings }] of (await Promise.all(answers)).entries()) {
  process.stdout.write(`${QUESTIONS[i]} ${text}\n`);
  console.error(`waited ${timings.waiting.toFixed(0)} ms`);
}
