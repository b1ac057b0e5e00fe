/** POST /v1/completions */
import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { GenerationResult, Piece } from '../llm/index.js';
import { answerText, choiceEvents, collect, finishReason, type Job, stopTextOf, usageOf } from './choices.js';
import { type Echo, echoOf } from './echo.js';
import { ApiError } from './errors.js';
import { sendEvents } from './events.js';
import { formatOptions } from './formats.js';
import { fitted, maxTokensOf } from './lengths.js';
import { completionLogprobs, joinLogprobs } from './logprobs.js';
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
  const asked = await Promise.all(prompts.map((prompt) => readPrompt(service, body, visit, prompt)));
  const head = {
    id: `cmpl-${randomUUID()}`,
    object: 'text_completion',
    created: Math.floor(Date.now() / 1000),
    model: service.modelId,
  };
  if (body.stream) {
    const values = chunks(service, body, visit, asked, head);
    return sendEvents(reply, values, service.eventStream(reply.request));
  }
  const choices = await collect(
    service,
    visit,
    asked.map(({ job }) => job),
  );
  const withLogprobs = logprobsOf(body) !== undefined;
  return {
    ...head,
    choices: choices.map(({ pieces, result }, index) => {
      const { text, logprobs } = echoOfChoice(asked, index);
      return {
        text: text + answerText(result, body),
        index,
        logprobs: withLogprobs ? joinLogprobs(logprobs, completionLogprobs(pieces, text.length)) : null,
        finish_reason: finishReason(result),
      };
    }),
    usage: usageOf(
      choices.map(({ result }) => result),
      prompts.length,
    ),
  };
}

/** What is to follow a prompt, and what of the prompt is to be shown before it. */
interface Asked {
  readonly job: Job;
  readonly echo: Echo;
}

/** Choices are numbered through all prompts, which have as many each. */
const echoOfChoice = (asked: readonly Asked[], index: number): Echo =>
  asked[Math.floor(index / asked[0]!.job.count)]!.echo;

async function readPrompt(service: Service, body: CompletionBody, visit: Visit, prompt: Prompt): Promise<Asked> {
  const { info } = service.model;
  const tokens = await tokensOf(service, visit, prompt, body);
  if (tokens.length === 0) throw badPrompt('a prompt with at least one token, found none');
  const stranger = tokens.find((token) => token >= info.vocabSize);
  if (stranger !== undefined) throw badPrompt(`token ids from 0 to ${info.vocabSize - 1}, found ${stranger}`);
  const fitting = fitted(tokens, body, info, { maxTokens: maxTokensOf(body, undefined), param: 'prompt' });
  const format = await formatOptions(service.model, body);
  const options = defined({ maxTokens: maxTokensOf(body, MAX_TOKENS), logprobs: logprobsOf(body), ...format });
  const job = {
    prompt: fitting,
    options: { ...samplingOptions(body, info.vocabSize), ...options },
    count: choicesOf(body),
  };
  const whole = typeof prompt === 'string' && fitting.length === tokens.length ? prompt : undefined;
  return { job, echo: body.echo ? await echoOf(service, visit, job, whole) : { text: '' } };
}

async function tokensOf(service: Service, visit: Visit, prompt: Prompt, body: CompletionBody) {
  if (typeof prompt !== 'string') return prompt;
  const options = defined({ addSpecial: body.add_special_tokens });
  return service.withText(visit, prompt.length, () => service.model.tokenizeAsync(prompt, options));
}

/** How many of the most probable tokens are shown; undefined where no log probabilities are asked for. */
const logprobsOf = ({ logprobs, n_probs }: CompletionBody) =>
  agreed({ logprobs, n_probs: n_probs || undefined }, ['logprobs', 'n_probs']);

async function* chunks(service: Service, body: CompletionBody, visit: Visit, asked: readonly Asked[], head: object) {
  const withUsage = body.stream_options?.include_usage === true;
  const chunk = (choices: readonly object[], usage: object | null = null) => ({
    ...head,
    choices,
    ...(withUsage ? { usage } : {}),
  });
  const results: GenerationResult[] = [];
  const jobs = asked.map(({ job }) => job);
  const echoes = Array.from({ length: jobs.length * jobs[0]!.count }, (_, index) => echoOfChoice(asked, index));
  const lengths = echoes.map(({ text }) => text.length);
  const withLogprobs = logprobsOf(body) !== undefined;
  const logprobs = (index: number, piece: Piece) => {
    if (!withLogprobs) return null;
    const offset = lengths[index]!;
    lengths[index] = offset + piece.text.length;
    return completionLogprobs([piece], offset);
  };
  if (body.echo)
    for (const [index, { text, logprobs = null }] of echoes.entries())
      yield chunk([{ text, index, logprobs, finish_reason: null }]);
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
  if (withUsage) yield chunk([], usageOf(results, jobs.length));
}

const badPrompt = (expected: string) =>
  new ApiError(400, `Invalid 'prompt': expected ${expected}.`, { param: 'prompt', code: 'invalid_value' });
