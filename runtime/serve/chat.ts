/** POST /v1/chat/completions */
import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { GenerationResult, Message, Piece } from '../llm/index.js';
import { textOf } from '../llm/messages.js';
import { choiceEvents, collect, finishReason, type Job, usageOf } from './choices.js';
import { ApiError } from './errors.js';
import { sendEvents } from './events.js';
import { chatLogprobs } from './logprobs.js';
import { checkContext, defined, samplingOptions } from './sampling.js';
import { CHAT_BODY, type ChatBody, type MessageBody } from './schemas.js';
import type { Service, Visit } from './service.js';
import { refuseUnsupported, refuseUnsupportedMessage } from './unsupported.js';

export function chatRoutes(app: FastifyInstance, service: Service): void {
  app.post(
    '/v1/chat/completions',
    { schema: { body: CHAT_BODY } },
    (request: FastifyRequest<{ Body: ChatBody }>, reply) => {
      const { body } = request;
      service.checkModel(body.model);
      refuseUnsupported('chat', body);
      body.messages.forEach(refuseUnsupportedMessage);
      if (!service.model.info.canChat) throw cannotChat(service.modelId);
      return answer(service, body, service.admit(request, reply, body.n ?? 1), reply);
    },
  );
}

async function answer(service: Service, body: ChatBody, visit: Visit, reply: FastifyReply) {
  const jobs = await jobsOf(service, body, visit);
  const head = { id: `chatcmpl-${randomUUID()}`, created: Math.floor(Date.now() / 1000), model: service.modelId };
  if (body.stream)
    return sendEvents(reply, chunks(service, body, visit, jobs, head), service.eventStream(reply.request));
  const choices = await collect(service, visit, jobs);
  return {
    ...head,
    object: 'chat.completion',
    choices: choices.map(({ pieces, result }, index) => ({
      index,
      message: { role: 'assistant', content: result.text, refusal: null },
      logprobs: body.logprobs ? chatLogprobs(pieces) : null,
      finish_reason: finishReason(result),
    })),
    usage: usageOf(
      choices.map(({ result }) => result),
      1,
    ),
  };
}

async function jobsOf(service: Service, body: ChatBody, visit: Visit): Promise<Job[]> {
  const { context, vocabSize } = service.model.info;
  const maxTokens = maxTokensOf(body);
  const messages = body.messages.map(templateMessage);
  const size = messages.reduce((total, { content }) => total + String(content).length, 0);
  const prompt = await service.withText(visit, size, () =>
    service.model.encodeChat(messages, defined({ templateVariables: body.chat_template_kwargs })),
  );
  checkContext(context, prompt.length, maxTokens, 'messages');
  const options = defined({ maxTokens, logprobs: logprobsOf(body), continues: false });
  return Array.from({ length: body.n ?? 1 }, (_, choice) => ({
    prompt,
    options: { ...samplingOptions(body, choice, vocabSize), ...options },
  }));
}

async function* chunks(service: Service, body: ChatBody, visit: Visit, jobs: readonly Job[], head: object) {
  const withUsage = body.stream_options?.include_usage === true;
  const chunk = (choices: readonly object[], usage: object | null = null) => ({
    ...head,
    object: 'chat.completion.chunk',
    choices,
    ...(withUsage ? { usage } : {}),
  });
  const part = (index: number, delta: object, pieces: readonly Piece[], finish_reason: string | null = null) => {
    const logprobs = body.logprobs && pieces.length > 0 ? chatLogprobs(pieces) : null;
    return chunk([{ index, delta, logprobs, finish_reason }]);
  };
  const results: GenerationResult[] = [];
  for (const index of jobs.keys()) yield part(index, { role: 'assistant', content: '', refusal: null }, []);
  for await (const event of choiceEvents(service, visit, jobs)) {
    if ('result' in event) {
      results[event.index] = event.result;
      yield part(event.index, {}, [], finishReason(event.result));
    } else if (event.piece.text !== '' || body.logprobs) {
      yield part(event.index, { content: event.piece.text }, [event.piece]);
    }
  }
  if (withUsage) yield chunk([], usageOf(results, 1));
}

/** `developer` is OpenAI's newer name for `system`. */
function templateMessage({ role, content, name, reasoning_content }: MessageBody): Message {
  return {
    role: role === 'developer' ? 'system' : role,
    content: textOf(content ?? ''),
    ...defined({ name, reasoning_content }),
  };
}

function maxTokensOf({ max_tokens, max_completion_tokens }: ChatBody): number | undefined {
  if (max_tokens != null && max_completion_tokens != null && max_tokens !== max_completion_tokens) {
    const message = `Set max_completion_tokens or max_tokens, not both: found ${max_completion_tokens} and ${max_tokens}.`;
    throw new ApiError(400, message, { param: 'max_tokens', code: 'invalid_value' });
  }
  return max_completion_tokens ?? max_tokens ?? undefined;
}

function logprobsOf({ logprobs, top_logprobs }: ChatBody): number | undefined {
  if (logprobs) return top_logprobs ?? 0;
  if (top_logprobs != null && top_logprobs > 0) {
    const message = "Invalid 'top_logprobs': expected 'logprobs' to be true where it is set.";
    throw new ApiError(400, message, { param: 'top_logprobs', code: 'invalid_value' });
  }
  return undefined;
}

const cannotChat = (modelId: string) =>
  new ApiError(
    400,
    `The model '${modelId}' has no chat template. Use /v1/completions, or start the server with --chat-template chatml if it was trained on that.`,
    { param: 'model', code: 'no_chat_template' },
  );
