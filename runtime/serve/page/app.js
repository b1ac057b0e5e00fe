/** The chat: what is sent, answered, kept and shown. */
import { complete, Refused, servedModel } from './api.js';
import { forget, keep, keptChats, newChat, titleOf } from './chats.js';
import { isNearlyFull, promptTokens, shifted } from './context.js';
import { element, make } from './dom.js';
import { follow } from './scrolling.js';
import { settings } from './settings.js';
import { clearMessages, markUnseen, Shown } from './view.js';

/** @import { Chat, ServedModel, Usage } from './types.js' */

const [text, error] = [element('text'), element('error')];
let chat = newChat();
/** @type {ServedModel} */
let model = { id: '', context: Number.POSITIVE_INFINITY };
/** @type {AbortController | undefined} */
let running;
/** @type {HTMLButtonElement | undefined} */
let again;

function request() {
  const { system, temperature, limit } = settings();
  const seen = chat.messages.slice(chat.dropped).map(({ role, content }) => ({ role, content }));
  return {
    messages: [...(system ? [{ role: 'system', content: system }] : []), ...seen],
    stream: true,
    stream_options: { include_usage: true },
    ...(temperature === undefined ? {} : { temperature }),
    ...(limit === undefined ? {} : { max_tokens: limit }),
  };
}

/** Sends what is written. */
async function ask() {
  const content = text.value.trim();
  if (content === '' || running) return;
  text.value = '';
  chat.messages.push({ role: 'user', content });
  const question = new Shown('user', { content });
  const answered = await answer();
  if (answered) return;
  // Nothing came: the message goes back to where it was written, to be changed or sent again.
  chat.messages.pop();
  question.remove();
  text.value = [content, text.value].filter(Boolean).join('\n');
  show(chat);
}

/** Answers the last message. Returns whether anything came, or another chat was begun meanwhile. */
async function answer() {
  const [mine, controller] = [chat, new AbortController()];
  const shown = new Shown('assistant');
  const pace = new Pace();
  begin(shown, controller);
  let [note, failed] = ['', false];
  try {
    const { finish, usage } = await completed(mine, controller.signal, (part, thought) => {
      pace.note(part || thought);
      shown.think(thought);
      shown.add(part);
    });
    note = noteOf(shown.text, finish, usage, pace);
    if (isNearlyFull(usage, model.context))
      mine.dropped = shifted(mine, usage.total_tokens, model.context) ?? mine.dropped;
  } catch (failure) {
    failed = shown.text === '' && shown.thought === '';
    note = controller.signal.aborted ? 'stopped' : 'not finished';
    if (!controller.signal.aborted && chat === mine) showError(failure);
  }
  running = undefined;
  if (chat !== mine) {
    if (shown.text !== '' && !mine.deleted) keepAnswer(mine, shown, note);
    listChats();
    return true;
  }
  end(shown, note, failed);
  return !failed;
}

/**
 * @param {Shown} shown
 * @param {AbortController} controller
 */
function begin(shown, controller) {
  running = controller;
  again?.remove();
  error.hidden = true;
  element('empty').hidden = true;
  element('send').hidden = true;
  element('stop').hidden = false;
  shown.busy = true;
  follow();
}

/**
 * @param {Shown} shown
 * @param {string} note
 * @param {boolean} failed
 */
function end(shown, note, failed) {
  element('send').hidden = false;
  element('stop').hidden = true;
  if (failed) {
    shown.remove();
    return;
  }
  shown.busy = false;
  shown.note = keepAnswer(chat, shown, note) ? note : `${note}; this chat is not kept: the browser has no room for it`;
  listChats();
  markUnseen(chat.dropped);
  offerAgain(shown);
  if (!element('settings').open) text.focus();
}

/**
 * Returns whether the chat could be kept.
 * @param {Chat} answered
 * @param {Shown} shown
 * @param {string} note
 */
function keepAnswer(answered, { text: content, thought }, note) {
  answered.messages.push({ role: 'assistant', content, note, ...(thought && { thought }) });
  return keep(answered);
}

/**
 * The answer to a chat. Where the context is full, the oldest turns are left out.
 * @param {Chat} mine
 * @param {AbortSignal} signal
 * @param {(text: string, reasoning: string) => void} onPart
 */
async function completed(mine, signal, onPart) {
  for (;;) {
    try {
      return await complete(request(), settings().key, signal, onPart);
    } catch (failure) {
      if (!(failure instanceof Refused) || failure.code !== 'context_length_exceeded') throw failure;
      const dropped = shifted(mine, promptTokens(failure.message, model.context), model.context);
      if (dropped === undefined) throw failure;
      mine.dropped = dropped;
      markUnseen(dropped);
    }
  }
}

/** Tokens a second are counted from the first text to the last. */
class Pace {
  #first = 0;
  #last = 0;

  /** @param {string} part */
  note(part) {
    if (part === '') return;
    this.#last = performance.now();
    this.#first ||= this.#last;
  }

  /** @param {number} tokens */
  of(tokens) {
    const seconds = (this.#last - this.#first) / 1000;
    return tokens > 1 && seconds > 0 ? `${((tokens - 1) / seconds).toFixed(1)} tokens/s` : '';
  }
}

/**
 * @param {string} said
 * @param {string | undefined} finish
 * @param {Usage | undefined} usage
 * @param {Pace} pace
 */
function noteOf(said, finish, usage, pace) {
  const tokens = usage?.completion_tokens ?? 0;
  const cut = settings().limit === tokens ? 'cut off: it is as long as it may be' : 'cut off: the context is full';
  const why = finish === 'length' ? cut : finish === 'stop' ? '' : `ended by ${finish}`;
  const empty = said === '' ? `(no text) ${why || 'the model ended its answer at once'}` : why;
  return [`${tokens} ${tokens === 1 ? 'token' : 'tokens'}`, pace.of(tokens), empty].filter(Boolean).join(', ');
}

/** @param {Shown} shown */
function offerAgain(shown) {
  again = shown.offer('Try again', () => {
    if (running) return;
    chat.messages.pop();
    shown.remove();
    void answer().then((answered) => answered || show(chat));
  });
}

/** @param {unknown} failure */
function showError(failure) {
  const offline = failure instanceof TypeError;
  const said = failure instanceof Error ? failure.message : String(failure);
  const place = /** @type {Element} */ (error.firstElementChild);
  place.textContent = offline ? 'The server cannot be reached. Is it still running?' : said;
  error.hidden = false;
  if (failure instanceof Refused && failure.needsKey) {
    element('settings').open = true;
    element('key').focus();
  }
  follow();
}

async function showModel() {
  try {
    model = await servedModel(settings().key);
    element('model').textContent = model.id;
    element('model').title = `context ${model.context} tokens`;
    document.title = model.id;
    error.hidden = true;
  } catch (failure) {
    showError(failure);
  }
}

/**
 * Another chat, or this one as it is now.
 * @param {Chat} shownChat
 */
function show(shownChat) {
  if (shownChat !== chat) running?.abort();
  chat = shownChat;
  clearMessages();
  let last;
  for (const message of chat.messages) last = new Shown(message.role, message);
  if (last?.role === 'assistant') offerAgain(last);
  if (!running || running.signal.aborted) {
    element('send').hidden = false;
    element('stop').hidden = true;
  }
  markUnseen(chat.dropped);
  element('empty').hidden = chat.messages.length > 0;
  listChats();
  follow();
}

function listChats() {
  const chats = keptChats();
  element('chats').hidden = chats.length === 0;
  element('chatlist').replaceChildren(...chats.map(chatLine));
}

/** @param {Chat} kept */
function chatLine(kept) {
  const title = titleOf(kept);
  const open = make('button', { type: 'button', className: 'open', textContent: title });
  if (kept.id === chat.id) open.setAttribute('aria-current', 'true');
  open.addEventListener('click', () => {
    if (kept.id !== chat.id) show(kept);
    element('chats').open = false;
    text.focus();
  });
  const remove = make('button', { type: 'button', textContent: 'Delete', ariaLabel: `Delete ${title}` });
  remove.addEventListener('click', () => {
    forget(kept.id);
    if (kept.id === chat.id) {
      chat.deleted = true;
      show(newChat());
    } else listChats();
  });
  return make('li', {}, open, remove);
}

element('form').addEventListener('submit', (event) => {
  event.preventDefault();
  void ask();
});
text.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  void ask();
});
document.addEventListener('keydown', ({ key }) => {
  if (key === 'Escape') running?.abort();
});
element('stop').addEventListener('click', () => running?.abort());
element('retry').addEventListener('click', () => {
  if (text.value.trim() !== '') void ask();
  else void showModel();
});
element('new').addEventListener('click', () => {
  error.hidden = true;
  show(newChat());
  text.focus();
});
element('key').addEventListener('change', () => void showModel());
show(keptChats()[0] ?? chat);
void showModel();
