/** POST /tokenize and /detokenize, as llama.cpp's server has them. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ApiError } from './errors.js';
import { DETOKENIZE_BODY, type DetokenizeBody, TOKENIZE_BODY, type TokenizeBody } from './schemas.js';
import type { Service } from './service.js';

/** A token is about so many characters, for what it costs to make text of it. */
const CHARACTERS = 4;

export function textRoutes(app: FastifyInstance, service: Service): void {
  app.post(
    '/tokenize',
    { schema: { body: TOKENIZE_BODY } },
    async (request: FastifyRequest<{ Body: TokenizeBody }>, reply) => {
      const { content, add_special: addSpecial = false, parse_special: parseSpecial = true } = request.body;
      const visit = service.admitText(request, reply);
      const work = () => service.model.tokenizeAsync(content, { addSpecial, parseSpecial });
      return { tokens: await service.withText(visit, content.length, work) };
    },
  );
  app.post(
    '/detokenize',
    { schema: { body: DETOKENIZE_BODY } },
    async (request: FastifyRequest<{ Body: DetokenizeBody }>, reply) => {
      const { tokens } = request.body;
      const { vocabSize } = service.model.info;
      const stranger = tokens.find((token) => token >= vocabSize);
      if (stranger !== undefined) {
        const message = `Invalid 'tokens': expected token ids from 0 to ${vocabSize - 1}, found ${stranger}.`;
        throw new ApiError(400, message, { param: 'tokens', code: 'invalid_value' });
      }
      const visit = service.admitText(request, reply);
      const work = async () => service.model.detokenize(tokens);
      return { content: await service.withText(visit, tokens.length * CHARACTERS, work) };
    },
  );
}
