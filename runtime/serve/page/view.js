/** Messages on the page. */
/** @import { Message, Role } from './types.js' */
import { copyButton, element, make } from './dom.js';
import { elementsOf } from './markdown.js';

const messages = element('messages');

/** A message as it is shown. */
export class Shown {
  #text = '';
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #drawing;
  #cost = 0;
  #thought = '';
  #thoughtText = make('div', { className: 'thought' });
  #thinking = make(
    'details',
    { className: 'thinking' },
    make('summary', { textContent: 'Thinking' }),
    this.#thoughtText,
  );
  #content = make('div', { className: 'content' });
  #note = make('small', {});
  #footer = make('footer', {}, this.#note);

  /**
   * @param {Role} role
   * @param {Partial<Message>} [message]
   */
  constructor(role, { content = '', note = '', thought = '' } = {}) {
    this.role = role;
    this.item = make('li', { className: `message ${role}` });
    this.item.append(make('h2', { textContent: role === 'user' ? 'You' : 'Assistant' }), this.#content, this.#footer);
    if (role === 'assistant') this.#footer.append(copyButton('Copy', () => this.#text));
    this.#footer.hidden = role === 'user';
    messages.append(this.item);
    this.#text = content;
    this.#draw();
    this.think(thought);
    this.note = note;
  }

  get text() {
    return this.#text;
  }

  get thought() {
    return this.#thought;
  }

  /**
   * More of what the model thinks: plain text, folded.
   * @param {string} text
   */
  think(text) {
    if (text === '') return;
    this.#thought += text;
    this.#thoughtText.append(text);
    if (!this.#thinking.isConnected) this.#content.before(this.#thinking);
  }

  /**
   * Drawn soon: the longer drawing takes, the less often.
   * @param {string} text
   */
  add(text) {
    this.#text += text;
    this.#drawing ??= setTimeout(() => this.#draw(), 30 + 5 * this.#cost);
  }

  /** @param {boolean} busy */
  set busy(busy) {
    if (busy) this.item.setAttribute('aria-busy', 'true');
    else this.item.removeAttribute('aria-busy');
    if (!busy) this.#draw();
  }

  /** @param {string} note */
  set note(note) {
    this.#note.textContent = note;
  }

  /**
   * A button beside the note.
   * @param {string} name
   * @param {() => void} act
   */
  offer(name, act) {
    const button = make('button', { type: 'button', className: 'small', textContent: name });
    button.addEventListener('click', act);
    this.#footer.append(button);
    return button;
  }

  remove() {
    clearTimeout(this.#drawing);
    this.item.remove();
  }

  #draw() {
    clearTimeout(this.#drawing);
    this.#drawing = undefined;
    const start = performance.now();
    if (this.role === 'user') this.#content.textContent = this.#text;
    else this.#content.replaceChildren(elementsOf(this.#text));
    this.#cost = performance.now() - start;
  }
}

/**
 * Which of the oldest the model sees no more.
 * @param {number} dropped
 */
export function markUnseen(dropped) {
  for (const [i, item] of [...messages.children].entries()) item.classList.toggle('unseen', i < dropped);
  const note = element('full');
  note.hidden = dropped === 0;
  note.textContent = `The context is full: the model sees no more of the ${dropped} oldest messages.`;
}

export function clearMessages() {
  messages.replaceChildren();
}
