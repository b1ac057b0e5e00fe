/** The server's API. Paths are relative: the page may be behind another one. */
/** @import { End, ServedModel } from './types.js' */

/** What the server refused, in its own words. */
export class Refused extends Error {
  /**
   * @param {number} status
   * @param {{ message?: string, code?: string }} [error]
   */
  constructor(status, { message, code } = {}) {
    super(message ?? `The server answered with status ${status}.`);
    this.needsKey = status === 401;
    this.code = code;
  }
}

/** @param {string} key */
const headersOf = (key) => ({
  'content-type': 'application/json',
  ...(key ? { authorization: `Bearer ${key}` } : {}),
});

/** @param {Response} response */
async function checked(response) {
  if (response.ok) return response;
  const answer = await response.json().catch(() => undefined);
  throw new Refused(response.status, answer?.error);
}

/**
 * The model's name and context.
 * @param {string} key
 * @returns {Promise<ServedModel>}
 */
export async function servedModel(key) {
  const models = await (await checked(await fetch('v1/models', { headers: headersOf(key) }))).json();
  const [{ id, meta }] = models.data;
  return { id, context: meta.n_ctx };
}

/**
 * Answers a request. `onPart` hears each part of the text, and of what the model thinks. Resolves with the finish reason and the usage. Errors: Refused, what fetch throws,
 * and Error where the answer broke off.
 * @param {object} request
 * @param {string} key
 * @param {AbortSignal} signal
 * @param {(text: string, reasoning: string) => void} onPart
 */
export async function complete(request, key, signal, onPart) {
  const options = { method: 'POST', headers: headersOf(key), body: JSON.stringify(request), signal };
  const response = await checked(await fetch('v1/chat/completions', options));
  /** @type {End} */
  const end = { finish: undefined, usage: undefined };
  for await (const data of events(response)) {
    if (data === '[DONE]') return end;
    const { error, choices, usage } = JSON.parse(data);
    if (error) throw new Error(error.message);
    end.finish = choices[0]?.finish_reason ?? end.finish;
    end.usage = usage ?? end.usage;
    const { content, reasoning_content: reasoning } = choices[0]?.delta ?? {};
    onPart(content ?? '', reasoning ?? '');
  }
  throw new Error('The connection ended before the answer did.');
}

/**
 * The values of the events of an answer.
 * @param {Response} response
 */
async function* events(response) {
  if (response.body === null) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) if (block.startsWith('data: ')) yield block.slice(6);
  }
}
