/**
 * A conversation of two questions; the second finds the first in the KV cache.
 *
 *     node dist/examples/chat.js ARTIFACT_DIR
 */
import { loadModel } from 'realizar-compile';

await using model = await loadModel(process.argv[2] ?? 'build/demo');
const chat = model.chat();
for (const question of ['What is 3 plus 4?', 'What is 2 plus 5?']) {
  const { text, promptTokens, cachedTokens } = await chat.send(question).result;
  process.stdout.write(`${question}\n${text}\n`);
  console.error(`${cachedTokens} of ${promptTokens} prompt tokens were there already`);
}
