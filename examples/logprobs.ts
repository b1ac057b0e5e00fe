/**
 * What else the model might have written: the three most probable tokens at each place, with their probabilities.
 *
 *     node dist/examples/logprobs.js ARTIFACT_DIR
 */
import { loadModel } from 'realizar-compile';

await using model = await loadModel(process.argv[2] ?? 'build/demo');
for await (const { topLogprobs = [] } of model.generate('Once upon a time', { maxTokens: 8, logprobs: 3 })) {
  const choices = topLogprobs.map(
    ({ text, logprob }) => `${JSON.stringify(text)} ${(100 * Math.exp(logprob)).toFixed(1)}%`,
  );
  process.stdout.write(`${choices.join('  ')}\n`);
}
