/** POST /tokenize and /detokenize, as llama.cpp's server has them. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ApiError } from './errors.js';
import { DETOKENIZE_BODY, type DetokenizeBody, TOKENIZE_BODY, type TokenizeBody } from './schemas.js';
import type { Service } from './service.js';

export function textRoutes(app: FastifyInstance, { model }: Service): void {
  app.post(
    '/tokenize',
    { schema: { body: TOKENIZE_BODY } },
    async ({ body }: FastifyRequest<{ Body: TokenizeBody }>) => {
      const { content, add_special: addSpecial = false, parse_special: parseSpecial = true } = body;
      return { tokens: await model.tokenizeAsync(content, { addSpecial, parseSpecial }) };
    },
  );
  const schema = { body: DETOKENIZE_BODY };
  app.post('/detokenize', { schema }, async ({ body: { tokens } }: FastifyRequest<{ Body: DetokenizeBody }>) => {
    const stranger = tokens.find((token) => token >= model.info.vocabSize);
    if (stranger !== undefined) {
      const message = `Invalid 'tokens': expected token ids from 0 to ${model.info.vocabSize - 1}, found ${stranger}.`;
      throw new ApiError(400, message, { param: 'tokens', code: 'invalid_value' });
    }
    return { content: model.detokenize(tokens) };
  });
}
