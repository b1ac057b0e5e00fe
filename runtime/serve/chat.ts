/** POST /v1/chat/completions */
import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { GenerationResult, Piece } from '../llm/index.js';
import { deltasOf, messageOf } from './answer_message.js';
import { chatPrompt } from './chat_prompt.js';
import { choiceEvents, collect, finishReason, type Job, stopTextOf, usageOf } from './choices.js';
import { ApiError, unsupported } from './errors.js';
import { sendEvents } from './events.js';
import { formatOptions } from './formats.js';
import { fitted, maxTokensOf } from './lengths.js';
import { chatLogprobs } from './logprobs.js';
import { agreed, choicesOf, defined, samplingOptions } from './sampling.js';
import { CHAT_BODY, type ChatBody } from './schemas.js';
import type { Service, Visit } from './service.js';
import { checkToolChoice } from './tools.js';
import { checkMessage, refuseUnsupported } from './unsupported.js';

export function chatRoutes(app: FastifyInstance, service: Service): void {
  app.post(
    '/v1/chat/completions',
    { schema: { body: CHAT_BODY } },
    (request: FastifyRequest<{ Body: ChatBody }>, reply) => {
      const { body } = request;
      service.checkModel(body.model);
      refuseUnsupported('chat', body);
      body.messages.forEach(checkMessage);
      checkToolChoice(body);
      if (body.echo) throw unsupported('echo', 'A chat is not repeated before its answer; see /v1/completions.');
      if (!service.model.info.canChat) throw cannotChat(service.modelId);
      return answer(service, body, service.admit(request, reply, choicesOf(body)), reply);
    },
  );
}

async function answer(service: Service, body: ChatBody, visit: Visit, reply: FastifyReply) {
  const job = await jobOf(service, body, visit);
  const head = { id: `chatcmpl-${randomUUID()}`, created: Math.floor(Date.now() / 1000), model: service.modelId };
  if (body.stream)
    return sendEvents(reply, chunks(service, body, visit, job, head), service.eventStream(reply.request));
  const choices = await collect(service, visit, [job]);
  return {
    ...head,
    object: 'chat.completion',
    choices: choices.map(({ pieces, result }, index) => ({
      index,
      message: messageOf(result, body),
      logprobs: job.options.logprobs === undefined ? null : chatLogprobs(pieces),
      finish_reason: finishReason(result),
    })),
    usage: usageOf(
      choices.map(({ result }) => result),
      1,
    ),
  };
}

async function jobOf(service: Service, body: ChatBody, visit: Visit): Promise<Job> {
  const { info } = service.model;
  const maxTokens = maxTokensOf(body, undefined);
  const { tokens, reading } = await chatPrompt(service, body, visit);
  const prompt = fitted(tokens, body, info, { maxTokens, param: 'messages' });
  const format = await formatOptions(service.model, body);
  const options = defined({ maxTokens, logprobs: logprobsOf(body), continues: false, ...format });
  return { prompt, reading, options: { ...samplingOptions(body, info.vocabSize), ...options }, count: choicesOf(body) };
}

async function* chunks(service: Service, body: ChatBody, visit: Visit, job: Job, head: object) {
  const withUsage = body.stream_options?.include_usage === true;
  const withLogprobs = job.options.logprobs !== undefined;
  const chunk = (choices: readonly object[], usage: object | null = null) => ({
    ...head,
    object: 'chat.completion.chunk',
    choices,
    ...(withUsage ? { usage } : {}),
  });
  const part = (index: number, delta: object, pieces: readonly Piece[], finish_reason: string | null = null) => {
    const logprobs = withLogprobs && pieces.length > 0 ? chatLogprobs(pieces) : null;
    return chunk([{ index, delta, logprobs, finish_reason }]);
  };
  const results: GenerationResult[] = [];
  for (let index = 0; index < job.count; index++)
    yield part(index, { role: 'assistant', content: '', refusal: null }, []);
  for await (const event of choiceEvents(service, visit, [job])) {
    if ('result' in event) {
      results[event.index] = event.result;
      const stop = stopTextOf(event.result, body);
      if (stop !== '') yield part(event.index, { content: stop }, []);
      yield part(event.index, {}, [], finishReason(event.result));
    } else {
      const deltas = deltasOf(event.piece, body);
      if (deltas.length === 0 && withLogprobs) deltas.push({ content: '' });
      for (const [i, delta] of deltas.entries()) yield part(event.index, delta, i === 0 ? [event.piece] : []);
    }
  }
  if (withUsage) yield chunk([], usageOf(results, 1));
}

/** How many of the most probable tokens are shown; undefined where no log probabilities are asked for. */
function logprobsOf({ logprobs, top_logprobs, n_probs }: ChatBody): number | undefined {
  const given = { top_logprobs, n_probs: n_probs || undefined };
  const top = agreed(given, ['top_logprobs', 'n_probs']) ?? 0;
  if (logprobs ?? given.n_probs) return top;
  if (top === 0) return undefined;
  const param = given.n_probs ? 'n_probs' : 'top_logprobs';
  const message = `Invalid '${param}': expected 'logprobs' to be true where it is set.`;
  throw new ApiError(400, message, { param, code: 'invalid_value' });
}

const cannotChat = (modelId: string) =>
  new ApiError(
    400,
    `The model '${modelId}' has no chat template. Use /v1/completions, or start the server with --chat-template FILE, a Jinja template, or --chat-template chatml if it was trained on that.`,
    { param: 'model', code: 'no_chat_template' },
  );
