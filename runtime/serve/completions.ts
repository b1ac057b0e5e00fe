/** POST /v1/completions */
import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { GenerationResult, Piece } from '../llm/index.js';
import { answerText, choiceEvents, collect, finishReason, type Job, stopTextOf, usageOf } from './choices.js';
import { ApiError } from './errors.js';
import { sendEvents } from './events.js';
import { fitted, maxTokensOf } from './lengths.js';
import { completionLogprobs } from './logprobs.js';
import { agreed, choicesOf, defined, samplingOptions } from './sampling.js';
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
    const visit = service.admit(request, reply, prompts.length * choicesOf(body));
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
      text: answerText(result, body),
      index,
      logprobs: jobs[index]!.options.logprobs === undefined ? null : completionLogprobs(pieces, 0),
      finish_reason: finishReason(result),
    })),
    usage: usageOf(
      choices.map(({ result }) => result),
      prompts.length,
    ),
  };
}

async function jobsOf(service: Service, body: CompletionBody, visit: Visit, prompt: Prompt): Promise<Job[]> {
  const { info } = service.model;
  const tokens = await tokensOf(service, visit, prompt, body);
  if (tokens.length === 0) throw badPrompt('a prompt with at least one token, found none');
  const stranger = tokens.find((token) => token >= info.vocabSize);
  if (stranger !== undefined) throw badPrompt(`token ids from 0 to ${info.vocabSize - 1}, found ${stranger}`);
  const fitting = fitted(tokens, body, info, { maxTokens: maxTokensOf(body, undefined), param: 'prompt' });
  const options = defined({ maxTokens: maxTokensOf(body, MAX_TOKENS), logprobs: logprobsOf(body) });
  return Array.from({ length: choicesOf(body) }, (_, choice) => ({
    prompt: fitting,
    options: { ...samplingOptions(body, choice, info.vocabSize), ...options },
  }));
}

async function tokensOf(service: Service, visit: Visit, prompt: Prompt, body: CompletionBody) {
  if (typeof prompt !== 'string') return prompt;
  const options = defined({ addSpecial: body.add_special_tokens });
  return service.withText(visit, prompt.length, () => service.model.tokenizeAsync(prompt, options));
}

/** How many of the most probable tokens are shown; undefined where no log probabilities are asked for. */
const logprobsOf = ({ logprobs, n_probs }: CompletionBody) =>
  agreed({ logprobs, n_probs: n_probs || undefined }, ['logprobs', 'n_probs']);

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
  const withLogprobs = jobs[0]?.options.logprobs !== undefined;
  const logprobs = (index: number, piece: Piece) => {
    if (!withLogprobs) return null;
    const offset = lengths[index]!;
    lengths[index] = offset + piece.text.length;
    return completionLogprobs([piece], offset);
  };
  for await (const event of choiceEvents(service, visit, jobs)) {
    if ('result' in event) {
      const { index, result } = event;
      results[index] = result;
      yield chunk([{ text: stopTextOf(result, body), index, logprobs: null, finish_reason: finishReason(result) }]);
    } else if (event.piece.text !== '' || withLogprobs) {
      const { index, piece } = event;
      yield chunk([{ text: piece.text, index, logprobs: logprobs(index, piece), finish_reason: null }]);
    }
  }
  if (withUsage) yield chunk([], usageOf(results, prompts));
}

const badPrompt = (expected: string) =>
  new ApiError(400, `Invalid 'prompt': expected ${expected}.`, { param: 'prompt', code: 'invalid_value' });
