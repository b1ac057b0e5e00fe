/**
 * Tells a story: continues "Once upon a time" greedily with a compiled model, printing it as it comes.
 *
 *     node dist/examples/story.js ARTIFACT_DIR MODEL.gguf
 */

import { openModel, type Session } from '../runtime/addon/index.js';
import { readGguf } from '../runtime/files/gguf.js';
import { TextStream } from '../runtime/text/text_stream.js';
import { Tokenizer } from '../runtime/text/tokenizer.js';

const PROMPT = 'Once upon a time';
const MAX_TOKENS = 200;

interface Pace {
  /** Tokens that went through the model. */
  readonly steps: number;
  readonly seconds: number;
}

async function tell(session: Session, tokenizer: Tokenizer, contextLength: number): Promise<Pace> {
  const prompt = tokenizer.encode(PROMPT);
  const limit = Math.min(prompt.length + MAX_TOKENS, contextLength);
  const stream = new TextStream(tokenizer);
  const start = performance.now();
  process.stdout.write(PROMPT);
  for (const token of prompt) await session.step(token);
  while (session.position < limit) {
    const token = await session.greedy();
    if (tokenizer.isEnd(token)) break;
    process.stdout.write(stream.push(token));
    await session.step(token);
  }
  await session.greedy(); // steps are only queued: wait for the last one
  return { steps: session.position, seconds: (performance.now() - start) / 1000 };
}

async function main(artifact: string, path: string): Promise<void> {
  const tokenizer = new Tokenizer(readGguf(path));
  const model = await openModel(artifact, { model: path });
  try {
    const session = await model.createSession();
    const nodes = await session.buildGraph();
    const { steps, seconds } = await tell(session, tokenizer, model.info.contextLength);
    const target = `${model.info.target} (${model.deviceName})`;
    process.stdout.write(`\n${target}, ${nodes} nodes in the graph, ${(steps / seconds).toFixed(1)} tokens/s\n`);
  } finally {
    await model.close();
  }
}

const [artifact, path, ...rest] = process.argv.slice(2);
if (artifact === undefined || path === undefined || rest.length > 0) {
  console.error('usage: node dist/examples/story.js ARTIFACT_DIR MODEL.gguf');
  process.exitCode = 1;
} else {
  await main(artifact, path).catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
