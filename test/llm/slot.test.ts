/** A session and its KV cache, on a library that has no model but records what is called. Its rule: test/addon/mock.c. */
import { describe, expect, it } from 'vitest';
import { SessionPool } from '../../runtime/llm/pool.js';
import { type Request, Slot } from '../../runtime/llm/slot.js';
import { mockModels, Script } from '../addon/support.js';

const openMock = mockModels();

async function openSlot(script = new Script()): Promise<Slot> {
  const model = await openMock(script);
  const slot = new Slot(model);
  await slot.open();
  return slot;
}

/** What the mock says after a prompt. */
function following(prompt: readonly number[], count: number): number[] {
  const tokens = [...prompt];
  for (let i = 0; i < count; i++) tokens.push((5 * tokens.at(-1)! + tokens.length) % 16);
  return tokens.slice(prompt.length);
}

const defaults = { count: 5, sampling: {}, stopTokens: [], logprobs: undefined };

async function generate(slot: Slot, prompt: readonly number[], options: Partial<Request> = {}) {
  const tokens: number[] = [];
  let cached = -1;
  const { signal = new AbortController().signal } = options;
  const hear = (count: number) => {
    cached = count;
  };
  for await (const { token } of slot.generate({ ...defaults, prompt, ...options, signal }, hear)) tokens.push(token);
  return { tokens, cached };
}

describe('a slot', () => {
  it('feeds only what its KV cache does not hold', async () => {
    const script = new Script();
    const slot = await openSlot(script);
    expect(await generate(slot, [1, 2, 3])).toEqual({ tokens: following([1, 2, 3], 5), cached: 0 });
    const history = [1, 2, 3, ...following([1, 2, 3], 5)];
    expect(slot.size).toBe(7); // the last token has not been fed
    expect(await generate(slot, [...history, 9])).toEqual({ tokens: following([...history, 9], 5), cached: 7 });
    expect(await generate(slot, [1, 2, 4])).toEqual({ tokens: following([1, 2, 4], 5), cached: 2 });
    expect(await generate(slot, [1, 2])).toEqual({ tokens: following([1, 2], 5), cached: 1 });
    const fed = script.calls().filter((line) => line.startsWith('prefilled'));
    expect(fed).toEqual(['prefilled 3', 'prefilled 2', 'prefilled 1', 'prefilled 1']);
  });

  it('does the same step by step, where log probabilities are asked for', async () => {
    const slot = await openSlot();
    const stepped = await generate(slot, [1, 2, 3], { logprobs: 2 });
    expect(stepped).toEqual({ tokens: following([1, 2, 3], 5), cached: 0 });
    expect(slot.size).toBe(7);
    const stop = following([1, 2, 3], 5)[2]!;
    for (const logprobs of [2, undefined])
      expect((await generate(slot, [1, 2, 3], { logprobs, stopTokens: [stop] })).tokens).toEqual(
        following([1, 2, 3], 3),
      );
  });

  it('knows what it holds of a prompt that was given up', async () => {
    const script = new Script('hold token');
    const slot = await openSlot(script);
    const prompt = Array.from({ length: 30 }, (_, i) => i % 16);
    const controller = new AbortController();
    const given = generate(slot, prompt, { signal: controller.signal });
    await script.until('prefill begins');
    script.release(3);
    controller.abort(new Error('enough'));
    script.release(1); // if it had begun with a fourth one
    await expect(given).rejects.toThrow('enough');
    const held = slot.size;
    expect(held).toBeGreaterThan(0);
    expect(held).toBeLessThanOrEqual(4);
    expect(script.calls()).toContain(`prefilled ${held}`);
    script.release(100);
    expect(await generate(slot, prompt, { count: 2 })).toEqual({ tokens: following(prompt, 2), cached: held });
  });

  it('opens its session anew after it was reset', async () => {
    const script = new Script('fail token 8');
    const slot = await openSlot(script);
    await expect(generate(slot, [1, 2])).rejects.toMatchObject({ status: 8 });
    await slot.reset();
    expect(slot.size).toBe(0);
    expect(await generate(slot, [1, 2], { count: 1 })).toEqual({ tokens: following([1, 2], 1), cached: 0 });
    expect(script.calls().filter((line) => line === 'session_open')).toHaveLength(2);
    expect(script.calls().filter((line) => line === 'session_close ends')).toHaveLength(1);
  });

  it('says why it cannot be opened, and leaves nothing behind', async () => {
    const script = new Script('fail graph_build 7');
    await expect(openSlot(script)).rejects.toMatchObject({ status: 7 });
    expect(script.calls().filter((line) => line === 'session_close ends')).toHaveLength(1);
  });
});

describe('a pool', () => {
  const signal = () => new AbortController().signal;

  it('gives the slot that holds most of the prompt, unless another conversation needs it', async () => {
    const slots = [await openSlot(), await openSlot(), await openSlot()];
    const [a, b, c] = slots as [Slot, Slot, Slot];
    await generate(a, [1, 2, 3, 4, 5, 6, 7, 8]); // holds 12
    await generate(b, [1, 2, 3]); // holds 7
    const pool = new SessionPool([b, c, a]);
    const [last] = following([1, 2, 3], 1);
    const choices: [number[], Slot][] = [
      [[1, 2, 3, 4, 5, 6, 7, 8, 9], a],
      [[1, 2, 3, last!, 0], b],
      [[1, 2, 9], b], // less than half of any: the one longest unused
      [[9], b],
    ];
    for (const [prompt, expected] of choices) {
      const slot = await new SessionPool([b, c, a]).acquire(prompt, signal());
      expect(slots.indexOf(slot)).toBe(slots.indexOf(expected));
    }
    expect(await pool.acquire([9], signal())).toBe(b);
    expect(await pool.acquire([9], signal())).toBe(c);
    expect(pool).toMatchObject({ running: 2, waiting: 0 });
    pool.release(b);
    expect(await pool.acquire([9], signal())).toBe(a);
    expect(await pool.acquire([9], signal())).toBe(b);
  });

  it('serves who waits in order, and not who has gone', async () => {
    const slot = await openSlot();
    const pool = new SessionPool([slot]);
    expect(await pool.acquire([1], signal())).toBe(slot);
    const order: number[] = [];
    const gone = new AbortController();
    const waits = [signal(), gone.signal, signal()].map((s, i) => pool.acquire([1], s).then(() => order.push(i)));
    expect(pool.waiting).toBe(3);
    gone.abort(new Error('gone'));
    await expect(waits[1]).rejects.toThrow('gone');
    for (const wait of [waits[0], waits[2]]) {
      pool.release(slot);
      await wait;
    }
    expect(order).toEqual([0, 2]);
    pool.release(slot);
    expect(pool).toMatchObject({ running: 0, waiting: 0 });
    await expect(pool.acquire([1], gone.signal)).rejects.toThrow('gone');
    expect(pool.running).toBe(0);
  });
});
