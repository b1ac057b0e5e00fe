/** What of a chat the model sees: where the context is full, the oldest turns are left out, as in the terminal. */

/** @import { Chat, Message, Usage } from './types.js' */

/** Of the context, what is kept free for an answer, and what of it a shift leaves in use. */
const [ANSWER_SHARE, SHIFTED_SHARE] = [1 / 4, 1 / 2];

/**
 * After an answer that left no room for the next.
 * @param {Usage | undefined} usage
 * @param {number} context
 * @returns {usage is Usage}
 */
export const isNearlyFull = (usage, context) =>
  usage !== undefined && usage.total_tokens > context * (1 - ANSWER_SHARE);

/**
 * How many of the oldest messages to leave out so that a prompt of `tokens` tokens fits into half of the context; undefined where
 * there is nothing more to leave out. The message that was sent last stays.
 * @param {Chat} chat
 * @param {number} tokens
 * @param {number} context
 */
export function shifted({ messages, dropped }, tokens, context) {
  /** @param {Message[]} list */
  const length = (list) => list.reduce((sum, { content }) => sum + content.length + 16, 0);
  const most = (length(messages.slice(dropped)) * context * SHIFTED_SHARE) / tokens;
  let next = dropped;
  do {
    const turn = messages.findIndex(({ role }, i) => i > next && role === 'user');
    if (turn < 0) break;
    next = turn;
  } while (length(messages.slice(next)) > most);
  return next > dropped ? next : undefined;
}

/**
 * The tokens of the prompt, of the server's message that there is no room.
 * @param {string} message
 * @param {number} context
 */
export function promptTokens(message, context) {
  const [, tokens] = /\((\d+) in the prompt/.exec(message) ?? [];
  return tokens === undefined ? 2 * context : Number(tokens);
}
