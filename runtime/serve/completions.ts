/** POST /v1/completions */
import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { GenerationResult, Piece } from '../llm/index.js';
import { choiceEvents, collect, finishReason, type Job, usageOf } from './choices.js';
import { ApiError } from './errors.js';
import { sendEvents } from './events.js';
import { completionLogprobs } from './logprobs.js';
import { checkContext, defined, samplingOptions } from './sampling.js';
import { COMPLETION_BODY, type CompletionBody } from './schemas.js';
import type { Service, Visit } from './service.js';
import { refuseUnsupported } from './unsupported.js';

/** OpenAI's default. */
const MAX_TOKENS = 16;

export function completionRoutes(app: FastifyInstance, service: Service): void {
  const schema = { body: COMPLETION_BODY };
  app.post('/v1/completions', { schema }, (request: FastifyRequest<{ Body: CompletionBody }>, reply) => {
    const { body } = request;
    service.checkModel(body.model);
    refuseUnsupported('completion', body);
    const prompts = promptsOf(body);
    const visit = service.admit(request, reply, prompts.length * (body.n ?? 1));
    return answer(service, body, visit, prompts, reply);
  });
}

type Prompt = string | readonly number[];

function promptsOf({ prompt }: CompletionBody): readonly Prompt[] {
  if (typeof prompt === 'string' || typeof prompt[0] === 'number') return [prompt as Prompt];
  return prompt as readonly Prompt[];
}

async function answer(
  service: Service,
  body: CompletionBody,
  visit: Visit,
  prompts: readonly Prompt[],
  reply: FastifyReply,
) {
  const jobs = (await Promise.all(prompts.map((prompt) => jobsOf(service, body, visit, prompt)))).flat();
  const head = {
    id: `cmpl-${randomUUID()}`,
    object: 'text_completion',
    created: Math.floor(Date.now() / 1000),
    model: service.modelId,
  };
  if (body.stream) {
    const values = chunks(service, body, visit, jobs, { head, prompts: prompts.length });
    return sendEvents(reply, values, service.eventStream(reply.request));
  }
  const choices = await collect(service, visit, jobs);
  return {
    ...head,
    choices: choices.map(({ pieces, result }, index) => ({
      text: result.text,
      index,
      logprobs: body.logprobs == null ? null : completionLogprobs(pieces, 0),
      finish_reason: finishReason(result),
    })),
    usage: usageOf(
      choices.map(({ result }) => result),
      prompts.length,
    ),
  };
}

async function jobsOf(service: Service, body: CompletionBody, visit: Visit, prompt: Prompt): Promise<Job[]> {
  const { context, vocabSize } = service.model.info;
  const tokens = await tokensOf(service, visit, prompt);
  if (tokens.length === 0) throw badPrompt('a prompt with at least one token, found none');
  const stranger = tokens.find((token) => token >= vocabSize);
  if (stranger !== undefined) throw badPrompt(`token ids from 0 to ${vocabSize - 1}, found ${stranger}`);
  checkContext(context, tokens.length, body.max_tokens, 'prompt');
  const maxTokens = body.max_tokens ?? MAX_TOKENS;
  return Array.from({ length: body.n ?? 1 }, (_, choice) => ({
    prompt: tokens,
    options: { ...samplingOptions(body, choice, vocabSize), maxTokens, ...defined({ logprobs: body.logprobs }) },
  }));
}

async function tokensOf(service: Service, visit: Visit, prompt: Prompt): Promise<readonly number[]> {
  if (typeof prompt !== 'string') return prompt;
  return service.withText(visit, prompt.length, () => service.model.tokenizeAsync(prompt));
}

interface Frame {
  readonly head: object;
  readonly prompts: number;
}

async function* chunks(
  service: Service,
  body: CompletionBody,
  visit: Visit,
  jobs: readonly Job[],
  { head, prompts }: Frame,
) {
  const withUsage = body.stream_options?.include_usage === true;
  const chunk = (choices: readonly object[], usage: object | null = null) => ({
    ...head,
    choices,
    ...(withUsage ? { usage } : {}),
  });
  const results: GenerationResult[] = [];
  const lengths = jobs.map(() => 0);
  const logprobs = (index: number, piece: Piece) => {
    if (body.logprobs == null) return null;
    const offset = lengths[index]!;
    lengths[index] = offset + piece.text.length;
    return completionLogprobs([piece], offset);
  };
  for await (const event of choiceEvents(service, visit, jobs)) {
    if ('result' in event) {
      results[event.index] = event.result;
      yield chunk([{ text: '', index: event.index, logprobs: null, finish_reason: finishReason(event.result) }]);
    } else if (event.piece.text !== '' || body.logprobs != null) {
      const { index, piece } = event;
      yield chunk([{ text: piece.text, index, logprobs: logprobs(index, piece), finish_reason: null }]);
    }
  }
  if (withUsage) yield chunk([], usageOf(results, prompts));
}

const badPrompt = (expected: string) =>
  new ApiError(400, `Invalid 'prompt': expected ${expected}.`, { param: 'prompt', code: 'invalid_value' });
