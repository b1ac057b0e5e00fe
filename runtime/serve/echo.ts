/** `echo`: the prompt before its completion, with the log probabilities of its tokens where they are asked for. */
import type { PromptToken } from '../llm/index.js';
import type { Job } from './choices.js';
import { type CompletionLogprobs, completionLogprobs } from './logprobs.js';
import type { Service, Visit } from './service.js';

/** What a completion begins with. */
export interface Echo {
  readonly text: string;
  readonly logprobs?: CompletionLogprobs;
}

/** `given`: the prompt, where it is a text and the job has all of it. */
export async function echoOf(
  { model }: Service,
  { signal }: Visit,
  { prompt, options: { logprobs } }: Job,
  given: string | undefined,
): Promise<Echo> {
  const text = given ?? model.detokenize(prompt);
  if (logprobs === undefined) return { text };
  const [scoring] = model.generateMany(prompt, { maxTokens: 0, promptLogprobs: true, logprobs, signal }, 1);
  const { promptLogprobs = [] } = await scoring!.result;
  const added = given === undefined ? undefined : model.info.bosToken; // that the tokenizer put before the text
  return { text, logprobs: completionLogprobs(withTexts(promptLogprobs, added), 0) };
}

/** Each with the characters that it completes. The begin token, where the text has none, has no part in it. */
function withTexts(tokens: readonly PromptToken[], added: number | undefined) {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return tokens.map((token, i) => {
    const text = i === 0 && token.token === added ? '' : decoder.decode(token.bytes, { stream: true });
    return { ...token, text };
  });
}
