/** Messages, and what else a chat template is given, as the tokens of a prompt. */
import type { Message } from '../llm/index.js';
import { textOf } from '../llm/messages.js';
import type { PreparedPrompt } from '../llm/prepared_prompt.js';
import { exactBody } from './body.js';
import { ApiError, unsupported } from './errors.js';
import { defined } from './sampling.js';
import type { ChatBody, MessageBody } from './schemas.js';
import type { Service, Visit } from './service.js';
import { readOptions, toolsFor } from './tools.js';

/** Errors: 400 for what the template does not take. */
export async function chatPrompt(service: Service, body: ChatBody, visit: Visit): Promise<PreparedPrompt> {
  if (body.add_special_tokens)
    throw unsupported('add_special_tokens', 'A chat has the control tokens that its template puts there.');
  const messages = body.messages.map(templateMessage);
  const variables = variablesOf(body);
  const tools = toolsFor(body);
  const prepare = (templateVariables: Readonly<Record<string, unknown>>) => {
    const options = defined({ templateVariables, addGenerationPrompt: body.add_generation_prompt, tools });
    const work = () => service.model.prepareChat(messages, options, readOptions(body));
    return service.withText(visit, sizeOf(messages, body), work);
  };
  const prompt = await prepare(variables);
  const { documents, ...others } = variables;
  if (Array.isArray(documents) && documents.length > 0 && isSame(prompt.tokens, (await prepare(others)).tokens))
    throw unsupported(
      'documents',
      "This model's chat template has no place for documents; put them into the messages.",
    );
  return prompt;
}

/** Variables that are null are as if they were not given. Of two of a name that in `chat_template_kwargs` counts, as vLLM has it. */
function variablesOf(body: ChatBody): Readonly<Record<string, unknown>> {
  const { reasoning_effort, enable_thinking } = body;
  for (const name of ['messages', 'tools'])
    if (Object.hasOwn(body.chat_template_kwargs ?? {}, name)) {
      const param = `chat_template_kwargs.${name}`;
      throw new ApiError(400, `Invalid '${param}': ${name} are a parameter of their own.`, {
        param,
        code: 'invalid_value',
      });
    }
  return defined({ reasoning_effort, enable_thinking, ...openVariables(body) });
}

/** Those that may hold any JSON. */
function openVariables(body: ChatBody): Readonly<Record<string, unknown>> {
  if (!body.documents && !body.chat_template_kwargs) return {};
  const exact = exactBody(body);
  const variables = (exact.get('chat_template_kwargs') ?? {}) as object | ReadonlyMap<string, unknown>;
  const named = defined(variables instanceof Map ? Object.fromEntries(variables) : variables);
  return { documents: exact.get('documents'), ...named };
}

/** `developer` is OpenAI's newer name for `system`. */
function templateMessage(message: MessageBody): Message {
  const { role, content, name, reasoning_content, reasoning, tool_calls, tool_call_id } = message;
  return {
    role: role === 'developer' ? 'system' : role,
    content: content == null && tool_calls ? null : textOf(content ?? ''),
    ...defined({ name, reasoning_content, reasoning, tool_calls, tool_call_id }),
  };
}

const sizeOf = (messages: readonly Message[], { documents, chat_template_kwargs, tools }: ChatBody) =>
  JSON.stringify([documents, chat_template_kwargs, tools]).length +
  messages.reduce((total, { content }) => total + String(content).length, 0);

const isSame = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((token, i) => token === b[i]);
