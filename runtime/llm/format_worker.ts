/** A thread's module: makes the masks of texts whose format is given, over the vocabulary of the model that its data names. */
import { parentPort, workerData } from 'node:worker_threads';
import { type Format, formatRule } from '../format/format.js';
import { FormatError } from '../format/format_error.js';
import { Grammar, Matcher, type Tokens } from '../format/grammar.js';
import { TokenTrie } from '../format/token_trie.js';
import { textSource } from '../text/open.js';
import { Tokenizer } from '../text/tokenizer.js';

/** What the thread is sent; each of them is answered. */
export type Job =
  /** Can a text be of this format? */
  | { readonly kind: 'check'; readonly format: Format }
  /** A text begins. */
  | { readonly kind: 'begin'; readonly text: number; readonly format: Format; readonly continues: boolean }
  /** A token of it has come. */
  | { readonly kind: 'token'; readonly text: number; readonly token: number }
  | { readonly kind: 'end'; readonly text: number };

/** Which tokens may come next; or that nothing was asked for; or what is wrong. */
export type Answer = { readonly mask: Uint32Array } | { readonly failed: string } | { readonly done: true };

/** Grammars that are kept, the ones that were used last. */
const MOST_GRAMMARS = 64;

const { path, rows }: { path: string; rows: number } = workerData;
const tokenizer = new Tokenizer(textSource(path), { rows });
const tokens = readTokens();
const grammars = new Map<string, Grammar>();
const texts = new Map<number, Matcher>();

function readTokens(): Tokens {
  const ids = Array.from({ length: rows }, (_, id) => id);
  const bytesOf = (continues: boolean) =>
    ids.map((id) => (tokenizer.isControl(id) ? new Uint8Array() : tokenizer.bytes(id, { continues })));
  const [within, first] = [bytesOf(true), bytesOf(false)];
  const isOther = within.some((bytes, id) => Buffer.compare(bytes, first[id]!) !== 0);
  return {
    bytesOf: within,
    trie: new TokenTrie(within),
    first: isOther ? { bytesOf: first, trie: new TokenTrie(first) } : undefined,
    ends: tokenizer.endIds,
  };
}

function grammarOf(format: Format): Grammar {
  const key = JSON.stringify(format);
  const known = grammars.get(key);
  const grammar = known && !known.isFull ? known : new Grammar(formatRule(format), tokens);
  grammars.delete(key);
  grammars.set(key, grammar);
  if (grammars.size > MOST_GRAMMARS) grammars.delete(grammars.keys().next().value!);
  return grammar;
}

function answer(job: Job): Answer {
  switch (job.kind) {
    case 'check':
      if (tokens.ends.length === 0)
        throw new FormatError(
          'the vocabulary has no token that ends a text, so that none would end where its format does',
        );
      grammarOf(job.format);
      return { done: true };
    case 'begin': {
      const matcher = new Matcher(grammarOf(job.format), job);
      texts.set(job.text, matcher);
      return { mask: matcher.mask() };
    }
    case 'token': {
      const matcher = texts.get(job.text)!;
      matcher.accept(job.token);
      return { mask: matcher.mask() };
    }
    case 'end':
      texts.delete(job.text);
      return { done: true };
  }
}

function answerOrFailure(job: Job): Answer {
  try {
    return answer(job);
  } catch (error) {
    if (error instanceof FormatError) return { failed: error.message };
    if (error instanceof RangeError) return { failed: 'it nests too deeply' }; // the stack has an end
    throw error;
  }
}

parentPort!.on('message', (job: Job) => parentPort!.postMessage(answerOrFailure(job)));
